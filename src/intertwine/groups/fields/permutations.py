"""How a finite group permutes its elements, the cosets of a subgroup, and the pixels of a grid."""

from collections.abc import Sequence
from math import prod

import numpy as np

from intertwine._numerics import Array
from intertwine.errors import ArgumentError, GroupMismatchError, SizeLimitError
from intertwine.representations.abstract_group import AbstractGroup
from intertwine.representations.embedding import embed
from intertwine.representations.field import block_permutation
from intertwine.representations.permutation_field import PermutationField
from intertwine.representations.pixels import on_axes, pixel_offsets

MAX_PIXELS = 10_000_000


def require_finite(group: AbstractGroup, argument: str, what: str) -> None:
    """Refuse an infinite group.

    Raises:
        ArgumentError: ``group`` is infinite.
    """
    if not group.is_finite:
        raise ArgumentError(
            argument,
            expected=f"a finite group, to have {what}",
            got=str(group),
            advice="Restrict to a finite subgroup, such as Cyclic(n) or Octahedral().",
        )


def regular_field(group: AbstractGroup) -> PermutationField:
    """``rho(g) e_h = e_gh`` on one basis vector an element, in the order of ``elements()``."""
    require_finite(group, "group", "a regular representation")
    elements = group.element_matrices()
    images = [group.element_indices(generator @ elements) for generator in group.generator_matrices()]
    return PermutationField.of(group, "regular", images, size=len(elements))


def quotient_field(group: AbstractGroup, subgroup: AbstractGroup, axis: str | None) -> PermutationField:
    """``rho(g) e_xH = e_gxH`` on one basis vector a coset xH, that of the identity first."""
    for argument, value in (("group", group), ("subgroup", subgroup)):
        if not isinstance(value, AbstractGroup):
            raise ArgumentError(argument, expected="a group", got=repr(value))
        require_finite(value, argument, "a quotient representation")
    embedding = embed(subgroup, group, axis)
    elements, members = group.element_matrices(), embedding.elements(subgroup.element_matrices())
    size = group.matrix_dim
    indices = group.element_indices((elements[:, None] @ members[None]).reshape(-1, size, size)).reshape(
        len(elements), -1
    )
    # A coset is named by its earliest element; np.unique then numbers the names in that order.
    firsts, cosets = np.unique(indices.min(axis=1), return_inverse=True)
    images = [cosets[group.element_indices(generator @ elements[firsts])] for generator in group.generator_matrices()]
    label = f"{group}/{subgroup}" if axis is None else f"{group}/{subgroup}({axis})"
    return PermutationField.of(group, label, images, size=len(firsts))


def grid_field(group: AbstractGroup, shape: Sequence[int], space: Array | None = None) -> PermutationField:
    """``(rho(g) f)(x) = f(g^-1 x)`` on the pixels of a grid, flattened in C order; the grid's centre stays.

    Coordinates are as in ``intertwine.representations.pixels``.

    Args:
        group: acts through its defining matrices, or through ``space``.
        shape: sides of the grid.
        space: images of the discrete generators on the points of space, shape (m, dim, dim); of a Lie group the
            identity component must leave the points alone.
    """
    if space is None:
        require_finite(group, "group", "an exact action on pixels")
    generators = group.generator_matrices() if space is None else space
    label = f"grid[{'x'.join(map(str, shape))}]"
    count = prod(shape)
    if count > MAX_PIXELS:
        raise SizeLimitError("shape", expected=f"a grid of at most {MAX_PIXELS} pixels", got=f"{count}")
    if not len(generators):
        return PermutationField.of(group, label, [], size=count)
    dim = len(shape)
    acting = generators.shape[-1]
    if acting != dim:
        raise GroupMismatchError(
            "shape",
            expected=f"{acting} sides, as {group} acts on a space of {acting} dimensions",
            got=str(tuple(shape)),
            advice="Plane turns act on a volume through a polyhedral group's grid and restrict(H, axis='z').",
        )
    if block_permutation(generators) is None:
        raise GroupMismatchError(
            "shape",
            expected="a group that maps pixels onto pixels (turns by 90 degrees, mirrors along the axes and diagonals)",
            got=f"{group}, whose generators do not",
            advice="Take the subgroup that the grid allows, such as Cyclic(4), Dihedral(4) or Octahedral().",
        )
    sides = np.array(shape)
    offsets = pixel_offsets(shape)
    images = []
    for generator in np.rint(generators).astype(np.int64):
        moved = offsets @ on_axes(generator).T
        targets = (moved + (sides - 1)) // 2
        if ((moved + (sides - 1)) % 2).any() or (targets < 0).any() or (targets >= sides).any():
            raise GroupMismatchError(
                "shape",
                expected=f"a grid that {group} maps onto itself",
                got=f"{' x '.join(map(str, shape))}, which the generator {generator.tolist()} turns into another shape",
                advice="Use equal sides, or the subgroup that keeps this grid (Cyclic(2) keeps every rectangle).",
            )
        images.append(np.ravel_multi_index(tuple(targets.T), tuple(shape)))
    return PermutationField.of(group, label, images, size=count)
