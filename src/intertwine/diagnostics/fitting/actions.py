"""Permutations of channels, with signs or without, that multiply as a finite group does."""

from dataclasses import dataclass

import numpy as np

from intertwine._numerics import Array
from intertwine.groups import Group
from intertwine.groups.enumeration import multiplication_table
from intertwine.representations import Representation, Segment
from intertwine.representations.permutation_field import PermutationField


@dataclass(frozen=True, eq=False)
class Action:
    """``rho(g) e_c = signs[g, c] e_images[g, c]`` for every element of a finite group.

    Attributes:
        group: that acts.
        images: shape (order, channels).
        signs: +1 and -1, likewise.
    """

    group: Group
    images: Array
    signs: Array

    def score(self, scores: Array) -> float:
        """``sum_g sum_c signs[g, c] scores[g, images[g, c], c]``, for scores of shape (order, channels, channels)."""
        return float(self.channel_scores(scores).sum())

    def channel_scores(self, scores: Array) -> Array:
        """The same by element and channel, shape (order, channels)."""
        order, size = self.images.shape
        picked: Array = scores[np.arange(order)[:, None], self.images, np.arange(size)]
        return picked * self.signs

    def representation(self) -> Representation:
        """The same as a representation."""
        matrices = self.group.generator_matrices()
        where = self.group.element_indices(matrices) if len(matrices) else np.zeros(0, dtype=np.int64)
        if not len(where):
            return self.images.shape[1] * self.group.trivial()
        signs = None if (self.signs == 1).all() else self.signs[where]
        field = PermutationField.of(self.group, "fitted", self.images[where], signs, size=self.images.shape[1])
        return Representation(self.group, (Segment(1, field),))

    def homomorphism_defect(self) -> int:
        """How many of the products ``rho(g) rho(h) = rho(gh)`` fail at some channel: 0 for an action."""
        table = multiplication_table(self.group)
        wrong = 0
        for g, images in enumerate(self.images):
            moved = images[self.images] != self.images[table[g]]
            negated = self.signs[g][self.images] * self.signs != self.signs[table[g]]
            wrong += int((moved | negated).any(1).sum())
        return wrong

    def orbit_sizes(self) -> dict[int, int]:
        """How many orbits there are of each size, the largest first."""
        sizes = [len(set(column)) for column in self.images.T.tolist()]
        return {size: sizes.count(size) // size for size in sorted(set(sizes), reverse=True)}


def admissible_share(scores: Array, group: Group, *, signed: bool = False) -> float:
    """Of the best assignment for each generator by itself, the share of channels on cycles that an action may have.

    Cycles whose length divides the generator's order: 1 where the scores are those of an action, and what chance gives
    where they are noise.
    """
    from scipy.optimize import linear_sum_assignment  # scipy takes half a second to load

    generators = group.generator_matrices()
    if not len(generators):
        return 1.0
    table, good = multiplication_table(group), 0.0
    for g in group.element_indices(generators).tolist():
        order, power = 1, g
        while power != 0:
            order, power = order + 1, int(table[power, g])
        rows, columns = linear_sum_assignment(-(np.abs(scores[g]) if signed else scores[g]))
        images = np.empty_like(rows)
        images[columns] = rows
        moved = np.arange(len(images))
        for _ in range(order):
            moved = images[moved]
        good += float((moved == np.arange(len(images))).mean())
    return good / len(generators)
