"""One network on the rings, trained by one method and measured."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from experiments.rings.data import Points, RingsSplit, load_rings, stream
from experiments.rings.methods import PERCEPTRON, rings_method
from experiments.rings.model import (
    HIDDEN_CHANNELS,
    PERCEPTRON_WIDTH,
    decisions_text,
    harmonic_type,
    harmonic_types,
    initial_network,
)
from intertwine.baselines import Method, Subject, leave
from intertwine.binding import bind
from intertwine.diagnostics import equivariance_error
from intertwine.groups import SO
from intertwine.training import TrainingCost, train_epochs

# Other ways to finish a plain training.
VARIANTS = ("train_then_project", "orbit_averaging")
# As many random turns as the paper takes, on so many test points.
TURNS, MEASURED_POINTS = 40, 250


@dataclass(frozen=True)
class RingsSettings:
    """All that a run depends on.

    Attributes:
        condition: as ``load_rings`` takes it.
        method: as ``rings_method`` takes it.
        seed: of data, initial weights and sampled elements.
        strength: of methods that have one.
        learning_rate: of Adam.
        device: where it is trained.
        epochs: steps, each with all training points.
        training: points of each class; None: the paper's number.
        test: test points of both classes.
        every: of penalty and decay: so many steps between two terms or two proximal steps.
    """

    condition: str
    method: str
    seed: int
    strength: float | None = None
    learning_rate: float = 3e-3
    device: str = "cpu"
    epochs: int = 200
    training: int | None = None
    test: int = 2000
    every: int = 1


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished training: the method with its model, the data, and what it took."""

    method: Method
    split: RingsSplit
    cost: TrainingCost


def rings_subject(network: nn.Module) -> Subject:
    """SO(2) turns points, leaves logits alone and turns hidden features by their frequencies.

    A perceptron has no types that fit; the one of its last layer, which nothing can break, stands in for them.
    """
    harmonic = hasattr(network, "harmonics")
    trivial, turning = SO(2).trivial(), harmonic_type(HIDDEN_CHANNELS).act
    last = {str(len(list(network.children())) - 2): (PERCEPTRON_WIDTH * trivial, trivial)}
    return Subject(
        model=network,
        binding=bind(network, harmonic_types() if harmonic else last),
        group=SO(2),
        act_in=lambda g, x: x @ g.T.to(x),
        act_out=leave,
        hidden={"first": turning, "second": turning} if harmonic else {},
        lie_in=lambda A, x: x @ A.T.to(x),
        lie_out=lambda _, y: torch.zeros_like(y),
    )


def train(settings: RingsSettings) -> Trained:
    """Trains one network: Adam at a constant rate, cross-entropy, all training points in each step.

    Raises:
        UnknownNameError: no such condition or method.
        ArgumentError: a strength that the method does not take.
    """
    split = load_rings(settings.condition, settings.seed, settings.training, settings.test)
    network = initial_network(settings.seed, "perceptron" if settings.method == PERCEPTRON else "harmonic")
    subject = rings_subject(network.to(settings.device))
    options = {"every": settings.every} if settings.every > 1 else {}
    method = rings_method(settings.method, subject, settings.strength, stream(settings.seed, "method"), **options)
    optimizer = method.optimizer(lambda groups: torch.optim.Adam(groups, settings.learning_rate, fused=True))
    x, y = split.training.x.to(settings.device), split.training.y.to(settings.device)
    criterion = F.binary_cross_entropy_with_logits
    cost = train_epochs(method, optimizer, None, x, y, criterion, epochs=settings.epochs, batch_size=None)
    return Trained(method, split, cost)


def run_rings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Trains and measures one network: a run of the grid.

    Returns:
        What every task returns, and ``test_accuracy`` on fresh points; ``turned_accuracy`` on the same points turned by
        random angles, labels kept; ``worst_rotation_error``, the largest over random turns R of the root mean square of
        ``f(Rx) - f(x)`` in logits; ``equivariant_norm`` and ``residual_norm``, ``|PW|`` and ``|W - PW|`` over all typed
        weights; of seed 0 ``decisions``, as ``decisions_text`` gives them.
    """
    chosen = RingsSettings(**settings)
    trained = train(chosen)
    method = trained.method
    variants = {}
    if chosen.method == "plain":
        for name in VARIANTS:
            subject = rings_subject(copy.deepcopy(method.model))
            variant = rings_method(name, subject, None, stream(chosen.seed, "method"))
            variants[name] = _measures(variant, trained.split, chosen)
    return {
        **_measures(method, trained.split, chosen),
        "seconds_per_epoch": trained.cost.seconds,
        "peak_memory": trained.cost.memory,
        "parameters": method.num_parameters,
        **({"variants": variants} if variants else {}),
    }


@torch.no_grad()
def _measures(method: Method, split: RingsSplit, settings: RingsSettings) -> dict[str, Any]:
    """Scores and errors of what the method evaluates; infinite loss and errors if it has diverged."""
    model = method.finish().eval().cpu()
    loss, _ = scores(model, split.validation)
    result: dict[str, Any] = {"validation_loss": loss}
    for name, points in (("test_accuracy", split.test), ("turned_accuracy", split.turned)):
        _, result[name] = scores(model, points)
    if not math.isfinite(loss) or not all(bool(p.isfinite().all()) for p in model.parameters()):
        errors = ("validation_loss", "equivariance_error", "worst_rotation_error", "relative_residual")
        return result | dict.fromkeys(errors, math.inf)
    x = split.test.x[:: max(1, len(split.test.x) // MEASURED_POINTS)]
    generator = stream(settings.seed, "measurement")
    act_in, act_out, group = method.subject.act_in, method.subject.act_out, method.subject.group
    error = equivariance_error(model, act_in, act_out, x, num_samples=TURNS, generator=generator, group=group)
    result |= {"equivariance_error": error.relative_worst, "worst_rotation_error": error.absolute_worst}
    result |= {} if settings.method == PERCEPTRON else _weights(method.subject)
    # Decisions of the variants are in no picture.
    kept = settings.seed == 0 and method.name not in VARIANTS
    return result | ({"decisions": decisions_text(model)} if kept else {})


def _weights(subject: Subject) -> dict[str, float]:
    """Norms of both parts of the typed weights, all together."""
    residuals = subject.binding.residuals().values()
    squared, norm = math.fsum(r.squared_residual for r in residuals), math.fsum(r.norm**2 for r in residuals)
    numel, rank = sum(math.prod(r.shape) for r in residuals), sum(r.rank for r in residuals)
    return {
        "relative_residual": math.sqrt(squared / norm) if norm else 0.0,
        "chance": math.sqrt(1 - rank / numel),
        "equivariant_norm": math.sqrt(max(0.0, norm - squared)),
        "residual_norm": math.sqrt(squared),
    }


def scores(model: nn.Module, points: Points) -> tuple[float, float]:
    """Mean cross-entropy and accuracy."""
    with torch.no_grad():
        logits = model(points.x)
    right = ((logits > 0) == points.y.bool()).float().mean().item()
    return F.binary_cross_entropy_with_logits(logits, points.y).item(), right
