"""A field: one copy of one kind of feature, the unit that multiplicities repeat and projectors treat alike."""

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from intertwine._numerics import Array
from intertwine.representations.abstract_group import AbstractGroup


class Field(ABC):
    """A representation that is not cut further: an irrep, a permutation, a user's matrices, a tensor product.

    Concrete fields are frozen dataclasses with a ``group``, equal and hashable by content.

    Examples:
        >>> import intertwine as iw
        >>> rep = 2 * iw.Cyclic(4).regular() + iw.Cyclic(4).irrep(1)
        >>> [(segment.field.name, segment.field.dim, segment.field.irrep) for segment in rep.segments]
        [('regular', 4, None), ('1', 2, '1')]
    """

    if TYPE_CHECKING:
        # Read-only. At run time a property here would be taken for the default of a dataclass's own field.
        @property
        def group(self) -> AbstractGroup: ...

    @property
    @abstractmethod
    def dim(self) -> int:
        """Dimension of one copy."""

    @property
    @abstractmethod
    def name(self) -> str:
        """How the field prints inside a representation."""

    @abstractmethod
    def matrices(self, elements: Array) -> Array:
        """Matrices at ``elements`` (n, d, d), shape (n, dim, dim), float64 or complex128."""

    @abstractmethod
    def algebra(self) -> Array:
        """Images of the group's Lie algebra basis, shape (k, dim, dim)."""

    def generator_images(self) -> Array:
        """Matrices of the group's discrete generators, shape (m, dim, dim)."""
        return self.matrices(self.group.generator_matrices())

    def signed_permutations(self, elements: Array) -> tuple[Array, Array] | None:
        """``(images, signs)``, both (n, dim), ``rho(g) e_i = signs[i] e_images[i]``; None if no basis is permuted."""
        return None

    def generator_permutations(self) -> tuple[Array, Array] | None:
        """``signed_permutations`` of the discrete generators; None also where a Lie algebra acts non-trivially."""
        if self.group.algebra_matrices().shape[0] and np.any(self.algebra()):
            return None
        return self.signed_permutations(self.group.generator_matrices())

    @property
    def irrep(self) -> str | None:
        """The canonical label if the field is one of the group's named irreps, in the named basis."""
        return None

    @property
    def irreducible(self) -> str | None:
        """The label of the named irrep that the field is known to be, in whatever basis."""
        return self.irrep

    @property
    def is_complex(self) -> bool:
        """Whether the matrices are complex."""
        return False

    @property
    def is_orthogonal(self) -> bool:
        """Whether the matrices are orthogonal (unitary, if complex)."""
        return True


def block_permutation(matrices: Array) -> tuple[Array, Array] | None:
    """``(images, signs)`` if every matrix of the batch (n, dim, dim) is a signed permutation matrix, else None."""
    if np.iscomplexobj(matrices):
        return None
    rounded = np.rint(matrices)
    if np.abs(matrices - rounded).max(initial=0.0) > 1e-9:
        return None
    magnitude = np.abs(rounded)
    if magnitude.size and (magnitude.max() > 1 or (magnitude.sum(-1) != 1).any() or (magnitude.sum(-2) != 1).any()):
        return None
    images = magnitude.argmax(-2)
    signs = np.take_along_axis(rounded, images[:, None, :], axis=-2)[:, 0, :]
    return images, signs.astype(np.int64)


def permutation_matrices(images: Array, signs: Array) -> Array:
    """Dense matrices (n, dim, dim) of signed permutations ``(images, signs)``, both (n, dim)."""
    n, dim = images.shape
    out = np.zeros((n, dim, dim))
    out[np.arange(n)[:, None], images, np.arange(dim)[None]] = signs
    return out
