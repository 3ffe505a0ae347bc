"""One network on the digits, trained by one of the methods that the demo compares."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from experiments.demo.digits_data import CLASSES, SIDE, Digits, Split, load_digits_split, stream
from intertwine.baselines import BASELINES, Method, Plain, Subject, leave
from intertwine.binding import Binding, bind
from intertwine.diagnostics import equivariance_error
from intertwine.errors import UnknownNameError, listing
from intertwine.groups import Cyclic
from intertwine.representations import Representation
from intertwine.training import train_epochs

WIDTH = 256
# Regular fields of the convolutional network's layers.
FIELDS = (8, 16)
NETWORKS = {
    "mlp": "a perceptron 64 -> 256 -> 256 -> 10 with ReLU: pixels turn, hidden layers are 64 regular fields",
    "cnn": "a convolutional network with ReLU: 3x3 to 8 regular fields, 2x2 with stride 2 to 16, 3x3 to 16, a "
    "linear map of channels times pixels to 10",
}


class EquivariantStart(Plain):
    """Plain training from the projected draw of the equivariant methods: what the start alone does."""

    name = "equivariant_start"
    label = "plain, equivariant start"
    source = "intertwine"
    equivariant_start = True


METHODS: dict[str, type[Method]] = {
    "plain": Plain,
    "equivariant_start": EquivariantStart,
    **{
        name: BASELINES[name]
        for name in (
            "weight_decay",
            "augmentation",
            "exact",
            "train_then_project",
            "sampled_operator",
            "sampled_activation",
            "penalty",
            "decay",
        )
    },
}


@dataclass(frozen=True)
class DigitsSettings:
    """All that a run depends on.

    Attributes:
        fraction: how many of the digits are turned.
        seed: of split, turns, initial weights, batches and drawn elements.
        method: a key of ``METHODS``, or of ``BASELINES``.
        strength: of the tuned methods, else None.
        epochs, learning_rate, momentum, batch_size: of SGD; the learning rate falls to zero along a cosine.
        training, validation: how many digits; the rest is for the test.
        model: a key of ``NETWORKS``.
        every: of penalty and decay: so many steps between two terms or two proximal steps.
    """

    fraction: float
    seed: int
    method: str
    strength: float | None = None
    epochs: int = 80
    learning_rate: float = 0.2
    momentum: float = 0.9
    batch_size: int = 50
    training: int = 300
    validation: int = 300
    model: str = "mlp"
    every: int = 1

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network with its binding and data, and the processor seconds that training took."""

    model: nn.Sequential
    binding: Binding
    split: Split
    seconds: float


def digits_ends() -> tuple[Representation, Representation]:
    """C4 turns the pixels of a digit, flattened, and leaves the logits alone."""
    return Cyclic(4).grid(SIDE, SIDE), CLASSES * Cyclic(4).trivial()


def digits_types(model: str = "mlp") -> dict[str, tuple[Representation, Representation]]:
    """How C4 acts on both sides of each layer: it permutes within the regular fields of the hidden ones."""
    G = Cyclic(4)
    pixels, logits = digits_ends()
    if model == "cnn":
        first, second = (n * G.regular() for n in FIELDS)
        flat = second.tensor(G.grid(SIDE // 2, SIDE // 2))
        return {"1": (G.trivial(), first), "3": (first, second), "5": (second, second), "8": (flat, logits)}
    hidden = WIDTH // 4 * G.regular()
    return {"0": (pixels, hidden), "2": (hidden, hidden), "4": (hidden, logits)}


def initial_network(seed: int, model: str = "mlp") -> nn.Sequential:
    """One of ``NETWORKS`` with torch's own initialisation, the same for every method of a seed.

    Both take flattened digits. The convolutions keep quarter turns exactly: 2 x 2 with stride 2 covers the 8 x 8 pixels
    without a rest, so that no centre is missed.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(seed, "weights").initial_seed())
        if model == "cnn":
            first, second = (4 * n for n in FIELDS)
            return nn.Sequential(
                nn.Unflatten(1, (1, SIDE, SIDE)),
                nn.Conv2d(1, first, 3, padding=1),
                nn.ReLU(),
                nn.Conv2d(first, second, 2, stride=2),
                nn.ReLU(),
                nn.Conv2d(second, second, 3, padding=1),
                nn.ReLU(),
                nn.Flatten(),
                nn.Linear(second * (SIDE // 2) ** 2, CLASSES),
            )
        return nn.Sequential(
            nn.Linear(SIDE * SIDE, WIDTH), nn.ReLU(), nn.Linear(WIDTH, WIDTH), nn.ReLU(), nn.Linear(WIDTH, CLASSES)
        )


def train(settings: DigitsSettings) -> Trained:
    """Trains one network.

    With SGD the projection commutes with the step, so that ``exact`` (projected after each step) is the equivariant
    network itself; under Adam, whose second moments see the non-equivariant gradients, it would be a handicapped one.

    Raises:
        UnknownNameError: no such method or network.
    """
    if settings.model not in NETWORKS:
        raise UnknownNameError("model", expected=f"one of {listing(NETWORKS)}", got=repr(settings.model))
    methods = BASELINES | METHODS
    if settings.method not in methods:
        raise UnknownNameError("method", expected=f"one of {listing(methods, 20)}", got=repr(settings.method))
    split = load_digits_split(settings.fraction, settings.seed, settings.training, settings.validation)
    model = initial_network(settings.seed, settings.model)
    binding = bind(model, digits_types(settings.model))
    options: dict[str, Any] = {"every": settings.every} if settings.every > 1 else {}
    subject = Subject(model, binding, binding.group, digits_ends()[0].act, leave)
    method = methods[settings.method](
        subject, settings.strength, generator=stream(settings.seed, "elements"), **options
    )
    rate, momentum = settings.learning_rate, settings.momentum
    optimizer = method.optimizer(lambda groups: torch.optim.SGD(groups, rate, momentum=momentum))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs)
    x, y = split.training.x, split.training.y
    cost = train_epochs(
        method,
        optimizer,
        schedule,
        x,
        y,
        F.cross_entropy,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        generator=stream(settings.seed, "batches"),
    )
    method.finish()
    return Trained(model, binding, split, cost.total)


def run_digits(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Trains and measures one network: a run of the grid.

    Returns:
        ``test_accuracy``, ``validation_accuracy``, ``validation_loss``; ``equivariance_error`` on the test digits
        (relative, worst turn) and ``equivariance_error_mean``; ``relative_residual`` of all weights together and
        ``residuals`` by tensor; ``seconds`` of training (processor time). Weights that are not finite have infinite
        loss, error and residual.
    """
    trained = train(DigitsSettings(**settings))
    validation_loss, validation_accuracy = _scores(trained.model, trained.split.validation)
    _, test_accuracy = _scores(trained.model, trained.split.test)
    result: dict[str, Any] = {
        "test_accuracy": test_accuracy,
        "validation_accuracy": validation_accuracy,
        "validation_loss": validation_loss,
        "seconds": trained.seconds,
    }
    if not math.isfinite(validation_loss) or not all(bool(p.isfinite().all()) for p in trained.model.parameters()):
        infinite = dict.fromkeys(("equivariance_error", "equivariance_error_mean", "relative_residual"), math.inf)
        return result | infinite | {"validation_loss": math.inf, "residuals": {}}
    error = equivariance_error(trained.model, *digits_ends(), trained.split.test.x)
    residuals = trained.binding.residuals()
    norm = math.fsum(entry.norm**2 for entry in residuals.values())
    squared = math.fsum(entry.squared_residual for entry in residuals.values())
    return result | {
        "equivariance_error": error.relative_worst,
        "equivariance_error_mean": error.relative_mean,
        "relative_residual": math.sqrt(squared / norm) if norm else 0.0,
        "residuals": {name: entry.relative_residual for name, entry in residuals.items()},
    }


def _scores(model: nn.Module, digits: Digits) -> tuple[float, float]:
    """Mean cross-entropy and accuracy."""
    with torch.no_grad():
        logits = model(digits.x)
    right = int((logits.argmax(1) == digits.y).sum())
    return F.cross_entropy(logits, digits.y).item(), right / len(digits.y)
