"""One network on the volumes, trained by one method and measured."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from experiments.comparison.typed_residual import typed_residual
from experiments.medical3d.data import MedicalSplit, load_medical_split, num_classes, stream
from experiments.medical3d.e3nn import E3NN, e3nn_network
from experiments.medical3d.model import typed_network
from experiments.medical3d.network import TypedNetwork
from experiments.medical3d.scores import scores
from intertwine.baselines import Method, Penalty, Subject, make_method
from intertwine.errors import ArgumentError
from intertwine.training import TrainingCost, train_epochs

# Other ways to finish a plain training.
VARIANTS = ("train_then_project", "orbit_averaging")
# The paper's rows on its own network, beside the baselines: a fixed lambda_G, and lambda_G = lambda_perp.
BOTH_STRENGTHS, EQUAL_STRENGTHS = "both_strengths", "equal_strengths"
# The paper's lambda_G of 1e-3 in front of a square that is not halved.
EQUIVARIANT_STRENGTH = 2e-3
# Errors are measured on so many test volumes; the layer that breaks the symmetry is looked for on fewer.
MEASURED, SEARCHED = 32, 2
# An average over the group takes as many forward passes each.
MEASURED_AVERAGE = 8
# Relative errors up to here are rounding.
ROUNDING = 1e-4
ERRORS = ("validation_loss", "equivariance_error", "rotation_error")


@dataclass(frozen=True)
class MedicalSettings:
    """All that a run depends on.

    Attributes:
        condition: the network, a key of ``ARCHITECTURES``; ``"organ: SO(3) dense"`` for another data set.
        method: a key of ``BASELINES``, ``"e3nn"``, ``"both_strengths"`` or ``"equal_strengths"``.
        seed: of the volumes trained on, initial weights, batches and sampled elements.
        strength: of methods that have one.
        learning_rate: at the start; it falls to zero along a cosine.
        device: where it is trained.
        dataset: a key of ``DATASETS``, where the condition names none.
        side: of the official files.
        pool: volumes are averaged over cubes of so many voxels a side.
        training: how many volumes to train on; None for the official split.
        evaluated: validation and test with so many volumes at most; None for all.
        widths: width of the network by the word that ends its name.
        epochs: passes over the training volumes.
        batch_size: volumes a step.
        optimizer: ``"sgd"`` (momentum 0.9) or ``"adam"``.
    """

    condition: str
    method: str
    seed: int
    strength: float | None = None
    learning_rate: float = 0.03
    device: str = "cpu"
    dataset: str = "adrenal"
    side: int = 28
    pool: int = 2
    training: int | None = 512
    evaluated: int | None = None
    widths: Mapping[str, int] | None = None
    epochs: int = 8
    batch_size: int = 32
    optimizer: str = "sgd"

    @property
    def network(self) -> str:
        """A key of ``ARCHITECTURES``."""
        return self.condition.split(": ")[-1]

    @property
    def data(self) -> str:
        """A key of ``DATASETS``."""
        return self.condition.split(": ")[0] if ": " in self.condition else self.dataset

    @property
    def width(self) -> int:
        """Of this condition's network."""
        return (self.widths or {}).get(self.network.split()[-1], 1)


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished training: network, method, data, and what it took."""

    network: TypedNetwork
    method: Method
    split: MedicalSplit
    cost: TrainingCost


def medical_method(name: str, subject: Subject, strength: float | None, generator: torch.Generator) -> Method:
    """A baseline, one of the paper's rows with a strength on both parts of the weights, or plain on e3nn's network.

    Raises:
        UnknownNameError: no such method.
        ArgumentError: a strength that the method does not take.
    """
    if name in (BOTH_STRENGTHS, EQUAL_STRENGTHS):
        fixed = EQUIVARIANT_STRENGTH if name == BOTH_STRENGTHS or strength is None else strength
        return Penalty(subject, strength, generator=generator, equivariant_strength=fixed)
    return make_method("plain" if name == E3NN else name, subject, strength, generator=generator)


def train(settings: MedicalSettings) -> Trained:
    """Trains one network with the cross-entropy.

    Raises:
        UnknownNameError: no such data set, network or method.
        ArgumentError: a strength that the method does not take, or an unknown optimiser.
    """
    split = load_medical_split(
        settings.data, settings.seed, side=settings.side, pool=settings.pool, training=settings.training
    )
    if settings.evaluated is not None:
        split = MedicalSplit(
            split.training, *(part.first(settings.evaluated) for part in (split.validation, split.test))
        )
    network = _network(settings, split.test.x.shape[-1])
    network.model.to(settings.device)
    method = medical_method(settings.method, network.subject(), settings.strength, stream(settings.seed, "method"))
    optimizer = method.optimizer(partial(_optimizer, settings))
    method.model.train()
    training = split.training.to(settings.device)
    cost = train_epochs(
        method,
        optimizer,
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs),
        training.x,
        training.y,
        F.cross_entropy,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        generator=stream(settings.seed, "batches"),
    )
    return Trained(network, method, split, cost)


def _network(settings: MedicalSettings, side: int) -> TypedNetwork:
    """The condition's network, or e3nn's."""
    size = (num_classes(settings.data), side, settings.width, settings.seed)
    if settings.method != E3NN:
        return typed_network(settings.network, *size)
    return e3nn_network(settings.network, *size)


def _optimizer(settings: MedicalSettings, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return torch.optim.SGD(groups, settings.learning_rate, momentum=0.9)
    if settings.optimizer == "adam":
        return torch.optim.Adam(groups, settings.learning_rate)
    raise ArgumentError("optimizer", expected="'sgd' or 'adam'", got=repr(settings.optimizer))


def run_medical3d(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Trains and measures one network: a run of the grid.

    Returns:
        What every task returns, ``test_auc`` and ``test_accuracy``, ``validation_auc``, ``rotation_error`` (under
        random rotations, interpolated). Of ``exact``, where W = PW: ``projected_error``, the network's error then, and
        ``breaker``, the first layer behind which it is not equivariant, or None. Of ``plain`` the other ways to finish;
        of ``e3nn``, whose weights have no types, neither residual nor chance.
    """
    chosen = MedicalSettings(**settings)
    trained = train(chosen)
    network, method = trained.network, trained.method
    variants: dict[str, dict[str, Any]] = {}
    # Before `finish`, which may change the weights.
    copies = {name: _copy(network) for name in VARIANTS} if chosen.method == "plain" else {}
    for name, other in copies.items():
        variant = medical_method(name, other.subject(), None, stream(chosen.seed, "method"))
        variants[name] = _measures(other, variant.finish(), trained.split, chosen.device)
    result = _measures(network, method.finish(), trained.split, chosen.device)
    if chosen.method == "exact":
        result |= _at_projection(network, trained.split.test.x[:MEASURED].to(chosen.device), result)
    return {
        **result,
        "seconds_per_epoch": trained.cost.seconds,
        "peak_memory": trained.cost.memory,
        "parameters": method.num_parameters,
        **({"variants": variants} if variants else {}),
    }


def _copy(network: TypedNetwork) -> TypedNetwork:
    return network.with_model(copy.deepcopy(network.model))


@torch.no_grad()
def _measures(network: TypedNetwork, model: nn.Module, split: MedicalSplit, device: str) -> dict[str, Any]:
    """Scores and errors of what is evaluated; infinite loss and errors if the training has diverged."""
    model.eval()
    validation, test = (scores(model, part, device) for part in (split.validation, split.test))
    result: dict[str, Any] = {
        "validation_loss": validation["loss"],
        "validation_auc": validation["auc"],
        "test_auc": test["auc"],
        "test_accuracy": test["accuracy"],
    }
    finite = all(bool(p.isfinite().all()) for p in network.model.parameters())
    if not finite or not math.isfinite(validation["loss"]) or not math.isfinite(test["loss"]):
        return result | dict.fromkeys(ERRORS, math.inf) | _diverged_residual(network, finite)
    x = split.test.x[: MEASURED if model is network.model else MEASURED_AVERAGE].to(device)
    return {
        **result,
        "equivariance_error": network.error(x, model).relative_worst,
        "rotation_error": network.rotation_error(x, model).relative_mean,
        **typed_residual(network.binding),
    }


def _diverged_residual(network: TypedNetwork, finite: bool) -> dict[str, float]:
    """Where nothing is typed there is nothing to report."""
    if not len(network.binding):
        return {}
    chance = typed_residual(network.binding)["chance"] if finite else 1.0
    return {"relative_residual": math.inf, "chance": chance}


def _at_projection(network: TypedNetwork, x: torch.Tensor, result: Mapping[str, Any]) -> dict[str, Any]:
    """What the network is at W = PW."""
    error = float(result["equivariance_error"])
    breaker = network.breaker(x[:SEARCHED]) if ROUNDING < error < math.inf else None
    return {"projected_error": error, "breaker": None if breaker is None else f"{breaker.name} ({breaker.kind})"}
