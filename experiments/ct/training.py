"""One network on simulated metal artefacts, trained by one method and measured; and the corrections without one."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn

from experiments.comparison.typed_residual import typed_residual
from experiments.ct.data import SHIPPED_SIDE
from experiments.ct.e2cnn import e2cnn_subject
from experiments.ct.model import GROUP, ct_subject
from experiments.ct.purposes import stream
from experiments.ct.scores import corrected, sample_index, sample_text, scores
from experiments.ct.split import INPUTS, CtSplit, load_ct_split
from experiments.e2cnn.layers import E2CNN
from intertwine.baselines import Method, Remul, Subject, make_method
from intertwine.diagnostics import equivariance_error
from intertwine.training import TrainingCost, train_epochs

# Other ways to finish a plain training.
VARIANTS = ("train_then_project", "orbit_averaging")
# Corrections that nobody trains, and the condition whose first input they are.
REFERENCES = {"uncorrected": "from artefacts", "interpolation": "from LI-MAR"}
# Mean squared, in densities of water; no image comes near it.
SMALLEST_ERROR = 1e-12


@dataclass(frozen=True)
class CtSettings:
    """All that a run depends on.

    Attributes:
        condition: a key of ``INPUTS``: which images the network sees.
        method: a key of ``BASELINES`` or of ``REFERENCES``, or ``"e2cnn"``.
        seed: of held-out scan, validation slices, training pairs, initial weights, batches and sampled elements.
        strength: of methods that have one.
        learning_rate: of Adam at the start; it falls to zero along a cosine.
        device: where it is trained.
        side: of the images, 65 or 129.
        training: pairs to train on.
        test: pairs to test on.
        variants: simulated pairs of each slice.
        every: every so many slices of the scans are used.
        widths: channels of the network's three levels.
        epochs: passes over the training pairs.
        batch_size: pairs a step.
    """

    condition: str
    method: str
    seed: int
    strength: float | None = None
    learning_rate: float = 3e-3
    device: str = "cpu"
    side: int = SHIPPED_SIDE
    training: int = 80
    test: int = 30
    variants: int = 2
    every: int = 1
    widths: tuple[int, int, int] = (8, 16, 32)
    epochs: int = 7
    batch_size: int = 2

    def split(self) -> CtSplit:
        """The data."""
        return load_ct_split(
            self.condition,
            self.seed,
            self.side,
            self.training,
            variants=self.variants,
            every=self.every,
            test=self.test,
        )

    def subject(self) -> Subject:
        """The network as it is before training."""
        widths = (self.widths[0], self.widths[1], self.widths[2])
        make = e2cnn_subject if self.method == E2CNN else ct_subject
        return make(len(INPUTS[self.condition]) + 1, widths, self.seed, self.device)


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished training: subject, method, data, and what it took."""

    subject: Subject
    method: Method
    split: CtSplit
    cost: TrainingCost


def log_error(images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Half the logarithm of the mean squared error of each image, averaged: PSNR but for sign and scale.

    The plain mean would be that of the few worst images: errors of pairs differ by factors of hundreds.

    Examples:
        >>> error = log_error(torch.full((1, 1, 3, 3), 0.1), torch.zeros(1, 1, 3, 3))
        >>> round(float(error.exp()), 6)
        0.1
    """
    return 0.5 * (images - targets).square().mean((1, 2, 3)).clamp_min(SMALLEST_ERROR).log().mean()


def ct_method(name: str, subject: Subject, strength: float | None, generator: torch.Generator) -> Method:
    """A baseline; REMUL with this task's own criterion, and plain training for e2cnn's network.

    Raises:
        UnknownNameError: no such method.
        ArgumentError: a strength that the method does not take.
    """
    if name == Remul.name:
        return Remul(subject, strength, generator=generator, criterion=log_error)
    return make_method("plain" if name == E2CNN else name, subject, strength, generator=generator)


def train(settings: CtSettings) -> Trained:
    """Trains one network with ``log_error`` and Adam.

    Raises:
        UnknownNameError: no such method or condition.
        ArgumentError: a size or strength that does not fit, or no data where they should be.
    """
    split, subject = settings.split(), settings.subject()
    method = ct_method(settings.method, subject, settings.strength, stream(settings.seed, "elements"))
    optimizer = method.optimizer(lambda groups: torch.optim.Adam(groups, settings.learning_rate, fused=True))
    cost = train_epochs(
        method,
        optimizer,
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs),
        split.training.x.to(settings.device),
        split.training.y.to(settings.device),
        log_error,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        generator=stream(settings.seed, "batches"),
    )
    return Trained(subject, method, split, cost)


def run_ct(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Trains and measures one network, or measures a correction without one: a run of the grid.

    Returns:
        What every task returns; ``psnr`` and ``ssim`` on the held-out scan, means over its pairs, outside the metal;
        ``psnr_turned`` on the same pairs turned by 90, 180 and 270 degrees; ``held_out``, which scan it was;
        ``sample``, one corrected image. Of ``plain`` also the other ways to finish; of ``e2cnn`` no residual, as its
        weights are not typed. Corrections without a network have the scores alone.
    """
    chosen = CtSettings(**settings)
    if chosen.method in REFERENCES:
        return reference(chosen)
    trained = train(chosen)
    subject, method, split = trained.subject, trained.method, trained.split
    variants: dict[str, dict[str, Any]] = {}
    # Before `finish`, which may change the weights.
    if chosen.method == "plain":
        for name in VARIANTS:
            other = _copy(subject)
            variants[name] = _measures(other, make_method(name, other).finish(), split, chosen.device)
    model = method.finish()
    sample = split.test.x[[sample_index(split.test)]]
    return {
        **_measures(subject, model, split, chosen.device),
        "held_out": split.held_out,
        "sample": sample_text(corrected(model, sample, chosen.device)),
        "seconds_per_epoch": trained.cost.seconds,
        "peak_memory": trained.cost.memory,
        "parameters": method.num_parameters,
        **({"variants": variants} if variants else {}),
    }


def reference(settings: CtSettings) -> dict[str, Any]:
    """The scores of the artefacts themselves, or of their correction by linear interpolation.

    Both commute with quarter turns exactly, as the simulated scanner does; they have no weights and no time.
    """
    split = replace(settings, condition=REFERENCES[settings.method]).split()
    return scores(_First(), split, "cpu") | {"held_out": split.held_out}


class _First(nn.Module):
    """The first input as it is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x[:, :1]


def _copy(subject: Subject) -> Subject:
    """The subject with weights of its own."""
    model, binding = copy.deepcopy((subject.model, subject.binding))
    return Subject(model, binding, subject.group, subject.act_in, subject.act_out)


def _measures(subject: Subject, model: nn.Module, split: CtSplit, device: str) -> dict[str, Any]:
    """Scores and errors of what is evaluated; infinite loss and errors if the training has diverged."""
    result: dict[str, Any] = scores(model, split, device)
    finite = all(bool(p.isfinite().all()) for p in subject.model.parameters())
    if not finite or not math.isfinite(result["validation_loss"]) or not math.isfinite(result["psnr"]):
        typed = {"relative_residual": math.inf, "chance": 1.0} if subject.binding.entries else {}
        return result | {"validation_loss": math.inf, "equivariance_error": math.inf} | typed
    x = split.test.x.to(device)
    error = equivariance_error(model, subject.act_in, subject.act_out, x, group=GROUP)
    return result | {"equivariance_error": error.relative_worst, **typed_residual(subject.binding)}
