"""Relaxed convolutions (Wang et al. 2022): coefficients and filters, and where the two norms part."""

import pytest
import torch
from torch.nn import functional as F

import intertwine as iw
from intertwine.projectors.positions.relaxed import relaxed_projector
from tests.projectors.closed_form_laws import randn


def test_relaxed_translation_layer_is_a_convolution_when_projected() -> None:
    """``y(x) = sum_b w_b(x) (psi_b * f)(x)`` with weights (H, W, banks)."""
    P = relaxed_projector((6, 5, 3), (0, 1))
    w, bank, x = randn(6, 5, 3), randn(3, 2, 1, 3, 3), randn(1, 1, 6, 5)

    def layer(w: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        wrapped = F.pad(x, (1, 1, 1, 1), mode="circular")
        return torch.einsum("xyb,bnoxy->noxy", w, torch.stack([F.conv2d(wrapped, psi) for psi in bank]))

    def error(w: torch.Tensor) -> float:
        return float((layer(w, x.roll(2, -1)) - layer(w, x).roll(2, -1)).abs().max())

    assert error(P.project(w)) < 1e-12
    assert error(w) > 0.1


def test_relaxed_lifting_convolution_is_equivariant_when_projected() -> None:
    """``K(h) = sum_b w_b(h) (psi_b turned by h)``, weights (N, banks): constant along h is C4-equivariance."""
    G, P = iw.Cyclic(4), relaxed_projector((4, 2), (0,))
    w, bank, x = randn(4, 2), randn(2, 3, 3), randn(1, 1, 7, 7)

    def layer(w: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        kernel = torch.stack([torch.rot90(torch.einsum("b,bxy->xy", w[h], bank), h, (0, 1)) for h in range(4)])
        return F.conv2d(x, kernel.unsqueeze(1), padding=1)

    def error(w: torch.Tensor) -> float:
        turned = torch.rot90(layer(w, x), 1, (-2, -1))
        expected = G.regular().act(G.generators[0], turned.movedim(1, -1)).movedim(-1, 1)
        return float((layer(w, torch.rot90(x, 1, (-2, -1))) - expected).abs().max())

    assert error(P.project(w)) < 1e-12
    assert error(w) > 0.1
    assert (P.method, P.rank, P.exact) == ("orbit", 2, True)


def steerable_bank() -> torch.Tensor:
    """A steerable basis C4: trivial -> regular on 3 x 3 pixels, shape (banks, out * pixels), and its positions."""
    G = iw.Cyclic(4)
    return iw.projector(G.trivial(), G.regular(), kernel=(3, 3)).basis().reshape(9, 4, 9)


def test_the_mean_of_coefficients_is_not_the_nearest_filter() -> None:
    """Trap 5 of the paper's base code: a pixel where psi_b vanishes counts in the mean, and not in the filter."""
    psi, shape = steerable_bank(), (2, 9, 3, 9)
    mean = relaxed_projector(shape, (3,))
    nearest = relaxed_projector(shape, (3,), filters=psi, bank=1)
    w = randn(*shape)

    def filters(w: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bfx,obix->ofix", psi, w)

    by_mean, by_filter = (float((filters(w) - filters(P.project(w))).square().sum()) for P in (mean, nearest))
    assert by_filter < 0.9 * by_mean
    torch.testing.assert_close(torch.tensor(by_filter).double(), nearest.squared_residual(w))
    columns = filters(torch.eye(9, dtype=w.dtype).reshape(1, 9, 9, 1).movedim(1, 2).expand(1, 9, 9, 9).movedim(1, 2))
    span = columns.movedim(2, 0).reshape(9, -1)  # the filters of constant unit weights
    target = filters(w).permute(0, 2, 1, 3).reshape(6, -1)
    solution = torch.linalg.lstsq(span.T, target.T).solution.T.reshape(2, 3, 9)
    torch.testing.assert_close(nearest.project(w)[..., 0].movedim(1, 2), solution, rtol=0, atol=1e-10)
    assert not nearest.exact
    assert "vary from position to position" in nearest.reason
    assert nearest.rank == mean.rank == 54


def test_filter_norm_laws() -> None:
    psi = randn(3, 4, 5)
    P = relaxed_projector((2, 3, 5), (2,), filters=psi, bank=1)
    A, B = randn(2, 3, 5), randn(2, 3, 5, seed=1)

    def filters(w: torch.Tensor) -> torch.Tensor:
        return torch.einsum("bfx,obx->ofx", psi, w)

    PA, PB = P.project(A), P.project(B)
    torch.testing.assert_close(P.project(PA), PA, rtol=0, atol=1e-10)
    torch.testing.assert_close((filters(PA) * filters(B)).sum(), (filters(A) * filters(PB)).sum())
    torch.testing.assert_close(P.squared_residual(A) + P.squared_projection(A), filters(A).square().sum())
    torch.testing.assert_close(
        P.relative_residual(A), torch.linalg.vector_norm(filters(A - PA)) / torch.linalg.vector_norm(filters(A))
    )
    torch.testing.assert_close(P.residual(A), A - PA)
    W = A.clone().requires_grad_()
    assert torch.autograd.gradcheck(P.squared_residual, (W,))
    assert torch.autograd.gradgradcheck(P.squared_residual, (W,))
    Q = P.basis()
    gram = torch.einsum("rofx,sofx->rs", *(torch.stack([filters(q) for q in Q]),) * 2)
    torch.testing.assert_close(gram, torch.eye(P.rank, dtype=torch.float64), rtol=0, atol=1e-10)
    torch.testing.assert_close(torch.stack([P.project(q) for q in Q]), Q, rtol=0, atol=1e-10)
    ratios = [(P.squared_residual(w), filters(w).square().sum()) for w in (randn(2, 3, 5, seed=s) for s in range(600))]
    mean = sum(float(a) for a, _ in ratios) / sum(float(b) for _, b in ratios)
    assert abs(mean - P.chance**2) < 0.02
    shrunk = A.clone()
    P.shrink_(shrunk, 0.5)
    X = shrunk.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(P.squared_residual(X) / 2, X)
    torch.testing.assert_close(shrunk + gradient, A)
    Z = randn(2, 3, 5, dtype=torch.complex128)
    torch.testing.assert_close(P.project(Z), torch.complex(P.project(Z.real), P.project(Z.imag)))
    torch.testing.assert_close(P.squared_residual(Z), P.squared_residual(Z.real) + P.squared_residual(Z.imag))
    half = P.project(A.bfloat16())
    torch.testing.assert_close(half.double(), PA, rtol=0, atol=0.05)


def test_filter_norm_and_coefficients_agree_where_inner_products_do_not_vary() -> None:
    """Group convolutions: turning the bank keeps its inner products, so P is the same and only the norm differs."""
    bank = randn(3, 9)
    coefficients = relaxed_projector((4, 3), (0,))
    filters = relaxed_projector((4, 3), (0,), filters=bank.unsqueeze(-1), bank=1)
    w = randn(4, 3)
    torch.testing.assert_close(filters.project(w), coefficients.project(w), rtol=0, atol=1e-12)
    expected = ((w - coefficients.project(w)) @ bank).square().sum()
    torch.testing.assert_close(filters.squared_residual(w), expected)
    assert filters.exact
    assert float(filters.squared_residual(w)) != float(coefficients.squared_residual(w))


def test_dependent_banks() -> None:
    """A bank with a repeated filter: coefficients that make no filter are not seen, the rank counts filters."""
    psi = randn(2, 4, 5)
    P = relaxed_projector((3, 5), (1,), filters=torch.cat([psi, psi[:1]]), bank=0)
    assert P.rank == 2
    w = torch.zeros(3, 5, dtype=torch.float64)
    w[0], w[2] = 1.0, -1.0
    assert float(P.squared_residual(w)) < 1e-20
    torch.testing.assert_close(P.project(P.project(randn(3, 5))), P.project(randn(3, 5)))


def test_scales_are_bounded() -> None:
    P = relaxed_projector((5, 3), (0,), boundary="bounded")
    assert not P.exact
    assert P.rank == 3


def test_refusals() -> None:
    with pytest.raises(iw.errors.ArgumentError, match=r"bank: expected None without filters"):
        relaxed_projector((4, 3), (0,), bank=1)
    with pytest.raises(iw.errors.ArgumentError, match=r"bank: expected an axis of shape \(4, 3\) other than positions"):
        relaxed_projector((4, 3), (0,), filters=randn(3, 2, 4), bank=0)
    with pytest.raises(iw.errors.ShapeError, match=r"filters: expected shape \(3, features, 4\) or \(3, features, 1\)"):
        relaxed_projector((4, 3), (0,), filters=randn(3, 2, 5), bank=1)
    with pytest.raises(iw.errors.NonFiniteError, match=r"filters: expected"):
        relaxed_projector((4, 3), (0,), filters=torch.full((3, 2, 4), torch.nan), bank=1)
    with pytest.raises(iw.errors.ArgumentError, match=r"shape: expected lengths of all axes"):
        relaxed_projector((4, 3, None), (0,), filters=randn(3, 2, 4), bank=1).basis()
