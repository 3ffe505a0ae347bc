"""Group convolutions in the Fourier basis of a finite group: block coefficients, and P the same in either basis."""

import pytest
import torch

import intertwine as iw
from tests.projectors.closed_form_laws import randn

GROUPS = {"C5": lambda: iw.Cyclic(5), "D4": lambda: iw.Dihedral(4), "S3": lambda: iw.Symmetric(3), "T": iw.Tetrahedral}


@pytest.mark.parametrize("name", GROUPS)
def test_p_in_the_fourier_basis_is_orbit_p_in_the_spatial_basis(name: str) -> None:
    """``regular = Q (sum of irreps) Q^T``: ``Q^T W Q`` holds the coefficients, in which Schur's lemma gives P."""
    G = GROUPS[name]()
    found = iw.decompose(G.regular())
    Q, spectrum = found.basis, found.rep_irreps
    spatial, spectral = iw.projector(G.regular(), G.regular()), iw.projector(spectrum, spectrum)
    assert (spatial.method, spectral.method) == ("orbit", "schur")
    assert spatial.rank == spectral.rank == G.order
    W = randn(G.order, G.order)
    torch.testing.assert_close(Q @ spectral.project(Q.T @ W @ Q) @ Q.T, spatial.project(W), rtol=0, atol=1e-10)
    torch.testing.assert_close(spectral.squared_residual(Q.T @ W @ Q), spatial.squared_residual(W))
    other = torch.linalg.qr(randn(G.order, G.order, seed=1))[0]
    with pytest.raises(AssertionError):  # any other orthogonal basis is not the Fourier basis
        torch.testing.assert_close(other @ spectral.project(other.T @ W @ other) @ other.T, spatial.project(W))


@pytest.mark.parametrize("name", ["D4", "S3"])
def test_equivariant_weights_are_convolutions_with_block_coefficients(name: str) -> None:
    """``(W x)(g) = sum_h f(h^-1 g) x(h)``: on the d copies of an irrep rho (of real type) W is ``A (x) 1``.

    A has the singular values of the Fourier coefficient ``f^(rho) = sum_g f(g) rho(g)``.
    """
    G = GROUPS[name]()
    elements = G.elements()
    f = randn(G.order)
    W = torch.zeros(G.order, G.order, dtype=torch.float64)
    for h, element in enumerate(elements):
        W[G.element_indices(torch.stack([element @ g for g in elements]).numpy()), h] = f
    P = iw.projector(G.regular(), G.regular())
    torch.testing.assert_close(P.project(W), W, rtol=0, atol=1e-12)
    found = iw.decompose(G.regular())
    coefficients = found.basis.T @ W @ found.basis
    for segment, where in zip(found.rep_irreps.segments, found.rep_irreps.slices, strict=True):
        d = segment.field.dim
        assert segment.mul == d
        block = coefficients[where, where].reshape(d, d, d, d)
        A = torch.einsum("ikjk->ij", block) / d
        expected = torch.einsum("ij,kl->ikjl", A, torch.eye(d, dtype=A.dtype))
        torch.testing.assert_close(block, expected, rtol=0, atol=1e-10)
        rho = G.irrep(segment.field.irrep)
        transform = sum(value * rho.matrix(g) for value, g in zip(f, elements, strict=True))
        torch.testing.assert_close(torch.linalg.svdvals(A), torch.linalg.svdvals(transform), rtol=0, atol=1e-10)
