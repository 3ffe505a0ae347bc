"""One network on turned digits, trained by one method and measured."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from experiments.comparison.typed_residual import typed_residual
from experiments.e2cnn.layers import E2CNN
from experiments.rotmnist.data import Digits, Split, load_split
from experiments.rotmnist.e2cnn import e2cnn_subject
from experiments.rotmnist.model import GROUPS, digits_subject, image_action
from experiments.rotmnist.purposes import stream
from intertwine.baselines import Method, Subject, leave, make_method
from intertwine.diagnostics import equivariance_error
from intertwine.errors import ArgumentError
from intertwine.training import TrainingCost, train_epochs

# Other ways to finish a plain training.
VARIANTS = ("train_then_project", "orbit_averaging")
# Errors are measured on so many test digits, under so many random turns.
MEASURED, TURNS = 250, 8
# Digits at a time where no gradients are taken; small enough for a processor's cache.
EVALUATED_ON_CPU, EVALUATED = 250, 5000
ERRORS = ("equivariance_error", "quarter_turn_error", "rotation_error")


@dataclass(frozen=True)
class RotmnistSettings:
    """All that a run depends on.

    Attributes:
        condition: group and share of turned digits, as ``parse_condition`` takes it.
        method: a key of ``BASELINES``, or ``"e2cnn"``.
        seed: of the digits trained on, initial weights, batches and sampled elements.
        strength: of methods that have one.
        learning_rate: of Adam at the start; it falls to zero along a cosine.
        device: where it is trained.
        source: ``"mnist"`` or ``"shipped"``, as ``load_split`` takes it.
        side: pixels along a side, 14 or 28.
        training: digits to train on.
        validation: digits to choose configurations by.
        test: digits to test on.
        widths: channels of the convolutions.
        epochs: passes over the training digits.
        batch_size: digits a step.
        every: of penalty and decay: so many steps between two terms or two proximal steps.
        variants: whether plain training is finished in other ways too.
    """

    condition: str
    method: str
    seed: int
    strength: float | None = None
    learning_rate: float = 0.01
    device: str = "cpu"
    source: str = "mnist"
    side: int = 14
    training: int = 1000
    validation: int = 1000
    test: int = 10_000
    widths: tuple[int, ...] = (16, 32, 64)
    epochs: int = 10
    batch_size: int = 50
    every: int = 1
    variants: bool = True

    @property
    def group(self) -> str:
        """A key of ``GROUPS``."""
        return parse_condition(self.condition)[0]

    @property
    def fraction(self) -> float:
        """Of the digits that are turned."""
        return parse_condition(self.condition)[1]

    def subject(self) -> Subject:
        """The network as it is before training."""
        make = e2cnn_subject if self.method == E2CNN else digits_subject
        return make(self.group, self.side, tuple(self.widths), self.seed, self.device)


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished training: subject, method, data, and what it took."""

    subject: Subject
    method: Method
    split: Split
    cost: TrainingCost


def parse_condition(text: str) -> tuple[str, float]:
    """Group and fraction of turned digits.

    Raises:
        ArgumentError: not of this form.

    Examples:
        >>> parse_condition("C4, 10 %")
        ('C4', 0.1)
    """
    group, comma, share = text.partition(", ")
    number = share.removesuffix(" %")
    if group not in GROUPS or not comma or number == share or not number.replace(".", "", 1).isdigit():
        raise ArgumentError("condition", expected="a text such as 'C4, 10 %'", got=repr(text))
    return group, float(number) / 100


def train(settings: RotmnistSettings) -> Trained:
    """Trains one network with the cross-entropy and Adam.

    Raises:
        UnknownNameError: no such method or source.
        ArgumentError: a condition, size or strength that does not fit, or no data where they should be.
    """
    split = load_split(
        settings.fraction,
        settings.seed,
        training=settings.training,
        validation=settings.validation,
        test=settings.test,
        side=settings.side,
        source=settings.source,
    )
    subject = settings.subject()
    # The library's network is equivariant by itself, so it takes no more than plain training.
    name = "plain" if settings.method == E2CNN else settings.method
    options = {"every": settings.every} if settings.every > 1 else {}
    method = make_method(name, subject, settings.strength, generator=stream(settings.seed, "elements"), **options)
    optimizer = method.optimizer(lambda groups: torch.optim.Adam(groups, settings.learning_rate, fused=True))
    cost = train_epochs(
        method,
        optimizer,
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs),
        split.training.x.to(settings.device),
        split.training.y.to(settings.device),
        F.cross_entropy,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        generator=stream(settings.seed, "batches"),
    )
    return Trained(subject, method, split, cost)


def run_rotmnist(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Trains and measures one network: a run of the grid.

    Returns:
        What every task returns, and ``test_accuracy``; ``turned_accuracy`` on the same test digits when every one of
        them is turned; ``quarter_turn_error`` and ``rotation_error``, the network's relative error under turns by
        multiples of 90 degrees, which take pixels onto pixels, and under 8 random angles, interpolated (both the
        largest found). ``equivariance_error`` is that of the condition's group: exact for C4 and D4, interpolated where
        the group does not act on pixels. Of ``plain`` also the other ways to finish; of ``e2cnn`` no residual, as its
        weights are not typed.
    """
    chosen = RotmnistSettings(**settings)
    trained = train(chosen)
    subject, method = trained.subject, trained.method
    variants: dict[str, dict[str, Any]] = {}
    if chosen.variants and chosen.method == "plain":
        for name in VARIANTS:
            other = _copy(subject)
            model = make_method(name, other, generator=stream(chosen.seed, "elements")).finish()
            variants[name] = _measures(other, model, trained.split, chosen)
    return {
        **_measures(subject, method.finish(), trained.split, chosen),
        "seconds_per_epoch": trained.cost.seconds,
        "peak_memory": trained.cost.memory,
        "parameters": method.num_parameters,
        **({"variants": variants} if variants else {}),
    }


def _copy(subject: Subject) -> Subject:
    """The subject with weights of its own."""
    model, binding = copy.deepcopy((subject.model, subject.binding))
    return Subject(model, binding, subject.group, subject.act_in, subject.act_out)


def _measures(subject: Subject, model: nn.Module, split: Split, settings: RotmnistSettings) -> dict[str, Any]:
    """Accuracies and errors of what is evaluated; infinite loss and errors if the training has diverged."""
    with torch.no_grad():
        # e2cnn's kernels are made here, once.
        model.eval()
    loss, _ = _scores(model, split.validation, settings.device)
    test_loss, accuracy = _scores(model, split.test, settings.device)
    turned = _scores(model, split.turned, settings.device)[1] if settings.fraction < 1 else accuracy
    result: dict[str, Any] = {"validation_loss": loss, "test_accuracy": accuracy, "turned_accuracy": turned}
    finite = all(bool(p.isfinite().all()) for p in subject.model.parameters())
    if not finite or not math.isfinite(loss) or not math.isfinite(test_loss):
        typed = {"relative_residual": math.inf, "chance": 1.0} if subject.binding.entries else {}
        return result | {"validation_loss": math.inf} | dict.fromkeys(ERRORS, math.inf) | typed
    x = split.test.x[:MEASURED].to(settings.device)
    group = settings.group
    quarter = _error(model, "C4", x)
    rotation = _error(model, "SO(2)", x)
    own = {"C4": quarter, "SO(2)": rotation}.get(group)
    return {
        **result,
        "equivariance_error": _error(model, group, x) if own is None else own,
        "quarter_turn_error": quarter,
        "rotation_error": rotation,
        **typed_residual(subject.binding),
    }


def _error(model: nn.Module, group: str, x: torch.Tensor) -> float:
    """The worst relative error over the elements of C4, D4 or C8, or over random ones of SO(2)."""
    found = equivariance_error(
        model,
        image_action(group, GROUPS[group].trivial()),
        leave,
        x,
        group=GROUPS[group],
        num_samples=TURNS,
        # The same turns for all methods and seeds.
        generator=torch.Generator().manual_seed(0),
    )
    return found.relative_worst


@torch.no_grad()
def _scores(model: nn.Module, digits: Digits, device: str) -> tuple[float, float]:
    """Mean cross-entropy and accuracy."""
    pieces = digits.x.split(EVALUATED_ON_CPU if device == "cpu" else EVALUATED)
    logits = torch.cat([model(x.to(device)).cpu() for x in pieces])
    return F.cross_entropy(logits, digits.y).item(), (logits.argmax(1) == digits.y).double().mean().item()
