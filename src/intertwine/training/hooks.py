"""What a training loop asks of a method: where it may act on a step, as a protocol."""

from typing import Any, Protocol

import torch
from torch import nn


class Hooks(Protocol):
    """What acts on a training; ``intertwine.baselines.Method`` is one, and so is any object with these methods.

    A loop calls ``parameter_groups()`` for the optimiser and ``attach(optimizer)`` once; for each batch ``batch``,
    ``model``, ``total_loss``, backward, ``before_step`` and the optimiser's step; ``after_epoch`` after each pass; and
    ``finish()`` at the end, which returns the module to evaluate.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import Plain, Subject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> method = Plain(subject)
        >>> all(hasattr(method, name) for name in vars(Hooks) if not name.startswith("_"))
        True
    """

    @property
    def model(self) -> nn.Module:
        """The module to train and to call."""

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Parameter groups for the optimiser."""

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        """Registers what has to follow each step of the optimiser."""

    def batch(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The batch that the model is trained on instead of ``(x, y)``."""

    def total_loss(self, task_loss: torch.Tensor, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        """What is differentiated, a scalar.

        Args:
            task_loss: the loss of the task.
            x: the inputs, as ``batch`` gave them.
            output: ``self.model(x)``.
        """

    def before_step(self) -> None:
        """Called between backward and the optimiser's step."""

    def after_epoch(self, epoch: int, epochs: int) -> None:
        """Called after epoch number ``epoch`` (from 0) of ``epochs``."""

    def finish(self) -> nn.Module:
        """The module to evaluate, after training."""
