"""The protocol of all methods: wrap a model, give a loss term or a step, say what is evaluated afterwards."""

import math
from abc import ABC
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from torch import nn

from intertwine._arguments import check_function, check_generator, check_instance, real_number
from intertwine.baselines.subject import Subject
from intertwine.errors import ArgumentError


class Method(ABC):
    """One way to train ``subject.model``; made once for each training, whose state it may hold.

    A training loop calls, in this order: ``optimizer(make)``, then for each batch ``batch``, ``model``, ``total_loss``,
    backward, ``before_step``, the optimiser's step (``training_step`` does this), ``after_epoch``, and at the end
    ``finish()``, which returns the module to evaluate. All methods but ``split`` also take an optimiser over
    ``parameter_groups()``, by ``attach``.

    Args:
        subject: the model with its types; its weights are changed in place.
        strength: of methods with a strength, a number >= 0, None otherwise.
        generator: randomness of augmentation and of sampled elements; torch's default one if None.

    Attributes:
        name: key in ``BASELINES``.
        label: what tables call it.
        source: where the method was published.
        tuned: whether it has a strength.
        infinite: whether that may be infinite.
        equivariant_start: whether it begins by projecting the initial weights, norms of output fields kept.

    Raises:
        ArgumentError: a strength where the method has none, none where it has one, or one that is negative or NaN.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import Subject, make_method
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> method = make_method("penalty", subject, strength=0.1)
        >>> method.name, method.tuned, method.equivariant_start, method.num_parameters
        ('penalty', True, True, 20)
    """

    name: ClassVar[str]
    label: ClassVar[str]
    source: ClassVar[str]
    tuned: ClassVar[bool] = False
    infinite: ClassVar[bool] = False
    equivariant_start: ClassVar[bool] = False

    def __new__(cls, subject: Subject, strength: float | None = None, *own: Any, **options: Any) -> "Method":
        """Checks what every method takes, before subclasses, which may take more of their own, look into it."""
        check_instance("subject", subject, Subject, "a Subject(model, binding, group, act_in, act_out)")
        if cls.tuned:
            expected = f"a number >= 0{' or inf' if cls.infinite else ''}, as {cls.label} has a strength"
            if not (cls.infinite and isinstance(strength, float) and strength == math.inf):
                real_number("strength", strength, expected, minimum=0)
        elif strength is not None:
            raise ArgumentError("strength", expected=f"None, as {cls.label} has no strength", got=repr(strength)[:80])
        check_generator("generator", options.get("generator"))
        return super().__new__(cls)

    def __init__(
        self, subject: Subject, strength: float | None = None, *, generator: torch.Generator | None = None
    ) -> None:
        self.subject, self.generator = subject, generator
        self.strength = 0.0 if strength is None else float(strength)
        if self.equivariant_start:
            subject.binding.project_(preserve_norm=True)

    @property
    def model(self) -> nn.Module:
        """The module to train and to call."""
        return self.subject.model

    @property
    def num_parameters(self) -> int:
        """Numbers that are trained."""
        return sum(p.numel() for p in self.model.parameters() if p.requires_grad)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Parameter groups for the optimiser."""
        return [{"params": [p for p in self.model.parameters() if p.requires_grad]}]

    def optimizer(self, make: Callable[[list[dict[str, Any]]], torch.optim.Optimizer]) -> torch.optim.Optimizer:
        """The optimiser of a training, with the method attached.

        Args:
            make: param groups -> an optimiser, as ``lambda groups: torch.optim.Adam(groups, lr=1e-3)``.
        """
        check_function("make", make, "a function of param groups that gives an optimiser", takes=1)
        made = make(self.parameter_groups())
        self.attach(made)
        return made

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        """Registers what has to follow each step of the optimiser."""
        del optimizer

    def batch(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The batch that the model is trained on instead of ``(x, y)``."""
        return x, y

    def penalty(self, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor | None:
        """A loss term beside the task's, a scalar; None for none.

        Args:
            x: the inputs, as ``batch`` gave them.
            output: ``self.model(x)``.
        """
        return None

    def total_loss(self, task_loss: torch.Tensor, x: torch.Tensor, output: torch.Tensor) -> torch.Tensor:
        """What is differentiated: the task's loss plus ``penalty(x, output)``."""
        term = self.penalty(x, output)
        return task_loss if term is None else task_loss + term

    def before_step(self) -> None:
        """Called between backward and the optimiser's step."""
        return

    def after_epoch(self, epoch: int, epochs: int) -> None:
        """Called after epoch number ``epoch`` (from 0) of ``epochs``."""
        del epoch, epochs

    def finish(self) -> nn.Module:
        """The module to evaluate, after training."""
        return self.model

    def __repr__(self) -> str:
        strength = f", strength {self.strength:g}" if self.tuned else ""
        return f"{type(self).__name__}({self.label}{strength}; {self.num_parameters} parameters)"
