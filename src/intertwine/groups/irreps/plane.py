"""Turns and mirrors of the plane."""

import numpy as np

from intertwine._numerics import Array

MIRROR = np.diag([1.0, -1.0])


def turns(angles: Array) -> Array:
    """``[[cos, -sin], [sin, cos]]`` for each angle, shape (n, 2, 2)."""
    cos, sin = np.cos(angles), np.sin(angles)
    return np.stack([cos, -sin, sin, cos], axis=-1).reshape(*np.shape(angles), 2, 2)


def fraction_turns(steps: Array, n: int) -> Array:
    """Turns by ``steps`` times 2 pi / n, shape (len(steps), 2, 2); multiples of a quarter turn are exact."""
    steps = np.asarray(steps) % n
    out = turns(2 * np.pi * steps / n)
    exact = 4 * steps % n == 0
    out[exact] = np.rint(out[exact])
    return out


def angles(matrices: Array) -> Array:
    """Angle of the turn, or of the turn that follows the mirror diag(1, -1), of matrices (n, 2, 2)."""
    return np.arctan2(matrices[:, 1, 0], matrices[:, 0, 0])
