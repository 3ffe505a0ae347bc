"""How one axis of a parameter is cut into copies of fields, like fields gathered: work per field, never per weight."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.projectors.methods.method import TupleProjector
from intertwine.representations import Field, Representation
from intertwine.representations.orbits import orbit_fields

# So few segments stay where they lie, even if a field comes back: a few more views cost less than sorting features.
SEPARATE_SEGMENTS = 6


@dataclass(frozen=True)
class AxisBlock:
    """``mul`` copies of ``field`` from ``start`` on the (reordered) axis; ``mul`` None: the whole axis, no action.

    ``dim`` is the dimension of one copy: 1 on an axis without action, but the number of pixels on an axis of pixels
    that carries no action of its own (steerable kernels).
    """

    start: int
    mul: int | None
    field: Field | None
    dim: int
    copies_innermost: bool = False

    def view(self, tensor: torch.Tensor, axis: int) -> torch.Tensor:
        """``tensor`` with its ``axis`` cut down to this block and split into (copies, field), step by step."""
        if self.mul is None:
            return tensor.unsqueeze(axis + 1)
        part = tensor.narrow(axis, self.start, self.mul * self.dim)
        if self.copies_innermost:
            return part.unflatten(axis, (self.dim, self.mul)).transpose(axis, axis + 1)
        return part.unflatten(axis, (self.mul, self.dim))


# Sizes, strides and offset of a view.
Place = tuple[tuple[int, ...], tuple[int, ...], int]


@dataclass(frozen=True)
class Part:
    """One tuple of blocks, an axis each, and the projector that applies to it."""

    blocks: tuple[AxisBlock, ...]
    projector: TupleProjector

    @property
    def copies(self) -> int:
        """How many tuples of copies there are; an axis without action counts as one."""
        return prod([1 if block.mul is None else block.mul for block in self.blocks])

    def view(self, tensor: torch.Tensor) -> torch.Tensor:
        """The part of ``tensor`` as a view (m_1, d_1, ..., m_k, d_k), step by step."""
        for axis, block in enumerate(self.blocks):
            tensor = block.view(tensor, 2 * axis)
        return tensor

    def place(self, shape: torch.Size, steps: tuple[int, ...]) -> Place:
        """Of that view, where the tensor has this shape and these strides."""
        sizes: list[int] = []
        strides: list[int] = []
        offset = 0
        for block, size, stride in zip(self.blocks, shape, steps, strict=True):
            if block.mul is None:
                sizes += size, 1
                strides += stride, stride
                continue
            sizes += block.mul, block.dim
            strides += (stride, block.mul * stride) if block.copies_innermost else (block.dim * stride, stride)
            offset += block.start * stride
        return tuple(sizes), tuple(strides), offset


@dataclass(frozen=True)
class AxisPlan:
    """The blocks of one axis, after taking its features in ``order`` (None: as they are)."""

    blocks: tuple[AxisBlock, ...]
    order: Array | None = None


def free_axis() -> AxisPlan:
    """An axis on which the group does not act and whose length is the tensor's own."""
    return AxisPlan((AxisBlock(0, None, None, 1),))


def plan_axis(rep: Representation) -> AxisPlan:
    """Blocks of ``rep``: its segments, or, where fields keep coming back, its features sorted by field."""
    count = len(rep.segments)
    if count <= SEPARATE_SEGMENTS or count == len({segment.field for segment in rep.segments}):
        blocks = [
            AxisBlock(where.start, segment.mul, segment.field, segment.field.dim, segment.copies_innermost)
            for where, segment in zip(rep.slices, rep.segments, strict=True)
        ]
        return AxisPlan(tuple(blocks))
    positions: dict[Field, list[Array]] = {}
    for segment, copies in zip(rep.segments, rep.positions, strict=True):
        positions.setdefault(segment.field, []).append(copies.reshape(-1))
    return _gathered({field: np.concatenate(index) for field, index in positions.items()})


def plan_orbits(rep: Representation, cut: Callable[[Field], Sequence[tuple[Array, Field]]] = orbit_fields) -> AxisPlan:
    """Blocks of ``rep`` with every permutation cut into its orbits; orbits that permute alike are copies of one field.

    Fields that permute no basis stay whole, unless another ``cut`` says so, ``(indices, field)`` a piece.
    """
    positions: dict[Field, list[Array]] = {}
    for segment, copies in zip(rep.segments, rep.positions, strict=True):
        for orbit, field in cut(segment.field):
            positions.setdefault(field, []).append(copies[:, orbit].reshape(-1))
    return _gathered({field: np.concatenate(index) for field, index in positions.items()})


def _gathered(positions: dict[Field, Array]) -> AxisPlan:
    blocks, start = [], 0
    for field, index in positions.items():
        blocks.append(AxisBlock(start, len(index) // field.dim, field, field.dim))
        start += len(index)
    order = np.concatenate(list(positions.values())) if positions else np.zeros(0, dtype=np.int64)
    return AxisPlan(tuple(blocks), None if (order == np.arange(len(order))).all() else order)
