"""Which parameters a step of an optimiser updated, seen from its hooks."""

import functools
import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any

import torch

from intertwine.projectors.norms.proximal import Rate

# torch wraps the steps of all classes in one function, which runs the hooks; its local name of the optimiser is `self`.
WRAPPER = torch.optim.Optimizer.profile_hook_step(lambda *_: None).__code__


class StepWatch:
    """What happens between the hooks before and after a step.

    A parameter was updated if it has a gradient after the step, had one before it or after a closure ran (heavyball
    clears gradients inside ``step``; Lightning runs forward and backward inside the closure), or was written to. None
    of these alone tells: a fused step does not count as writing, and a ``closure`` comes after the first hook.

    Args:
        optimizer: the one with the hooks.
        with_gradients: called whenever the step's gradients are there: before it, or after each run of a closure.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, with_gradients: Callable[[], None]) -> None:
        self._optimizer, self._with_gradients = optimizer, with_gradients
        # A step that calls the step of its class's parent runs the hooks of both.
        steps = [kind for kind in type(optimizer).__mro__ if "step" in vars(kind) and kind is not torch.optim.Optimizer]
        self._may_nest = len(steps) > 1
        # With their versions before the step.
        self._watched: list[tuple[torch.Tensor, int]] = []
        self._graded: list[torch.Tensor] = []

    def begin(
        self, tensors: Iterable[torch.Tensor], args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Before a step.

        Args:
            tensors: the parameters to look at.
            args: those of the step, the optimiser first.
            kwargs: likewise.

        Returns:
            ``args`` and ``kwargs`` with the closure watched, if there is one.
        """
        self._watched = [(W, W._version) for W in tensors]
        self._graded = []
        if callable(kwargs.get("closure")):
            return args, {**kwargs, "closure": self._watching(kwargs["closure"])}
        if len(args) > 1 and callable(args[1]):
            return (args[0], self._watching(args[1]), *args[2:]), kwargs
        self._note_gradients()
        return None

    def updated(self) -> set[int]:
        """After a step: the ids of the parameters that it updated."""
        now = [W for W, version in self._watched if W.grad is not None or W._version != version]
        return set(map(id, now + self._graded))

    def end(self) -> None:
        """Forgets the step."""
        self._watched, self._graded = [], []

    @property
    def is_inner(self) -> bool:
        """After a step: whether another step of the same optimiser is still running around it (a call of ``super``)."""
        if not self._may_nest:
            return False
        running = 0
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            running += frame.f_code is WRAPPER and frame.f_locals.get("self") is self._optimizer
            frame = frame.f_back
        return running > 1

    @property
    def is_skipped(self) -> bool:
        """After a step: whether it was skipped inside, as far as that is known without waiting for a device."""
        found = self._found_inf
        return found is not None and found.device.type == "cpu" and bool(found)

    def unless_skipped(self, rate: Rate | None) -> Rate | None:
        """After a step: ``rate``, which a device makes 0 if it skipped the step."""
        found = self._found_inf
        return rate if rate is None or found is None or found.device.type == "cpu" else rate * (1 - found)

    @property
    def _found_inf(self) -> torch.Tensor | None:
        # A GradScaler leaves it to fused optimisers to skip, and tells them.
        found = getattr(self._optimizer, "found_inf", None)
        return found if isinstance(found, torch.Tensor) else None

    def _note_gradients(self) -> None:
        self._graded += [W for W, _ in self._watched if W.grad is not None]
        self._with_gradients()

    def _watching(self, closure: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(closure)
        def watched(*args: Any, **kwargs: Any) -> Any:
            result = closure(*args, **kwargs)
            self._note_gradients()
            return result

        return watched
