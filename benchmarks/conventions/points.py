"""Where harmonics and turns are evaluated: fixed numbers, the same in every environment."""

import numpy as np

from intertwine._numerics import Array

DEGREES = (0, 1, 2, 3)


def directions() -> Array:
    """Unit vectors, shape (9, 3): enough to fit a basis of degree 3."""
    x = np.random.default_rng(0).normal(size=(9, 3))
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def turns(n: int = 3) -> Array:
    """Rotation matrices, shape (n, 3, 3)."""
    q, r = np.linalg.qr(np.random.default_rng(1).normal(size=(n, 3, 3)))
    q = q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]
    return q * np.sign(np.linalg.det(q))[:, None, None]
