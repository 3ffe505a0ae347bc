"""Finite groups where a basis would outweigh the weights: the group average, as means over transversals."""

import itertools
from collections.abc import Sequence
from functools import reduce
from math import prod

import numpy as np
import torch

from intertwine._cache import cached
from intertwine._numerics import Array
from intertwine.groups import Group
from intertwine.projectors.constants import Constants
from intertwine.projectors.methods.block import NULLSPACE_LIMIT
from intertwine.projectors.methods.method import TupleProjector
from intertwine.representations.field import Field

# Groups whose elements are listed.
MAX_ORDER = 20_000
# A basis below this many numbers is small whatever the weights; above, it may not outweigh them.
SMALL_BASIS = 2**16
# Elements tried for the next link of the chain of subgroups; prime steps turn up early.
CANDIDATES = 64


class AverageProjector(TupleProjector):
    """``P = A_r ... A_2 A_1``, A_i the mean over coset representatives of a chain ``1 < H_1 < ... < H_r = G``.

    The octahedral group's 24 elements take 2 * 2 * 3 * 2, five actions and not 23.
    """

    needs = "a finite group"

    def __init__(self, fields: tuple[Field, ...]) -> None:
        self.fields = fields
        group = fields[0].group
        elements = group.element_matrices()
        arrays: dict[str, Array] = {}
        self._levels: list[int] = []
        for level, members in enumerate(transversals(group)):
            self._levels.append(len(members))
            for number, member in enumerate(members):
                for axis, field in enumerate(fields):
                    permuted = field.signed_permutations(elements[member][None])
                    name = f"{level}.{number}.{axis}"
                    if permuted is None:
                        arrays[name] = field.matrices(elements[member][None])[0]
                    else:
                        source = np.argsort(permuted[0][0])
                        arrays[f"{name}.source"] = source
                        if (permuted[1] != 1).any():
                            arrays[f"{name}.signs"] = permuted[1][0][source].astype(np.float64)
        self._names = frozenset(arrays)
        self.constants = Constants(**arrays)
        self._rank = character_rank(fields)

    @classmethod
    def applies(cls, axes: Sequence[Sequence[Field]], copies: int = 1) -> bool:
        """Whether the group is finite and a basis of one tuple would outweigh the weights, or take hours."""
        return all(_is_heavy(fields, copies) for fields in itertools.product(*axes))

    @classmethod
    def of(cls, fields: tuple[Field, ...]) -> "AverageProjector":
        return cls(fields)

    @property
    def rank(self) -> int:
        return self._rank

    def project(self, block: torch.Tensor) -> torch.Tensor:
        for level, count in enumerate(self._levels):
            total = block
            for number in range(count):
                total = total + self._act(block, f"{level}.{number}")
            block = total / (count + 1)
        return block

    def _act(self, block: torch.Tensor, name: str) -> torch.Tensor:
        for axis in range(len(self.fields)):
            where, key = 2 * axis + 1, f"{name}.{axis}"
            if key in self._names:
                block = torch.tensordot(block, self.constants.get(key, block), dims=([where], [1])).movedim(-1, where)
                continue
            block = block.index_select(where, self.constants.get(f"{key}.source", block))
            if f"{key}.signs" in self._names:
                signs = self.constants.get(f"{key}.signs", block)
                block = block * signs.reshape(-1, *(1,) * (block.ndim - where - 1))
        return block

    def components(self) -> None:
        return None

    def basis(self) -> Array:
        dims = [field.dim for field in self.fields]
        size = int(np.prod(dims))
        kind = torch.complex128 if any(field.is_complex for field in self.fields) else torch.float64
        # One unit tensor per copy of the first field: the batch of all D of them in one call.
        blocks = torch.eye(size, dtype=kind).reshape(size, dims[0], *(n for dim in dims[1:] for n in (1, dim)))
        projector = self.project(blocks).reshape(size, size).numpy().T
        values, vectors = np.linalg.eigh((projector + projector.conj().T) / 2)
        return np.ascontiguousarray(vectors[:, values > 0.5].T).reshape(-1, *dims)


def _is_heavy(fields: tuple[Field, ...], copies: int) -> bool:
    group, size = fields[0].group, prod(field.dim for field in fields)
    if not group.is_finite or group.order > MAX_ORDER:
        return False
    return size > NULLSPACE_LIMIT or size * character_rank(fields) > max(SMALL_BASIS, size * copies)


def character_rank(fields: tuple[Field, ...]) -> int:
    """``mean over the group of the product of characters``, the dimension of the fixed tensors, for a finite group."""
    elements = fields[0].group.element_matrices()
    characters = [np.trace(field.matrices(elements), axis1=-2, axis2=-1) for field in fields]
    return int(np.rint(np.mean(reduce(np.multiply, characters)).real))


@cached(32)
def transversals(group: Group) -> tuple[tuple[int, ...], ...]:
    """Coset representatives (indices of elements, without the identity) along a chain of subgroups from 1 to the group.

    The chain grows greedily by the element that enlarges it least, which finds prime steps wherever there are some.
    """
    elements = group.element_matrices()
    order = len(elements)
    table = np.stack([group.element_indices(g @ elements) for g in elements])  # table[a, b] = a b
    inside = np.zeros(order, dtype=bool)
    inside[0] = True
    levels: list[tuple[int, ...]] = []
    while not inside.all():
        grown = min(
            (_generated(table, inside, g) for g in np.flatnonzero(~inside)[:CANDIDATES]), key=lambda s: int(s.sum())
        )
        members, left = [], grown & ~inside
        while left.any():
            representative = int(np.flatnonzero(left)[0])
            members.append(representative)
            left[table[representative, np.flatnonzero(inside)]] = False
        levels.append(tuple(members))
        inside = grown
    return tuple(levels)


def _generated(table: Array, inside: Array, g: int) -> Array:
    """Membership of the subgroup generated by the subgroup ``inside`` and the element ``g``."""
    grown = inside.copy()
    grown[g] = True
    while True:
        members = np.flatnonzero(grown)
        larger = grown.copy()
        larger[table[np.ix_(members, members)].reshape(-1)] = True
        if larger.sum() == grown.sum():
            return grown
        grown = larger
