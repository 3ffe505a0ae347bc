"""Diagonals that commute with a representation, against the definition written out."""

import numpy as np
import pytest
import torch

import intertwine as iw

C4, D4, O, SO3 = iw.Cyclic(4), iw.Dihedral(4), iw.Octahedral(), iw.SO(3)

# Images of C4 that hold two irreps in a basis that mixes some coordinates and not others.
MIXED_IMAGES = C4.representation([[[0.0, 0.0, -1.0, 0.0], [0.0, 1.0, 0.0, 0.0], [1.0, 0.0, 0.0, 0.0], [0, 0, 0, -1.0]]])

REPRESENTATIONS = {
    "regular": 2 * D4.regular(),
    "grid": D4.grid(3, 4 - 1) + D4.trivial(),
    "irreps": D4.irreps("2x0+ + 0- + 2x1"),
    "signed": C4.irreps("2x1 + 2") + C4.regular(),
    "SO3": SO3.irreps("2x0 + 1 + 2"),
    "images": MIXED_IMAGES + C4.regular(),
    "tensor": O.irreps("T1").tensor(O.irreps("E")),
    "restricted": SO3.irreps("0 + 1 + 2").restrict(C4, axis="z"),
    "matrix group": iw.MatrixGroup(lie_algebra=[[[0.0, 1.0], [1.0, 0.0]]]).defining(),
}


def commuting_diagonals(rep: iw.Representation) -> np.ndarray:
    """Orthonormal basis, by a null space, of the d with ``d_i M_ij = M_ij d_j`` for many matrices M."""
    group = rep.group
    g = torch.cat([group.generators, group.sample(6, generator=torch.Generator().manual_seed(0))])
    rows = []
    for matrix in rep.matrix(g).numpy():
        for i, j in zip(*np.nonzero(np.abs(matrix) > 1e-9), strict=True):
            row = np.zeros(rep.dim)
            row[i] += matrix[i, j]
            row[j] -= matrix[i, j]
            rows.append(row)
    _, singular, vectors = np.linalg.svd(np.array(rows))
    return vectors[(singular > 1e-9).sum() :].T


@pytest.mark.parametrize("name", REPRESENTATIONS)
def test_the_definition(name: str) -> None:
    rep = REPRESENTATIONS[name]
    P = iw.diagonal_projector(rep)
    basis = torch.from_numpy(commuting_diagonals(rep))
    assert P.rank == basis.shape[1]
    d = torch.randn(rep.dim, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    torch.testing.assert_close(P.project(d), basis @ (basis.T @ d), rtol=0, atol=1e-12)
    torch.testing.assert_close(P.project(torch.ones_like(d)), torch.ones_like(d))
    assert P.exact == rep.is_permutation
    iw.testing.assert_projector(P)


def test_positive_stays_positive() -> None:
    rep = D4.regular() + D4.irreps("1")
    variance = torch.rand(rep.dim, generator=torch.Generator().manual_seed(1)) + 0.1
    assert bool((iw.diagonal_projector(rep).project(variance) >= 0.1).all())


def test_shapes() -> None:
    P = iw.diagonal_projector(D4.regular(), shape=(1, 8, 1, 1))
    assert P.shape == (1, 8, 1, 1)
    assert P.project(torch.arange(8.0).reshape(1, 8, 1, 1)).flatten().tolist() == [3.5] * 8
    with pytest.raises(iw.errors.ShapeError, match=r"shape: expected axes .* dimensions \(8\)"):
        iw.diagonal_projector(D4.regular(), shape=(9,))
    with pytest.raises(iw.errors.ArgumentError, match="rep"):
        iw.diagonal_projector(3)
