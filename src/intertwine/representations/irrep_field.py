"""An irreducible field, named in its group's table of irreps."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from intertwine._numerics import Array
from intertwine.errors import SeparationError, SizeLimitError
from intertwine.representations.abstract_group import AbstractGroup
from intertwine.representations.field import Field, block_permutation


@dataclass(frozen=True)
class IrrepField(Field):
    """The irrep ``label`` of ``group`` in the group's own basis (e3nn's for SO(3) and O(3))."""

    group: AbstractGroup
    label: str

    @cached_property
    def dim(self) -> int:
        return self.group.irrep_dim(self.label)

    @property
    def name(self) -> str:
        return self.label

    @property
    def irrep(self) -> str:
        return self.label

    @property
    def irreducible(self) -> str:
        return self.label

    def matrices(self, elements: Array) -> Array:
        return self.group.irrep_matrices(self.label, elements)

    def algebra(self) -> Array:
        return self.group.irrep_algebra(self.label)

    def signed_permutations(self, elements: Array) -> tuple[Array, Array] | None:
        # One-dimensional irreps are signs; larger ones may happen to permute a basis (irrep 1 of C4 does).
        return block_permutation(self.matrices(elements))


def named_irrep(field: Field) -> Field | None:
    """The named irrep of the field's group with exactly the same matrices, if there is one."""
    group = field.group
    images, algebra = field.generator_images(), field.algebra()
    try:
        labels = group.irrep_candidates(field.dim, algebra)
    except (SizeLimitError, SeparationError):  # a group too large for a table of irreps
        return None
    for label in labels:
        if group.irrep_dim(label) != field.dim:
            continue
        candidate = IrrepField(group, label)
        if np.allclose(candidate.generator_images(), images, atol=1e-12) and np.allclose(
            candidate.algebra(), algebra, atol=1e-12
        ):
            return candidate
    return None
