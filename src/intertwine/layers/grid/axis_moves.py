"""What a group of turns and mirrors does to the axes of an image tensor: which it exchanges, which it reverses."""

from dataclasses import dataclass

import numpy as np

from intertwine._numerics import Array
from intertwine.errors import ArgumentError
from intertwine.groups import Group
from intertwine.projectors.kernels.kernel import space_representation
from intertwine.representations import Representation


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
            advice=f"For shifts of n pixels an axis say space={shifts} and take its group; for turns about an axis "
            "restrict a larger group's: Octahedral().standard().restrict(Cyclic(4), axis='z').",
        ) from None
    field = rep.as_field()
    continuous = len(group.algebra_matrices()) > 0 and bool(np.any(field.algebra()))
    if continuous or not _signed_permutations(field.generator_images()):
        raise ArgumentError(
            argument,
            expected="a group that maps pixels onto pixels (turns by 90 degrees, mirrors)",
            got=str(group),
            advice="Take the subgroup that the grid allows, such as Cyclic(4), Dihedral(4) or Octahedral(). Between "
            "the pixels nothing is exact; equivariance_error measures there with "
            "iw.on_grid(..., interpolation='bilinear').",
        )
    return rep


def on_axes(matrices: Array) -> Array:
    """Matrices (n, dim, dim) on points (x,), (x, y), (x, y, z) as ones on offsets along the tensor's axes.

    Examples:
        >>> import numpy as np
        >>> on_axes(np.array([[[0.0, -1.0], [1.0, 0.0]]])).tolist()  # a quarter turn: columns become rows, backwards
        [[[0, -1], [1, 0]]]
    """
    dim = matrices.shape[-1]
    flips = np.array([-1 if axis == 1 else 1 for axis in range(dim)])  # y and the middle axis count downwards
    turned = flips[:, None] * np.rint(matrices).astype(np.int64) * flips
    return np.ascontiguousarray(turned[:, ::-1, ::-1])


def axis_moves(space: Representation) -> tuple[AxisMove, ...]:
    """Every move of an axis by some element of the group, the ones that leave an axis as it is excepted."""
    matrices = _all_images(on_axes(space.as_field().generator_images()))
    moves = set()
    for matrix in matrices:
        for target, source in zip(*np.nonzero(matrix), strict=True):
            move = AxisMove(int(source), int(target), int(matrix[target, source]))
            if move.source != move.target or move.sign < 0:
                moves.add(move)
    return tuple(sorted(moves))


def _all_images(generators: Array) -> list[Array]:
    """The finite group of signed permutations that the generators generate: at most 48 in three dimensions."""
    found = {np.eye(generators.shape[-1], dtype=np.int64).tobytes(): np.eye(generators.shape[-1], dtype=np.int64)}
    fresh = list(found.values())
    while fresh:
        products = [generator @ matrix for matrix in fresh for generator in generators]
        fresh = [matrix for matrix in products if matrix.tobytes() not in found]
        found |= {matrix.tobytes(): matrix for matrix in fresh}
    return list(found.values())


def _signed_permutations(matrices: Array) -> bool:
    rounded = np.abs(np.rint(matrices))
    return bool(
        np.allclose(matrices, np.rint(matrices)) and (rounded.sum(-1) == 1).all() and (rounded.sum(-2) == 1).all()
    )
