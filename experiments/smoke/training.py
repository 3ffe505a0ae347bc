"""One network on the smoke plumes, trained by one method and measured."""

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F

from experiments.comparison.typed_residual import typed_residual
from experiments.smoke.data import load_plumes
from experiments.smoke.methods import method_network, smoke_method
from experiments.smoke.model import network_error, smoke_subject, symmetry
from experiments.smoke.roll_out import RollOut
from experiments.smoke.split import Split, Windows, load_split, stream
from intertwine.baselines import Method, OrbitAveraging, Subject, TrainThenProject
from intertwine.binding import Binding
from intertwine.training import TrainingCost, train_epochs

# Windows on which the network's equivariance is measured.
MEASURED = 32
# Windows that are predicted at once.
CHUNK = 64


@dataclass(frozen=True)
class SmokeSettings:
    """All that a run depends on.

    Attributes:
        condition: of ``smoke_recipes.CONDITIONS``.
        method: of ``smoke_methods.METHODS``.
        seed: of the runs held out, initial weights, batches and sampled elements.
        strength: of methods that have one.
        learning_rate: of Adam at the start; multiplied by ``decay`` after each epoch.
        device: where it is trained.
        data: size of the data, a key of ``smoke_recipes.RECIPES``.
        width: hidden channels.
        depth: hidden layers.
        history: frames in.
        horizon: frames predicted in training, each from the ones before.
        roll_out: frames predicted in validation and test.
        epochs: passes.
        batches: batches of a pass; None for all windows once.
        batch_size: windows of a batch.
        decay: of the learning rate.
        measured: at most so many windows of validation, future and held-out runs are predicted, evenly spread.
        every: of penalty and decay: so many steps between two terms or two proximal steps.
        variants: whether plain training is finished in other ways too.
    """

    condition: str
    method: str
    seed: int
    strength: float | None = None
    learning_rate: float = 3e-3
    device: str = "cpu"
    data: str = "cpu"
    width: int = 16
    depth: int = 3
    history: int = 3
    horizon: int = 4
    roll_out: int = 8
    epochs: int = 10
    batches: int | None = None
    batch_size: int = 16
    decay: float = 0.95
    measured: int = 400
    every: int = 1
    variants: bool = True


@dataclass(frozen=True, eq=False)
class Trained:
    """A finished training: the method with its model, the data, what it cost."""

    method: Method
    split: Split
    cost: TrainingCost


def new_subject(settings: SmokeSettings, split: Split) -> Subject:
    """The network of a run, as it begins."""
    return smoke_subject(
        settings.condition,
        method_network(settings.condition, settings.method),
        settings.seed,
        history=settings.history,
        width=settings.width,
        side=split.training.x.shape[-1],
        steps=settings.horizon,
        depth=settings.depth,
        change=split.change,
    )


def train(settings: SmokeSettings) -> Trained:
    """Trains one network: Adam, the mean squared error of ``horizon`` frames, each predicted from the ones before.

    Raises:
        UnknownNameError: no such condition, method or size.
        ArgumentError: a strength that the method does not take, or windows that do not fit.
    """
    sizes = {"history": settings.history, "horizon": settings.horizon, "roll_out": settings.roll_out}
    split = load_split(settings.condition, settings.data, settings.seed, **sizes)
    subject = new_subject(settings, split)
    subject.model.to(settings.device)
    options = {"every": settings.every} if settings.every > 1 else {}
    method = smoke_method(settings.method, subject, settings.strength, stream(settings.seed, "method"), **options)
    optimizer = method.optimizer(lambda groups: torch.optim.Adam(groups, settings.learning_rate))
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, settings.decay)
    x, y = split.training.x.to(settings.device), split.training.y.to(settings.device)
    cost = train_epochs(
        method, optimizer, schedule, x, y, F.mse_loss, epochs=settings.epochs, batch_size=settings.batch_size,
        generator=stream(settings.seed, "batches"), batches=settings.batches,
    )  # fmt: skip
    return Trained(method, split, cost)


def run_smoke(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Trains and measures one network: a run of the grid.

    Returns:
        What every task returns; ``validation_loss``, the RMSE of roll-outs over the validating time; ``rmse`` over the
        future time of the runs trained on; ``domain_rmse`` on the runs held out; ``still_rmse`` and
        ``domain_still_rmse``, the RMSE of predicting no change; all in units of the root mean square velocity of the
        training frames. ``rmse_by_step``: over the future, by frame of the roll-out. ``data_error``: the simulator's
        own C4 error, None for other symmetries. Networks without types have no residual.
    """
    chosen = SmokeSettings(**settings)
    trained = train(chosen)
    method = trained.method
    variants: dict[str, dict[str, Any]] = {}
    if chosen.variants and chosen.method == "plain" and symmetry(chosen.condition) == "rotation":
        for kind in (TrainThenProject, OrbitAveraging):
            model, binding = copy.deepcopy((method.model, method.subject.binding))
            subject = method.subject
            variant = kind(Subject(model, binding, subject.group, subject.act_in, subject.act_out, subject.hidden))
            variants[kind.name] = _measures(variant, trained.split, chosen)
    return {
        **_measures(method, trained.split, chosen),
        "seconds_per_epoch": trained.cost.seconds,
        "peak_memory": trained.cost.memory,
        "parameters": method.num_parameters,
        "data_error": load_plumes(chosen.condition, chosen.data).symmetry_error,
        **({"variants": variants} if variants else {}),
    }


@torch.no_grad()
def _measures(method: Method, split: Split, settings: SmokeSettings) -> dict[str, Any]:
    """Errors of what the method evaluates; infinite ones if it has diverged."""
    model = method.finish().eval()
    for module in model.modules():
        if isinstance(module, RollOut):
            module.steps = settings.roll_out
    parts = {"validation_loss": split.validation, "rmse": split.future, "domain_rmse": split.domain}
    parts = {name: windows.spread(settings.measured).to(settings.device) for name, windows in parts.items()}
    by_step = {name: errors_by_step(model, windows) for name, windows in parts.items()}
    result: dict[str, Any] = {name: _root_mean(errors) for name, errors in by_step.items()}
    result["rmse_by_step"] = [round(float(error.sqrt()), 6) for error in by_step["rmse"]]
    for name, still in (("rmse", "still_rmse"), ("domain_rmse", "domain_still_rmse")):
        result[still] = float((parts[name].y - parts[name].x[:, None, -2:]).square().mean().sqrt())
    binding = method.subject.binding
    if not all(math.isfinite(result[name]) for name in by_step):
        typed = {"relative_residual": math.inf, "chance": _chance(binding)} if binding.entries else {}
        return result | dict.fromkeys((*by_step, "equivariance_error"), math.inf) | {"rmse_by_step": []} | typed
    error = network_error(model, settings.condition, parts["rmse"].spread(MEASURED).x)
    return result | {"equivariance_error": error} | typed_residual(binding)


def errors_by_step(model: torch.nn.Module, windows: Windows) -> torch.Tensor:
    """Mean squared errors of the predicted frames, shape (steps,), float64."""
    total = torch.zeros(windows.y.shape[1], dtype=torch.float64, device=windows.x.device)
    for x, y in zip(windows.x.split(CHUNK), windows.y.split(CHUNK), strict=True):
        total += (model(x) - y).double().square().mean((2, 3, 4)).sum(0)
    return total / len(windows.x)


def _root_mean(errors: torch.Tensor) -> float:
    return float(errors.mean().sqrt())


def _chance(binding: Binding) -> float:
    """What ``typed_residual`` calls so, of weights that are not finite."""
    projectors = [entry.projector for entry in binding.entries]
    return math.sqrt(1 - sum(P.rank for P in projectors) / sum(P.ambient_dim for P in projectors))
