"""Where pixels lie: (x) = (index), (x, y) = (column, -row), (x, y, z) = (last, -middle, first) index, about the centre.

Each coordinate belongs to one axis of the tensor, the last axis first, and the second coordinate counts downwards.
Turns, mirrors, harmonics and waves on a grid take it from here.
"""

from collections.abc import Sequence

import numpy as np

from intertwine._numerics import Array


def pixel_offsets(sides: Sequence[int]) -> Array:
    """Twice the index offsets of all pixels from the grid's centre, in C order, int64, shape (pixels, dim).

    Twice, so that even sides have whole numbers too.
    """
    indices = np.stack(np.meshgrid(*(np.arange(side) for side in sides), indexing="ij"), -1)
    return 2 * indices.reshape(-1, len(sides)) - (np.array(sides) - 1)


def pixel_positions(sides: Sequence[int]) -> Array:
    """Coordinates of the pixels' centres about the grid's centre, in C order, float64, shape (pixels, dim).

    Examples:
        >>> pixel_positions((2, 3)).tolist()
        [[-1.0, 0.5], [0.0, 0.5], [1.0, 0.5], [-1.0, -0.5], [0.0, -0.5], [1.0, -0.5]]
    """
    return to_space(pixel_offsets(sides)) / 2


def to_space(offsets: Array) -> Array:
    """Coordinates (x, y, ...) of offsets along the tensor's axes, shape (..., dim) each."""
    return offsets[..., ::-1] * _signs(offsets.shape[-1])


def to_axes(vectors: Array) -> Array:
    """Offsets along the tensor's axes of vectors (x, y, ...), shape (..., dim) each: the inverse of ``to_space``."""
    return (vectors * _signs(vectors.shape[-1]))[..., ::-1]


def on_axes(matrices: Array) -> Array:
    """Matrices (..., dim, dim) on vectors (x, y, ...) as ones on offsets along the tensor's axes.

    Examples:
        >>> on_axes(np.array([[0, -1], [1, 0]])).tolist()  # a quarter turn: columns become rows, backwards
        [[0, -1], [1, 0]]
        >>> on_axes(np.array([[1, 0], [0, -1]])).tolist()  # y reversed: rows
        [[-1, 0], [0, 1]]
    """
    signs = _signs(matrices.shape[-1])
    return np.ascontiguousarray((signs[:, None] * matrices * signs)[..., ::-1, ::-1])


def _signs(dim: int) -> Array:
    return np.array([-1 if coordinate == 1 else 1 for coordinate in range(dim)])
