"""What families of groups share: finite ones list their elements, compact Lie groups have infinitely many."""

import numpy as np
import torch

from intertwine._cache import cached
from intertwine._numerics import Array
from intertwine.groups.enumeration import Enumeration, closure, find_elements, finite_membership
from intertwine.groups.group import Group


class FiniteGroupBase(Group):
    """A finite group, listed by multiplying its generators; families override what they know in closed form."""

    @property
    def is_finite(self) -> bool:
        return True

    @property
    def is_compact(self) -> bool:
        return True

    def algebra_matrices(self) -> Array:
        return np.zeros((0, self.matrix_dim, self.matrix_dim))

    def irrep_algebra(self, label: str) -> Array:
        dim = self.irrep_dim(label)
        return np.zeros((0, dim, dim))

    @property
    def order(self) -> int:
        return len(self.element_matrices())

    def enumeration(self) -> Enumeration:
        """Elements and the words that make them.

        Raises:
            SizeLimitError: the group is too large to list.
        """
        return _listed(self)

    def element_matrices(self) -> Array:
        return self.enumeration().elements

    def word_tree(self) -> tuple[Array, Array]:
        enumeration = self.enumeration()
        return enumeration.parents, enumeration.letters

    def element_indices(self, elements: Array) -> Array:
        return find_elements(self, elements)

    def membership(self, elements: Array) -> tuple[bool, str]:
        return finite_membership(self, elements)

    def sample_matrices(self, n: int, generator: torch.Generator | None) -> Array:
        elements = self.element_matrices()
        return elements[torch.randint(len(elements), (n,), generator=generator).numpy()]


@cached(64)
def _listed(group: FiniteGroupBase) -> Enumeration:
    return closure(group.generator_matrices(), str(group))


class CompactLieGroupBase(Group):
    """A compact Lie group of positive dimension."""

    @property
    def is_finite(self) -> bool:
        return False

    @property
    def is_compact(self) -> bool:
        return True
