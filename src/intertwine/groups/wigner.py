"""Wigner matrices of SO(3) in e3nn's real basis.

Degree l has the 2l+1 real components m = -l, ..., l with polar axis y; degree 1 is (x, y, z). Sources: e3nn 0.5,
``e3nn/o3/_wigner.py`` (basis and generators); Pinchon and Hoggan, J. Phys. A 40 (2007) 1597 (turns about one axis
only).
"""

from functools import lru_cache

import numpy as np

from intertwine._numerics import Array


@lru_cache(maxsize=64)
def rotation_algebra(l: int) -> Array:
    """Images of the right-handed infinitesimal turns about x, y, z, shape (3, 2l+1, 2l+1), skew.

    They are the ladder operators of su(2) in the complex basis, brought to the real one by ``_real_basis``.
    """
    m = np.arange(-l, l)
    raising = np.diag(-np.sqrt(l * (l + 1) - m * (m + 1)), -1)
    m = m + 1
    lowering = np.diag(np.sqrt(l * (l + 1) - m * (m - 1)), 1)
    operators = np.stack([0.5 * (raising + lowering), np.diag(1j * np.arange(-l, l + 1)), -0.5j * (raising - lowering)])
    change = _real_basis(l)
    real = (change.conj().T @ operators @ change).real
    real = (real - np.swapaxes(real, -1, -2)) / 2 + 0.0
    real.setflags(write=False)
    return np.asarray(real)


def _real_basis(l: int) -> Array:
    """Columns: real spherical harmonics in terms of complex ones, times (-i)^l, as in e3nn."""
    change = np.zeros((2 * l + 1, 2 * l + 1), dtype=complex)
    for m in range(1, l + 1):
        change[l - m, l + m], change[l - m, l - m] = 1 / np.sqrt(2), -1j / np.sqrt(2)
        change[l + m, l + m], change[l + m, l - m] = (-1) ** m / np.sqrt(2), 1j * (-1) ** m / np.sqrt(2)
    change[l, l] = 1
    return (-1j) ** l * change


def euler_angles(rotations: Array) -> tuple[Array, Array, Array]:
    """``(alpha, beta, gamma)`` with R = turn_y(alpha) turn_x(beta) turn_y(gamma), for rotations (n, 3, 3).

    Near beta = 0 and pi alpha alone is arbitrary; gamma is read from what is left of R after undoing alpha and beta, so
    that the three always reproduce R.
    """
    x, y, z = rotations[:, 0, 1], rotations[:, 1, 1], rotations[:, 2, 1]  # where R takes the y axis
    beta, alpha = np.arctan2(np.hypot(x, z), y), np.arctan2(x, z)
    # The first column of turn_y(alpha) turn_x(beta), and of turn_y(alpha) turn_x(beta) applied to z.
    first = np.stack([np.cos(alpha), np.zeros_like(alpha), -np.sin(alpha)], axis=-1)
    third = np.stack([np.sin(alpha) * np.cos(beta), -np.sin(beta), np.cos(alpha) * np.cos(beta)], axis=-1)
    gamma = np.arctan2((first * rotations[:, :, 2]).sum(-1), (third * rotations[:, :, 2]).sum(-1))
    return alpha, beta, gamma


def wigner_matrices(l: int, rotations: Array) -> Array:
    """``D_l(R)`` for rotation matrices (n, 3, 3), shape (n, 2l+1, 2l+1), float64."""
    if l == 0:
        return np.ones((len(rotations), 1, 1))
    if l == 1:
        return rotations.copy()
    alpha, beta, gamma = euler_angles(rotations)
    tilt = _tilt(l)
    return np.asarray(_turns_about_y(l, alpha) @ (tilt @ _turns_about_y(l, beta) @ tilt.T) @ _turns_about_y(l, gamma))


def _turns_about_y(l: int, angles: Array) -> Array:
    """``D_l`` of turns about y: cos(m a) on the diagonal, sin(m a) on the anti-diagonal."""
    m = np.arange(-l, l + 1)
    index = np.arange(2 * l + 1)
    out = np.zeros((len(angles), 2 * l + 1, 2 * l + 1))
    out[:, index, index[::-1]] = np.sin(-m * angles[:, None])
    out[:, index, index] = np.cos(m * angles[:, None])
    return out


@lru_cache(maxsize=64)
def _tilt(l: int) -> Array:
    """``D_l`` of the turn about z that takes the y axis to the x axis."""
    from scipy.linalg import expm  # scipy loads slowly; `import intertwine` does without

    return np.asarray(expm(-np.pi / 2 * rotation_algebra(l)[2]))
