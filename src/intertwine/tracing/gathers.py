"""Tables read by constant indices: what the group does to their rows follows from what it does to what was read."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.groups import Group
from intertwine.representations import Representation, Segment
from intertwine.representations.permutation_field import PermutationField
from intertwine.tracing.acting import Acting, can_act
from intertwine.tracing.axes import Axis, Digit, Term, fixed
from intertwine.tracing.normal_form import carried, is_alone, resolved
from intertwine.tracing.solver import Solver


@dataclass(frozen=True, eq=False)
class Gather:
    """``result[i, ...] = table[index[i], ...]``.

    Attributes:
        rows: the table's axis.
        index: the constant index.
        result: one axis for each of the index's.
    """

    rows: Axis
    index: torch.Tensor
    result: Sequence[Axis]

    def settle(self, solver: Solver, acting: Acting) -> bool:
        """Bind the rows where the result is known; whether anything was bound."""
        if is_alone(resolved(self.rows)) or not can_act(self.result):
            return False
        if all(is_alone(resolved(axis)) for axis in self.result):
            return False
        images = row_images(self.index, self.result, acting, resolved(self.rows).size)
        axis = fixed(resolved(self.rows).size) if images is None else rows_axis(images, acting)
        return solver.attempt(lambda: solver.unify(self.rows, axis))


def row_images(index: torch.Tensor, result: Sequence[Axis], acting: Acting, size: int) -> Array | None:
    """Where each generator takes each row; None if the index does not say so."""
    flat = index.reshape(-1).cpu().numpy() % size
    positions = torch.arange(flat.size, dtype=torch.float64).reshape(index.shape)
    images = []
    for g in acting.group.generators:
        source = acting(g, positions, result).reshape(-1).round().long().numpy()
        # table'[index[i]] = table[index[source[i]]] must hold for all i that read one row.
        pulled = np.arange(size)
        pulled[flat] = flat[source]
        if (pulled[flat] != flat[source]).any() or len(np.unique(pulled)) != size:
            return None
        images.append(np.argsort(pulled))
    return np.stack(images) if images else None


def rows_axis(images: Array, acting: Acting) -> Axis:
    """Rows that are permuted so, as runs that the group leaves in their places: offsets on a grid, else what it is.

    A window's table of relative positions is ``y:7*x:7``, and three rows for a class token may come behind it.
    """
    reach = np.maximum.accumulate(images.max(0))
    bounds = [0, *(int(i) + 1 for i in np.flatnonzero(reach == np.arange(len(reach))))]
    terms: list[Term] = []
    for start, stop in pairwise(bounds):
        own = images[:, start:stop] - start
        grid = _grid(own, acting)
        terms += carried(permutation(acting.group, own, "rows")).terms if grid is None else grid.terms
    return resolved(Axis(tuple(terms)))


def _grid(images: Array, acting: Acting) -> Axis | None:
    """A square grid whose points are permuted so."""
    size = images.shape[1]
    if acting.space is None or size == 1:
        return fixed(1) if size == 1 else None
    side = round(size ** (1 / acting.space.dim))
    if side**acting.space.dim != size:
        return None
    axis = Axis((tuple(Digit(i, side) for i in range(acting.space.dim)),))
    points = torch.arange(size, dtype=torch.float64)
    turned = [np.argsort(acting(g, points, [axis]).round().long().numpy()) for g in acting.group.generators]
    return axis if (np.stack(turned) == images).all() else None


def permutation(group: Group, images: Array, label: str) -> Representation:
    """The representation that permutes features by one row of ``images`` a generator."""
    if not group.is_finite:
        rep: Representation = group.permutation(images)
        return rep
    rows = tuple(tuple(row.tolist()) for row in images)
    size = images.shape[1]
    return Representation(group, (Segment(1, PermutationField(group, f"{label}[{size}]", rows, None, size)),))
