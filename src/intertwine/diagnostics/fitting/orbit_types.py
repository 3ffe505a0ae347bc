"""The ways in which a finite group can permute a set in one orbit: cosets of a subgroup, with signs or without."""

from collections import deque
from dataclasses import dataclass
from itertools import product

import numpy as np

from intertwine._cache import cached
from intertwine._numerics import Array
from intertwine.groups import Group
from intertwine.groups.enumeration import multiplication_table
from intertwine.tracing.policy import subgroup_classes


@dataclass(frozen=True, eq=False)
class OrbitType:
    """``g e_x = sign e_gx`` on the cosets x of a subgroup H, on which a character H -> +-1 says the sign.

    Attributes:
        coset: for each element its coset, that of the identity 0, shape (order,).
        weight: the character of h where the element is ``r_x h``, shape (order,): +1 and -1.
        images: ``images[g, x]``, where g takes coset x, shape (order, cosets).
        signs: likewise its sign.
    """

    coset: Array
    weight: Array
    images: Array
    signs: Array

    @property
    def size(self) -> int:
        """How many cosets there are."""
        return int(self.images.shape[1])


@cached(32)
def orbit_types(group: Group, signed: bool = False) -> tuple[OrbitType, ...]:
    """One type for every class of conjugate subgroups; with signs one for each of their characters.

    Examples:
        >>> import intertwine as iw
        >>> [kind.size for kind in orbit_types(iw.Cyclic(4))]
        [4, 2, 1]
        >>> [kind.size for kind in orbit_types(iw.Cyclic(2), signed=True)]
        [2, 1, 1]
    """
    table = multiplication_table(group)
    found = []
    for members, generators in subgroup_classes(group):
        characters = _characters(table, members, generators) if signed else [dict.fromkeys(members, 1)]
        found += [_orbit_type(table, sorted(members), character) for character in characters]
    return tuple(sorted(found, key=lambda kind: -kind.size))


def _orbit_type(table: Array, members: list[int], character: dict[int, int]) -> OrbitType:
    order = len(table)
    coset, weight = np.full(order, -1), np.ones(order, dtype=np.int64)
    firsts: list[int] = []
    for g in range(order):
        if coset[g] < 0:
            within = table[g, members]
            coset[within] = len(firsts)
            weight[within] = [character[h] for h in members]
            firsts.append(g)
    moved = table[:, firsts]
    return OrbitType(coset, weight, coset[moved], weight[moved])


def _characters(table: Array, members: frozenset[int], generators: tuple[int, ...]) -> list[dict[int, int]]:
    """All homomorphisms of a subgroup to +1 and -1, the trivial one first."""
    needed: list[int] = []
    reached = {0}
    for g in generators:  # a few that generate
        if g not in reached:
            needed.append(g)
            reached = set(_words(table, tuple(needed)))
    found = []
    for signs in product((1, -1), repeat=len(needed)):
        values = {0: 1}
        queue, consistent = deque([0]), True
        while queue and consistent:
            a = queue.popleft()
            for g, sign in zip(needed, signs, strict=True):
                b = int(table[a, g])
                if b not in values:
                    values[b] = values[a] * sign
                    queue.append(b)
                consistent = consistent and values[b] == values[a] * sign
        if consistent:
            found.append(values)
    return found


def _words(table: Array, generators: tuple[int, ...]) -> list[int]:
    reached, queue = {0}, deque([0])
    while queue:
        a = queue.popleft()
        for g in generators:
            b = int(table[a, g])
            if b not in reached:
                reached.add(b)
                queue.append(b)
    return sorted(reached)
