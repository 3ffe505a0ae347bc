"""The passes over training data, and what they cost."""

import itertools
import statistics
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch

from intertwine._arguments import check_generator, integer
from intertwine.errors import ArgumentError
from intertwine.training.hooks import Hooks
from intertwine.training.step import Criterion, check_samples, peak_memory, training_step


@dataclass(frozen=True)
class TrainingCost:
    """What a training took.

    Attributes:
        seconds: of an epoch, the median over epochs; processor time, wall time on an accelerator.
        memory: peak bytes of a step, as ``peak_memory`` counts them.
        total: seconds of all epochs.

    Examples:
        >>> TrainingCost(seconds=0.5, memory=1024, total=5.0).total
        5.0
    """

    seconds: float
    memory: int
    total: float


def train_epochs(  # noqa: PLR0913 - a training says all that it is made of
    method: Hooks,
    optimizer: torch.optim.Optimizer,
    schedule: torch.optim.lr_scheduler.LRScheduler | None,
    x: torch.Tensor,
    y: torch.Tensor,
    criterion: Criterion,
    *,
    epochs: int,
    batch_size: int | None,
    generator: torch.Generator | None = None,
    batches: int | None = None,
) -> TrainingCost:
    """Trains ``method.model`` on shuffled batches, or on everything at once.

    Args:
        method: what is trained and how.
        optimizer: over ``method.parameter_groups()``, with the method attached.
        schedule: of the learning rate, stepped after each epoch; None for a constant one.
        x: inputs, on the device.
        y: targets, on the device.
        criterion: ``(output, y) -> loss``, a scalar.
        epochs: passes.
        batch_size: samples a step; None for all of them in their order, a step an epoch.
        generator: of the order of the samples, on the CPU, so that it is the same on all devices; torch's default one
            if None.
        batches: steps of a pass; None for all samples once.

    Raises:
        ArgumentError: counts that are none, no schedule, or what ``training_step`` does not take.
        ShapeError: not as many targets as inputs.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import Plain, Subject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> from intertwine.training import train_epochs
        >>> method = Plain(subject)
        >>> optimizer = torch.optim.SGD(method.parameter_groups(), lr=0.1)
        >>> cost = train_epochs(method, optimizer, None, x, x, torch.nn.functional.mse_loss, epochs=3, batch_size=4)
        >>> cost.memory > 0
        True
    """
    integer("epochs", epochs, 0)
    for name, count in (("batch_size", batch_size), ("batches", batches)):
        if count is not None:
            integer(name, count, 1)
    check_generator("generator", generator)
    if schedule is not None and (isinstance(schedule, type) or not callable(getattr(schedule, "step", None))):
        raise ArgumentError("schedule", expected="a learning-rate scheduler, or None", got=type(schedule).__name__)
    check_samples(x, y)
    seconds, memory = [], 0
    for epoch in range(epochs):
        chunks = _batches(x, y, batch_size, generator)
        start = clock(x.device)
        for inputs, targets in itertools.islice(chunks, batches):
            step = partial(training_step, method, optimizer, inputs, targets, criterion)
            # The first step of the last epoch is watched, which takes time: the optimiser has its state by then.
            if not memory and epoch == epochs - 1:
                memory = peak_memory(step)
            else:
                step()
        method.after_epoch(epoch, epochs)
        seconds.append(clock(x.device) - start)
        if schedule is not None:
            schedule.step()
    return TrainingCost(statistics.median_low(seconds) if seconds else 0.0, memory, sum(seconds))


def _batches(
    x: torch.Tensor, y: torch.Tensor, size: int | None, generator: torch.Generator | None
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    if size is None:
        return iter([(x, y)])
    order = torch.randperm(len(y), generator=generator).to(x.device)
    return ((x[batch], y[batch]) for batch in order.split(size))


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
