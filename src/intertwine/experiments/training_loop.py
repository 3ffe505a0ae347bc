"""The passes over the training data that tasks have in common, and what they cost."""

import math
import statistics
import time
from dataclasses import dataclass
from functools import partial

import torch

from intertwine.baselines import Method, peak_memory, training_step
from intertwine.baselines.step import Criterion
from intertwine.binding import Binding


@dataclass(frozen=True)
class TrainingCost:
    """What a training took.

    Attributes:
        seconds: of an epoch, the median over epochs; processor time, wall time on an accelerator.
        memory: peak bytes of a step, as ``peak_memory`` counts them.
    """

    seconds: float
    memory: int


def train_epochs(  # noqa: PLR0913 - a training says all that it is made of
    method: Method,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler,
    x: torch.Tensor,
    y: torch.Tensor,
    criterion: Criterion,
    *,
    epochs: int,
    batch_size: int,
    generator: torch.Generator,
    batches: int | None = None,
) -> TrainingCost:
    """Trains ``method.model`` on shuffled batches.

    Args:
        method: what is trained and how.
        optimizer: over ``method.parameter_groups()``, with the method attached.
        schedule: of the learning rate, stepped after each epoch.
        x: inputs, on the device.
        y: targets, on the device.
        criterion: ``(output, y) -> loss``, a scalar.
        epochs: passes.
        batch_size: samples a step.
        generator: of the order of the samples, on the CPU, so that it is the same on all devices.
        batches: steps of a pass; None for all samples once.
    """
    seconds, memory = [], 0
    for epoch in range(epochs):
        order = torch.randperm(len(y), generator=generator).to(x.device)
        start = clock(x.device)
        for batch in order.split(batch_size)[:batches]:
            step = partial(training_step, method, optimizer, x[batch], y[batch], criterion)
            # The first step of the last epoch is watched, which takes time: the optimiser has its state by then.
            if not memory and epoch == epochs - 1:
                memory = peak_memory(step)
            else:
                step()
        method.after_epoch(epoch, epochs)
        seconds.append(clock(x.device) - start)
        schedule.step()
    return TrainingCost(statistics.median_low(seconds), memory)


def clock(device: torch.device | str) -> float:
    """Processor time, as a run shares the machine with others; wall time once an accelerator has finished.

    Examples:
        >>> clock("cpu") <= clock("cpu")
        True
    """
    device = torch.device(device)
    if device.type == "cpu":
        return time.process_time()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter()


def typed_residual(binding: Binding) -> dict[str, float]:
    """``relative_residual`` of all typed weights together and its ``chance``; empty where nothing is typed.

    Running statistics of norm layers are no weights. Chance is what i.i.d. Gaussian weights have:
    ``sqrt(1 - rank / numel)``.

    Examples:
        >>> import intertwine as iw
        >>> binding = iw.bind(torch.nn.Linear(4, 4, bias=False), {"": (iw.Cyclic(4).regular(),) * 2})
        >>> round(typed_residual(binding)["chance"], 3)
        0.866
    """
    found = [entry for entry in binding.residuals().values() if entry.kind != "buffer"]
    if not found:
        return {}
    squared, norm = math.fsum(r.squared_residual for r in found), math.fsum(r.norm**2 for r in found)
    numel, rank = sum(math.prod(r.shape) for r in found), sum(r.rank for r in found)
    return {
        "relative_residual": math.sqrt(squared / norm) if norm else 0.0,
        "chance": math.sqrt(1 - rank / numel),
    }
