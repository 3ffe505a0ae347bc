"""What a group of turns and mirrors does to the axes of an image tensor: which it exchanges, which it reverses."""

from dataclasses import dataclass

import numpy as np

from intertwine.errors import ArgumentError
from intertwine.groups import Group
from intertwine.groups.enumeration import closure
from intertwine.projectors.kernels.kernel import mirrored_axes, space_representation
from intertwine.representations import Representation
from intertwine.representations.field import block_permutation
from intertwine.representations.pixels import on_axes


@dataclass(frozen=True, order=True)
class AxisMove:
    """Some element of the group lays axis ``source`` on axis ``target``, reversed if ``sign`` is -1.

    Axes are counted from 0 in the tensor's order, those of batch and channels left out.
    """

    source: int
    target: int
    sign: int


def grid_space(group: Group, dim: int, space: object, argument: str) -> Representation:
    """How the group turns ``dim`` axes of pixels, checked to map pixels onto pixels.

    Raises:
        ArgumentError: it does not; or ``space`` is missing where it is needed, or does not fit.
    """
    try:
        rep = space_representation(group, (1,) * dim, space)
    except ArgumentError as error:
        if space is not None:
            raise
        shifts = f"iw.torus({', '.join('n' * dim)})"
        raise ArgumentError(
            "space",
            expected=f"a representation of {group} of dimension {dim}: how it turns the image's {dim} axes",
            got=error.got,
            advice=mirrored_axes(group, dim)
            or f"For shifts of n pixels an axis say space={shifts} and take its group; for turns about an axis "
            "restrict a larger group's: Octahedral().standard().restrict(Cyclic(4), axis='z').",
        ) from None
    field = rep.as_field()
    continuous = len(group.algebra_matrices()) > 0 and bool(np.any(field.algebra()))
    if continuous or block_permutation(field.generator_images()) is None:
        raise ArgumentError(
            argument,
            expected="a group that maps pixels onto pixels (turns by 90 degrees, mirrors)",
            got=str(group),
            advice="Take the subgroup that the grid allows, such as Cyclic(4), Dihedral(4) or Octahedral(). Between "
            "the pixels nothing is exact; equivariance_error measures there with "
            "iw.on_grid(..., interpolation='bilinear').",
        )
    return rep


def axis_moves(space: Representation) -> tuple[AxisMove, ...]:
    """Every move of an axis by some element of the group, the ones that leave an axis as it is excepted."""
    generators = np.rint(on_axes(space.as_field().generator_images()))
    matrices = np.rint(closure(generators, str(space.group)).elements).astype(np.int64)
    moves = set()
    for matrix in matrices:
        for target, source in zip(*np.nonzero(matrix), strict=True):
            move = AxisMove(int(source), int(target), int(matrix[target, source]))
            if move.source != move.target or move.sign < 0:
                moves.add(move)
    return tuple(sorted(moves))


def axis_turns(space: Representation) -> tuple[tuple[tuple[int, int], ...], ...]:
    """For each generator and each axis: the axis that it lays there, and the sign.

    Examples:
        >>> import intertwine as iw
        >>> axis_turns(iw.Cyclic(4).standard())  # columns become rows, backwards
        (((1, -1), (0, 1)),)
    """
    matrices = np.rint(on_axes(space.as_field().generator_images())).astype(np.int64)
    return tuple(
        tuple((int(source), int(row[source])) for row, source in zip(matrix, np.abs(matrix).argmax(1), strict=True))
        for matrix in matrices
    )
