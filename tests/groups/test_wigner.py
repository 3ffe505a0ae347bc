"""Wigner matrices of any degree: the exponential at low ones, group laws at high ones, and limits by name."""

import numpy as np
import pytest
import torch
from scipy.linalg import expm
from scipy.spatial.transform import Rotation

import intertwine as iw
from intertwine.groups.irreps.frequencies import MAX_FREQUENCY
from intertwine.groups.irreps.wigner import pole_columns, rotation_algebra, wigner_matrices


def rotations(n: int, seed: int = 0) -> np.ndarray:
    return iw.SO(3).sample(n, generator=torch.Generator().manual_seed(seed)).numpy()


@pytest.mark.parametrize("l", [1, 2, 3, 7, 12, 20])
def test_matrices_are_exponentials_of_the_algebra(l: int) -> None:
    turns = rotations(5)
    vectors = Rotation.from_matrix(turns).as_rotvec()
    expected = expm(np.einsum("nk,kij->nij", vectors, rotation_algebra(l)))
    np.testing.assert_allclose(wigner_matrices(l, turns), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("l", [1, 2, 5, 40, 1000])
def test_algebra(l: int) -> None:
    """``[X, Y] = Z``, ``[Z, X] = Y``, and ``X^2 + Y^2 + Z^2 = -l (l + 1)``, on a few vectors."""
    X, Y, Z = rotation_algebra(l)
    v = np.random.default_rng(0).standard_normal((2 * l + 1, 3))
    scale = l * (l + 1) * np.linalg.norm(v)
    assert np.linalg.norm(X @ (Y @ v) - Y @ (X @ v) - Z @ v) < 1e-14 * scale
    assert np.linalg.norm(Z @ (X @ v) - X @ (Z @ v) - Y @ v) < 1e-14 * scale
    assert np.linalg.norm(X @ (X @ v) + Y @ (Y @ v) + Z @ (Z @ v) + l * (l + 1) * v) < 1e-14 * scale


@pytest.mark.parametrize(("l", "atol"), [(11, 1e-14), (100, 1e-13), (300, 2e-13), (1000, 1e-12)])
def test_high_degrees_are_orthogonal_and_multiply(l: int, atol: float) -> None:
    """On vectors, so that a degree of 1000 takes as long as its matrices; the trace is the character."""
    g, h = rotations(1), rotations(1, seed=1)
    D, E, F = (wigner_matrices(l, x)[0] for x in (g, h, g @ h))
    v = np.random.default_rng(0).standard_normal((2 * l + 1, 4))
    v /= np.linalg.norm(v, axis=0)
    assert np.abs(D.T @ (D @ v) - v).max() < atol
    assert np.abs(D @ (E @ v) - F @ v).max() < atol
    angle = np.arccos((np.trace(g[0]) - 1) / 2)
    assert abs(np.trace(D) - np.sin((l + 0.5) * angle) / np.sin(angle / 2)) < 10 * atol
    infinitesimal = wigner_matrices(l, Rotation.from_rotvec([[1e-6 / l, 0, 0]]).as_matrix())[0]
    step = (infinitesimal @ v - v) * (1e6 * l)  # the sign and basis of the algebra, to first order
    assert np.abs(step - rotation_algebra(l)[0] @ v).max() < 1e-5 * l


@pytest.mark.parametrize("l", [2, 9, 200])
def test_harmonics_are_the_column_of_the_pole(l: int) -> None:
    turns = rotations(3)
    np.testing.assert_allclose(pole_columns(l, turns), wigner_matrices(l, turns)[:, :, l], rtol=0, atol=1e-13)


def test_representations_of_degree_1000() -> None:
    G = iw.O(3)
    rep = G.irreps("1000e + 1o")
    g = -G.sample(1, generator=torch.Generator().manual_seed(0))[0]
    x = torch.randn(rep.dim, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(rep.act(g, x).norm(), x.norm(), rtol=1e-12, atol=0)
    assert iw.projector(rep, rep).rank == 2


def test_limits_are_named() -> None:
    for G, name in ((iw.SO(3), "1x5000"), (iw.SO(3), "2x0 + 1001"), (iw.O(3), "1001o"), (iw.O(3), "3x0e + 5000e")):
        with pytest.raises(
            iw.errors.SizeLimitError, match=r"label: expected a degree of at most 1000; got (5000|1001)"
        ):
            G.irreps(name)
    with pytest.raises(iw.errors.SizeLimitError, match=r"degree of at most 1000"):
        iw.SO(3).irrep(10_000)
    for G in (iw.SO(2), iw.O(2)):
        with pytest.raises(
            iw.errors.SizeLimitError, match=r"label: expected a frequency of at most 100000; got 100001"
        ):
            G.irrep(MAX_FREQUENCY + 1)
        rep = G.irrep(MAX_FREQUENCY)
        g, h = G.sample(2, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(rep.matrix(g) @ rep.matrix(h), rep.matrix(g @ h), rtol=0, atol=1e-10)


def test_more_functions_than_pixels_are_refused_unsampled() -> None:
    G = iw.SO(3)
    rings = iw.Rings((0.0, 1.0), (0.6, 0.6), (0, 10**6))
    with pytest.raises(
        iw.errors.SeparationError, match=r"independent on 3 x 3 x 3 pixels; got 785 functions for 27 pix"
    ):
        iw.projector(G.trivial(), G.irrep(1), kernel=(3, 3, 3), rings=rings)
