"""Training: schedules, what acts on a trainer's optimisers, one file a trainer; one step and the loop of any method."""

from intertwine.training.accelerated import accelerated
from intertwine.training.equivariance_penalty import EquivariancePenalty
from intertwine.training.hooks import Hooks
from intertwine.training.lightning_callback import lightning_callback
from intertwine.training.loop import TrainingCost, clock, train_epochs
from intertwine.training.regularization import Regularization
from intertwine.training.scalars import scalars
from intertwine.training.schedules import CosineRamp, Ramp, RelaxThenSnap
from intertwine.training.step import Criterion, peak_memory, training_step
from intertwine.training.transformers_callback import transformers_callback

__all__ = [
    "CosineRamp",
    "Criterion",
    "EquivariancePenalty",
    "Hooks",
    "Ramp",
    "Regularization",
    "RelaxThenSnap",
    "TrainingCost",
    "accelerated",
    "clock",
    "lightning_callback",
    "peak_memory",
    "scalars",
    "train_epochs",
    "training_step",
    "transformers_callback",
]
