"""How a group acts on one input or output: by a representation, on a grid, by a user's function, or not at all."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from intertwine.diagnostics.grids.on_grid import GridAction
from intertwine.errors import ArgumentError, DtypeError, ShapeError
from intertwine.groups import Group
from intertwine.groups.element_text import action_text
from intertwine.representations import Representation
from intertwine.tracing.models.value_trees import copied, described, mapped, tensors


class Action:
    """``(g, x) -> g x`` on float64 values; this one leaves x as it is."""

    @property
    def group(self) -> Group | None:
        """The group that acts, where the action says it."""
        return None

    @property
    def interpolates(self) -> bool:
        """Whether images are sampled between their pixels."""
        return False

    def prepared(self, x: Any) -> Any:
        """``x`` as it is given to the function and compared: all of it, but where turned images have a window."""
        return x

    def __call__(self, g: torch.Tensor, x: Any) -> Any:
        """``g x``, of the structure of x."""
        return x

    def element_text(self, g: torch.Tensor) -> str:
        """What ``g`` does in words; empty where its defining matrix says it."""
        return ""

    def has_samples(self, x: torch.Tensor) -> bool:
        """Whether the first axis of x counts samples."""
        return x.ndim > 0


@dataclass(frozen=True)
class AlongAxis(Action):
    """A representation on one axis; ``name`` is that of the representation, ``what`` that of what it acts on."""

    rep: Representation
    axis: int
    name: str
    what: str

    @property
    def group(self) -> Group:
        return self.rep.group

    def __call__(self, g: torch.Tensor, x: Any) -> torch.Tensor:
        tensor = one_tensor(x, self.what, self.name)
        if not -tensor.ndim <= self.axis < tensor.ndim or tensor.shape[self.axis] != self.rep.dim:
            raise ShapeError(
                self.what,
                expected=f"length {self.rep.dim} on axis {self.axis}, from {self.name} = {self.rep}",
                got=f"shape {tuple(tensor.shape)}",
            )
        if self.rep.is_complex and not tensor.is_complex():
            expected = f"complex features, as {self.name} = {self.rep} is complex"
            raise DtypeError(self.what, expected=expected, got="real ones")
        return self.rep.act(g, tensor.movedim(self.axis, -1)).movedim(-1, self.axis)

    def element_text(self, g: torch.Tensor) -> str:
        return action_text(g, self.rep)

    def has_samples(self, x: torch.Tensor) -> bool:
        return x.ndim > 0 and self.axis % x.ndim != 0


@dataclass(frozen=True)
class OnGrid(Action):
    """``on_grid``."""

    action: GridAction
    name: str
    what: str

    @property
    def group(self) -> Group:
        return self.action.group

    @property
    def interpolates(self) -> bool:
        return self.action.interpolation is not None

    def prepared(self, x: Any) -> torch.Tensor:
        return self.action.prepared(one_tensor(x, self.what, self.name), self.what)

    def __call__(self, g: torch.Tensor, x: Any) -> torch.Tensor:
        return self.action(g, one_tensor(x, self.what, self.name), self.what)

    def element_text(self, g: torch.Tensor) -> str:
        return self.action.element_text(g)


@dataclass(frozen=True)
class OwnAction(Action):
    """A user's function."""

    function: Callable[[torch.Tensor, Any], Any]
    name: str

    def __call__(self, g: torch.Tensor, x: Any) -> Any:
        moved = self.function(g, copied(x))  # it may work in place
        before, after = list(tensors(x)), list(tensors(moved))
        same = [tensor.numel() for tensor in before] == [tensor.numel() for tensor in after]
        if not same or any(a.is_complex() and not b.is_complex() for a, b in zip(after, before, strict=True)):
            raise ArgumentError(
                self.name,
                expected=f"an action (g, x) -> g x, which gives as many entries as it takes, here {described(x)}",
                got=described(moved),
            )
        return mapped(moved, lambda tensor: tensor.detach())


def one_tensor(x: object, what: str, name: str) -> torch.Tensor:
    """``x`` where it is a tensor.

    Raises:
        ArgumentError: it is not.
    """
    if isinstance(x, torch.Tensor):
        return x
    raise ArgumentError(
        what,
        expected="a torch tensor",
        got=described(x),
        advice=f"For several tensors give a tuple or a dictionary of the same structure as {name}.",
    )
