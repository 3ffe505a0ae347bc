"""Training with any method: the hooks that a method has, one step, and the loop over epochs."""

from intertwine.training.hooks import Hooks
from intertwine.training.loop import TrainingCost, clock, train_epochs
from intertwine.training.step import Criterion, peak_memory, training_step

__all__ = ["Criterion", "Hooks", "TrainingCost", "clock", "peak_memory", "train_epochs", "training_step"]
