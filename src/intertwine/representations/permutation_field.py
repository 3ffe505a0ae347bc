"""Fields that permute a basis, with signs or without: regular, quotient, pixel grids, a user's permutations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intertwine._cache import cached
from intertwine._numerics import Array
from intertwine.representations.abstract_group import AbstractGroup
from intertwine.representations.field import Field, block_permutation, permutation_matrices


@dataclass(frozen=True)
class PermutationField(Field):
    """A finite group permuting ``dim`` basis vectors, up to signs.

    Args:
        group: a finite group.
        label: how it prints, such as ``"regular"``.
        images: one tuple a discrete generator, ``rho(g) e_i = sign_i e_images[i]``.
        signs: likewise, of +1 and -1; None for none.
    """

    group: AbstractGroup
    label: str
    images: tuple[tuple[int, ...], ...]
    signs: tuple[tuple[int, ...], ...] | None = None
    size: int = 0  # the dimension, needed where the group has no discrete generators

    @classmethod
    def of(
        cls,
        group: AbstractGroup,
        label: str,
        images: Sequence[Array] | Array,
        signs: Sequence[Array] | Array | None = None,
        *,
        size: int,
    ) -> "PermutationField":
        """The same from arrays, one a generator, shape (size,) each."""
        tables = [None if rows is None else tuple(tuple(row.tolist()) for row in rows) for rows in (images, signs)]
        return cls(group, label, tables[0] or (), tables[1], size)

    @property
    def name(self) -> str:
        return self.label

    @property
    def dim(self) -> int:
        return len(self.images[0]) if self.images else self.size

    def algebra(self) -> Array:
        return np.zeros((self.group.algebra_matrices().shape[0], self.dim, self.dim))

    def generator_permutations(self) -> tuple[Array, Array]:
        images = np.array(self.images, dtype=np.int64).reshape(len(self.images), self.dim)
        signs = (
            np.ones_like(images)
            if self.signs is None
            else np.array(self.signs, dtype=np.int64).reshape(len(self.images), self.dim)
        )
        return images, signs

    def generator_images(self) -> Array:
        return permutation_matrices(*self.generator_permutations())

    def signed_permutations(self, elements: Array) -> tuple[Array, Array]:
        images, signs = _element_table(self)
        index = self.group.element_indices(elements)
        return images[index], signs[index]

    def matrices(self, elements: Array) -> Array:
        return permutation_matrices(*self.signed_permutations(elements))


@cached(64)
def _element_table(field: PermutationField) -> tuple[Array, Array]:
    """Images and signs of every element, shape (order, dim) each, by composing generators along words."""
    parents, letters = field.group.word_tree()
    generators, generator_signs = field.generator_permutations()
    images = np.empty((len(parents), field.dim), dtype=np.int64)
    signs = np.empty_like(images)
    for i, (parent, letter) in enumerate(zip(parents.tolist(), letters.tolist(), strict=True)):
        if parent < 0:
            images[i], signs[i] = np.arange(field.dim), 1
            continue
        images[i] = generators[letter][images[parent]]
        signs[i] = signs[parent] * generator_signs[letter][images[parent]]
    return images, signs


@dataclass(frozen=True)
class DefiningField(Field):
    """The group's own defining matrices: the vectors of a matrix group, the points that S_n permutes."""

    group: AbstractGroup

    @property
    def dim(self) -> int:
        return self.group.matrix_dim

    @property
    def name(self) -> str:
        return "defining"

    def matrices(self, elements: Array) -> Array:
        return elements

    def algebra(self) -> Array:
        return self.group.algebra_matrices()

    def signed_permutations(self, elements: Array) -> tuple[Array, Array] | None:
        return block_permutation(elements)

    @property
    def is_orthogonal(self) -> bool:
        return self.group.is_compact
