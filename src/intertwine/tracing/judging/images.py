"""The images ``g x`` of a run's tensors, each made once for every element."""

from collections.abc import Hashable
from typing import Any

import torch
from torch.utils.weak import WeakIdKeyDictionary

from intertwine._numerics import in_own_precision
from intertwine.tracing.acting import Acting, Motion, can_act
from intertwine.tracing.axes import Axis
from intertwine.tracing.bindings import CannotActError
from intertwine.tracing.calls import TypedCall
from intertwine.tracing.checking.elements import generating_elements
from intertwine.tracing.context import TensorType
from intertwine.tracing.judging.alike import version_of
from intertwine.tracing.judging.moves import Move, move_of
from intertwine.tracing.models.value_trees import replaced


class Images:
    """``g x`` for the elements that generate the group.

    Args:
        acting: how the group moves typed tensors.

    Attributes:
        count: how many elements there are.
    """

    def __init__(self, acting: Acting) -> None:
        self._motions = [Motion(acting, g) for g in generating_elements(acting.group)]
        self.count = len(self._motions)
        # They live as long as the tensors that they are images of.
        self._found: list[WeakIdKeyDictionary] = [WeakIdKeyDictionary() for _ in self._motions]
        self._kept: list[WeakIdKeyDictionary] = [WeakIdKeyDictionary() for _ in self._motions]
        self._axes: dict[int, tuple[list[Axis], Hashable] | None] = {}
        self._able: dict[int, bool] = {}
        self._moves: dict[tuple[int, Hashable], Move] = {}

    @in_own_precision
    def of(self, number: int, tensor: torch.Tensor, kind: TensorType) -> torch.Tensor:
        """``g x`` for the element of this number.

        Raises:
            CannotActError: the group acts on no tensor of this type.
        """
        found = self._found[number].get(tensor)
        if found is not None and found[0] == version_of(tensor) and found[1] is kind:
            kept: torch.Tensor = found[2]
            return kept
        known = self._axes_of(kind)
        if known is None:
            raise CannotActError("no action")
        axes, name = known
        key = (number, name)
        if key not in self._moves:
            self._moves[key] = move_of(self._motions[number], axes)
        image = self._moves[key](tensor)
        if image is tensor:
            image = tensor.view_as(tensor)
        self._found[number][tensor] = (version_of(tensor), kind, image)
        return image

    def acts(self, typed: TypedCall) -> bool:
        """Whether the group acts on all that a call takes and gives."""
        kinds = (*typed.inputs, *typed.outputs)
        return all(self._axes_of(kind) is not None for kind in kinds if kind.dynamic)

    def _axes_of(self, kind: TensorType) -> tuple[list[Axis], Hashable] | None:
        # Types live as long as the trace; they are settled, so that axes that are exactly alike are one object.
        if id(kind) not in self._axes:
            able = not kind.piece and all(self._acts_on(axis) for axis in kind.axes)
            self._axes[id(kind)] = (kind.axes, tuple(map(id, kind.axes))) if able else None
        return self._axes[id(kind)]

    def _acts_on(self, axis: Axis) -> bool:
        if id(axis) not in self._able:
            self._able[id(axis)] = can_act([axis])
        return self._able[id(axis)]

    def keep(self, number: int, tensor: torch.Tensor, image: torch.Tensor) -> None:
        """Use what a call gave on moved arguments as the image of what it gave: the group acts on no such type."""
        self._kept[number][tensor] = (version_of(tensor), image)

    def forget(self, tensor: torch.Tensor) -> None:
        """The tensor was written to, by what does not count."""
        for found in (*self._found, *self._kept):
            found.pop(tensor, None)

    def arguments(
        self, number: int, typed: TypedCall, arguments: tuple[tuple[Any, ...], dict[str, Any]]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """The arguments of a call, moved; copies if it writes into them, None if they cannot be moved."""
        kinds = iter(typed.inputs)

        def image(tensor: torch.Tensor) -> torch.Tensor:
            kind = next(kinds)
            moved = tensor if not kind.dynamic else self.image(number, tensor, kind)
            return moved.clone() if typed.mutates else moved

        try:
            found: tuple[tuple[Any, ...], dict[str, Any]] = replaced(arguments, image)
        except CannotActError:
            return None
        return found

    def image(self, number: int, tensor: torch.Tensor, kind: TensorType) -> torch.Tensor:
        """``g x`` by its type, or what was kept as that.

        Raises:
            CannotActError: the group acts on no tensor of this type, and nothing was kept.
        """
        kept = self._kept[number].get(tensor)
        if kept is not None and kept[0] == version_of(tensor):
            image: torch.Tensor = kept[1]
            return image
        return self.of(number, tensor, kind)
