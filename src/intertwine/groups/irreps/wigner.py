"""Wigner matrices of SO(3) in e3nn's real basis.

Degree l has the 2l+1 real components m = -l, ..., l with polar axis y; degree 1 is (x, y, z). Turns about y mix m and
-m alone; the turn about x has no entries but between neighbours |m|, |m|+1 of equal sign, so that a tridiagonal
eigenproblem, whose eigenvalues are known to be whole, gives its exponential. Sources: e3nn 0.5, ``e3nn/o3/_wigner.py``
(basis and generators); Feng, Wang, Yang and Jin, Phys. Rev. E 92 (2015) 043307 (d-matrices from eigenvectors of J_y).
"""

import numpy as np

from intertwine._cache import cached
from intertwine._numerics import Array
from intertwine.errors import SizeLimitError

# A matrix of this degree has 4 million entries and takes about a second; it is orthogonal to 1e-12.
MAX_DEGREE = 1000


def check_degree(l: int) -> int:
    """``l`` if it is at most ``MAX_DEGREE``.

    Raises:
        SizeLimitError: it is larger.
    """
    if l > MAX_DEGREE:
        raise SizeLimitError("label", expected=f"a degree of at most {MAX_DEGREE}", got=str(l))
    return l


def rotation_algebra(l: int) -> Array:
    """Images of the right-handed infinitesimal turns about x, y, z, shape (3, 2l+1, 2l+1), skew."""
    m, out = np.arange(l), np.zeros((3, 2 * l + 1, 2 * l + 1))
    couplings = _couplings(l)
    upper, lower = l + m, l - m
    out[0, upper + 1, upper] = couplings
    out[0, lower[1:], lower[1:] - 1] = -couplings[1:]
    out[2, upper, lower - 1] = couplings
    out[2, upper[1:] + 1, lower[1:]] = couplings[1:]
    out[1, upper + 1, lower - 1] = -(m + 1)
    return out - np.swapaxes(out, -1, -2)


def _couplings(l: int) -> Array:
    """The entries of the turns about x and z between the orders m and m + 1, m = 0, ..., l - 1."""
    m = np.arange(l)
    return np.sqrt(l * (l + 1) - m * (m + 1)) * np.where(m == 0, np.sqrt(0.5), 0.5)


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
    """``D_l(R)`` for rotation matrices (n, 3, 3), shape (n, 2l+1, 2l+1), float64.

    Orthogonal, and a homomorphism, to about ``1e-15 l``.
    """
    if l == 0:
        return np.ones((len(rotations), 1, 1))
    if l == 1:
        return rotations.copy()
    alpha, beta, gamma = euler_angles(rotations)
    out = np.zeros((len(rotations), 2 * l + 1, 2 * l + 1))
    # Orders m >= 0 and m < 0, each by growing |m|, are turned about x by themselves.
    for orders, vectors, values in zip((np.arange(l, 2 * l + 1), np.arange(l)[::-1]), *_chains(l), strict=True):
        angles = beta[:, None] * values
        turned = (vectors * (np.cos(angles) + np.sin(angles))[:, None, :]) @ vectors.T
        out[:, orders[:, None], orders] = _signs(len(orders), len(orders)) * turned
    return _turned_about_y(l, alpha, np.swapaxes(_turned_about_y(l, -gamma, np.swapaxes(out, -1, -2)), -1, -2))


def pole_columns(l: int, rotations: Array) -> Array:
    """The column m = 0 of ``D_l(R)``, shape (n, 2l+1): the harmonics at the point where R takes the y axis."""
    alpha, beta, _ = euler_angles(rotations)
    vectors, values = (chain[0] for chain in _chains(l))
    angles = beta[:, None] * values
    out = np.zeros((len(rotations), 2 * l + 1))
    out[:, l:] = _signs(l + 1, 1)[:, 0] * (((np.cos(angles) + np.sin(angles)) * vectors[0]) @ vectors.T)
    return _turned_about_y(l, alpha, out[:, :, None])[:, :, 0]


def _turned_about_y(l: int, angles: Array, matrices: Array) -> Array:
    """``D_l`` of turns about y, (n,), times matrices (n, 2l+1, k): cos(m a) on the diagonal, -sin(m a) across it."""
    turns = np.arange(-l, l + 1) * angles[:, None]
    return np.cos(turns)[:, :, None] * matrices - np.sin(turns)[:, :, None] * matrices[:, ::-1]


@cached(32)
def _chains(l: int) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    """Eigenvectors (as columns) and eigenvalues of the turn about x, on the orders m >= 0 and on m < 0.

    With ``D = diag(i^j)`` it is ``-i D S D^*``, S real with ``couplings`` beside its diagonal, hence
    ``exp(b X) = D Q exp(-i b L) Q^T D^*``. Q cos(b L) Q^T has entries at even distance only and Q sin(b L) Q^T at odd
    distance, so that their sum, with the signs of ``_signs``, is all of it.
    """
    from scipy.linalg import eigh_tridiagonal  # scipy loads slowly; `import intertwine` does without

    vectors, values = [], []
    for size, couplings in ((l + 1, _couplings(l)), (l, _couplings(l)[1:])):
        Q = eigh_tridiagonal(np.zeros(size), couplings)[1] if size > 1 else np.ones((size, size))
        Q = Q @ (1.5 * np.eye(size) - 0.5 * (Q.T @ Q))  # once more orthogonal, to rounding
        vectors.append(Q)
        values.append(np.arange(1.0 - size, size, 2))
    return (vectors[0], vectors[1]), (values[0], values[1])


def _signs(rows: int, columns: int) -> Array:
    """``+ + - -`` by the distance ``row - column`` modulo 4."""
    distance = np.arange(rows)[:, None] - np.arange(columns)
    return np.where(distance % 4 < 2, 1.0, -1.0)
