"""Tables read by constant indices: what the group does to their rows follows from what it does to what was read."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.groups import Group
from intertwine.representations import Representation, Segment
from intertwine.representations.permutation_field import PermutationField
from intertwine.tracing.acting import Acting, can_act
from intertwine.tracing.axes import Axis, fixed
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
        axis = fixed(resolved(self.rows).size) if images is None else carried(permutation(acting.group, images, "rows"))
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


def permutation(group: Group, images: Array, label: str) -> Representation:
    """The representation that permutes features by one row of ``images`` a generator."""
    if not group.is_finite:
        rep: Representation = group.permutation(images)
        return rep
    rows = tuple(tuple(row.tolist()) for row in images)
    size = images.shape[1]
    return Representation(group, (Segment(1, PermutationField(group, f"{label}[{size}]", rows, None, size)),))
