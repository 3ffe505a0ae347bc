"""The entries of weights by the component of P that they are in: components alike are columns of one matrix."""

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.projectors.methods.components import Components
from intertwine.projectors.methods.method import copies_first
from intertwine.projectors.projector import Projector

# Decimals by which two bases count as the same.
DECIMALS = 9


class SortedEntries(NamedTuple):
    """Where the entries of several weights, flattened and laid side by side, are.

    Attributes:
        kinds: a basis B, shape (size, rank), with the entries on which P is ``B B^*``, shape (size, count), a
            component a column.
        zero: entries on which P is zero.
        same: entries that P leaves alone.
    """

    kinds: list[tuple[Array, Array]]
    zero: Array
    same: Array

    @property
    def order(self) -> Array:
        """All entries: those of the kinds one after the other, then ``zero``, then ``same``."""
        return np.concatenate([*(columns.reshape(-1) for _, columns in self.kinds), self.zero, self.same])


def sorted_entries(projectors: Sequence[Projector], shapes: Sequence[torch.Size]) -> SortedEntries:
    """Of weights of these shapes, whose projectors have ``components``."""
    kinds: dict[Any, tuple[Array, list[Array]]] = {}
    zero, same, start = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    for projector, shape in zip(projectors, shapes, strict=True):
        mixed = np.zeros(prod(shape), dtype=bool)
        for places, components in _placed(projector, shape):
            mixed[places] = True
            where = places + start
            if components.is_identity:
                same.append(where.reshape(-1))
                continue
            # Zero is added so that minus zero is zero.
            key = components.basis.shape, (np.round(components.basis, DECIMALS) + 0.0).tobytes()
            kinds.setdefault(key, (components.basis, []))[1].append(where)
        zero.append(np.flatnonzero(~mixed) + start)
        start += len(mixed)
    found = [(basis, np.concatenate(columns, axis=1)) for basis, columns in kinds.values()]
    return SortedEntries(found, np.concatenate(zero), np.concatenate(same))


def _placed(projector: Projector, shape: torch.Size) -> list[tuple[Array, Components]]:
    """The components of each part with where their entries lie in a flattened weight, shape (size, count)."""
    places = []
    for indices, components in zip(projector.part_indices(shape), projector.components or (), strict=True):
        tuples = copies_first(indices).reshape(-1, prod(indices.shape[1::2])).numpy()
        for found in components:
            columns = tuples[:, found.entries]
            places.append((np.moveaxis(columns, 1, 0).reshape(len(found.entries), -1), found))
    return places
