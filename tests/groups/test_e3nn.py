"""Irreps of SO(3) and O(3) equal e3nn's Wigner matrices."""

import numpy as np
import pytest
import torch
from scipy.linalg import expm
from scipy.spatial.transform import Rotation

import intertwine as iw

o3 = pytest.importorskip("e3nn.o3")


@pytest.fixture(autouse=True)
def double_precision():
    """e3nn builds its generators in torch's default dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


@pytest.fixture
def rotations():
    sampled = iw.SO(3).sample(30, generator=torch.Generator().manual_seed(0))
    return torch.cat([sampled, iw.Octahedral().elements()])


@pytest.mark.parametrize("l", range(9))
def test_degenerate_euler_angles(l):
    """At the poles of y and close by e3nn's own arccos errs by 1e-8, so the exponential is the oracle."""
    vectors = np.array(
        [[0, 0, 0], [0, np.pi, 0], [np.pi, 0, 0], [0, 0, np.pi], [1e-9, 0, 0], [np.pi - 1e-9, 0, 0], [0, 1.0, 1e-10]]
    )
    rotations = Rotation.from_rotvec(vectors).as_matrix()
    expected = expm(np.einsum("nk,kij->nij", vectors, iw.SO(3).irrep_algebra(str(l))))
    np.testing.assert_allclose(iw.SO(3).irrep_matrices(str(l), rotations), expected, atol=1e-12)


@pytest.mark.parametrize("l", range(12))
def test_so3_matches_wigner_matrices(l, rotations):
    expected = o3.Irrep(l, 1).D_from_matrix(rotations)
    torch.testing.assert_close(iw.SO(3).irrep(l).matrix(rotations), expected, atol=1e-12, rtol=0)


@pytest.mark.parametrize("l", range(9))
@pytest.mark.parametrize("parity", ["e", "o"])
def test_o3_matches_wigner_matrices(l, parity, rotations):
    elements = torch.cat([rotations, -rotations])
    expected = o3.Irrep(f"{l}{parity}").D_from_matrix(elements)
    torch.testing.assert_close(iw.O(3).irrep(f"{l}{parity}").matrix(elements), expected, atol=1e-12, rtol=0)


def test_euler_angles_too(rotations):
    angles = [torch.rand(10, generator=torch.Generator().manual_seed(i), dtype=torch.float64) * 3 for i in range(3)]
    matrices = o3.angles_to_matrix(*angles)
    for l in range(9):
        torch.testing.assert_close(iw.SO(3).irrep(l).matrix(matrices), o3.wigner_D(l, *angles), atol=1e-12, rtol=0)


def test_spherical_harmonics_transform_by_our_irreps(rotations):
    points = torch.randn(7, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    for l in range(1, 6):
        before = o3.spherical_harmonics(l, points, normalize=True)
        after = o3.spherical_harmonics(l, points @ rotations[0].T, normalize=True)
        torch.testing.assert_close(iw.SO(3).irrep(l).act(rotations[0], before), after, atol=1e-12, rtol=0)


def test_sums_have_e3nn_layout(rotations):
    elements = torch.cat([rotations, -rotations])
    expected = o3.Irreps("2x0e + 3x1o + 2x2e").D_from_matrix(elements)
    torch.testing.assert_close(iw.O(3).irreps("2x0e + 3x1o + 2x2e").matrix(elements), expected, atol=1e-12, rtol=0)
