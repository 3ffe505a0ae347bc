"""Spherical-harmonic weights: brute force in the real harmonics of the library's own SO(3) irreps, layouts, errors."""

import importlib.util

import pytest
import torch

import intertwine as iw
from intertwine.projectors.spectral.spherical import spherical_projector
from tests.projectors.closed_form_laws import assert_chance, assert_laws, randn

C128 = torch.complex128


def degree_operator(w: torch.Tensor) -> torch.Tensor:
    """The action of the weights w_0 .. w_l of one degree on real coefficients (sin l .. sin 1, 0, cos 1 .. cos l).

    A coefficient of order m > 0 is ``a = c - i s`` and goes to ``w a``; the inverse transform drops the imaginary part
    of order 0.
    """
    l = len(w) - 1
    A = torch.zeros(2 * l + 1, 2 * l + 1, dtype=torch.float64)
    A[l, l] = w[0].real
    for m in range(1, l + 1):
        c, s = l + m, l - m
        A[c, c] = A[s, s] = w[m].real
        A[c, s], A[s, c] = w[m].imag, -w[m].imag
    return A


@pytest.mark.parametrize("l", [0, 1, 2, 3])
def test_p_is_the_mean_over_rotations_of_the_operator(l: int) -> None:
    """e3nn's basis has the y axis as its pole and orders from -l to l, the negative ones being sines."""
    G = iw.SO(3)
    P = spherical_projector(l + 1, l + 1, channels=())
    W = randn(l + 1, l + 1, dtype=C128)
    A = degree_operator(W[l])
    mean = iw.projector(G.irrep(l), G.irrep(l)).project(A)
    torch.testing.assert_close(degree_operator(P.project(W)[l]), mean, rtol=0, atol=1e-12)
    sample = torch.stack([D @ A @ D.T for D in G.irrep(l).matrix(G.sample(4000, generator=torch.Generator()))]).mean(0)
    torch.testing.assert_close(mean, sample, rtol=0, atol=0.15)
    # Turns about the pole commute with the operator whatever its weights: the order of the basis is what we think.
    about_y = iw.SO(3).irrep(l).restrict(iw.SO(2), axis="y").matrix(iw.SO(2).sample(1, generator=torch.Generator())[0])
    torch.testing.assert_close(about_y @ A, A @ about_y, rtol=0, atol=1e-12)


@pytest.mark.parametrize("orders", [4, 2])
@pytest.mark.parametrize("norm", ["operator", "stored"])
def test_laws_for_real_fields(norm: str, orders: int) -> None:
    P = spherical_projector(4, orders, channels=(2,), norm=norm)
    counts = torch.ones(orders, dtype=torch.float64)
    if norm == "operator":
        counts[0] = 0.5
    assert_laws(P, C128, lambda W: W * counts, real_linear=True)
    assert_chance(P, C128, lambda W: W * counts)
    assert P.rank == 2 * min(4, orders)


def test_laws_can_fail() -> None:
    with pytest.raises(AssertionError):
        assert_laws(spherical_projector(3, 3, channels=()), C128, real_linear=True)


def test_the_mean_is_weighted_and_excludes_what_is_no_coefficient() -> None:
    W = randn(2, 3, 4, 4, dtype=C128)
    out = spherical_projector(4, 4).project(W)
    for l in range(4):
        mean = (W[..., l, 0] + 2 * W[..., l, 1 : l + 1].sum(-1)).real / (2 * l + 1)
        torch.testing.assert_close(out[..., l, : l + 1], mean.unsqueeze(-1).expand(2, 3, l + 1).to(C128))
        assert float(out[..., l, l + 1 :].abs().sum()) == 0
    stored = spherical_projector(4, 4, norm="stored").project(W)
    torch.testing.assert_close(stored[..., 2, 0], W[..., 2, :3].real.mean(-1).to(C128))
    cut = spherical_projector(4, 2).project(W[..., :2])
    assert float(cut[..., 2:, :].abs().sum()) == 0
    assert float(cut[..., :2, :].abs().sum()) > 0
    real = spherical_projector(4, 4).project(W.real)
    torch.testing.assert_close(real, out.real)


def test_one_weight_a_degree() -> None:
    P = spherical_projector(3, channels=(2, 2))
    W = randn(2, 2, 3, dtype=C128)
    torch.testing.assert_close(P.project(W), W.real.to(C128))
    torch.testing.assert_close(P.project(W.real), W.real)
    assert (P.rank, P.chance) == (12, 0.5**0.5)
    assert_laws(P, C128, real_linear=True)
    free = spherical_projector(3, channels=(2, 2), signals="complex")
    torch.testing.assert_close(free.project(W), W)
    assert free.chance == 0


def test_complex_fields_allow_complex_weights() -> None:
    P = spherical_projector(3, 3, channels=(2,), signals="complex")
    assert P.shape == (2, 3, 5)
    W = randn(2, 3, 5, dtype=C128)
    torch.testing.assert_close(P.project(1j * W), 1j * P.project(W))
    torch.testing.assert_close(P.project(W)[:, 1, 1], W[:, 1, 1:4].mean(-1))
    assert_laws(P, C128)
    assert_chance(P, C128)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("torch_harmonics") is None, reason="torch-harmonics is not installed")
def test_torch_harmonics_commutes_with_rotations() -> None:
    """Turns are made with the coefficients: the library's irreps turn them, the transform puts them on the grid."""
    import torch_harmonics as th

    L, G = 4, iw.SO(3)
    inverse = th.InverseRealSHT(8, 16, lmax=L, mmax=L, grid="legendre-gauss").to(torch.float64)
    forward = th.RealSHT(8, 16, lmax=L, mmax=L, grid="legendre-gauss").to(torch.float64)
    W = randn(L, L, dtype=C128)
    # Points of the grid: the harmonics of the library there, with e3nn's axes (y is the pole).
    rep = G.irreps("0 + 1 + 2 + 3")
    a = randn(rep.dim)
    g = G.sample(1, generator=torch.Generator().manual_seed(3))[0]
    basis = torch.zeros(rep.dim, 8, 16, dtype=torch.float64)
    row = 0
    for l in range(L):
        for m in range(-l, l + 1):
            spectrum = torch.zeros(L, L, dtype=C128)
            sign = (-1.0) ** abs(m)  # the Condon-Shortley phase, which e3nn's basis does not have
            spectrum[l, abs(m)] = sign * (1.0 if m >= 0 else -1j) * (1.0 if m == 0 else 0.5**0.5)
            basis[row] = inverse(spectrum)
            row += 1

    def layer(weights: torch.Tensor, coefficients: torch.Tensor) -> torch.Tensor:
        field = torch.einsum("r,rxy->xy", coefficients, basis)
        return inverse(forward(field) * weights)

    def error(weights: torch.Tensor) -> float:
        flat = basis.reshape(rep.dim, -1)
        out = torch.linalg.lstsq(flat.T, layer(weights, a).reshape(-1, 1)).solution[:, 0]
        turned = torch.einsum("r,rxy->xy", rep.act(g, out), basis)
        return float((layer(weights, rep.act(g, a)) - turned).abs().max())

    assert error(W) > 1e-2
    assert error(spherical_projector(L, L, channels=()).project(W)) < 1e-10


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("package", ["neuralop", "torch_harmonics"])
def test_layers_of_the_real_packages_are_bound(package: str) -> None:
    """``neuraloperator`` (in, out, l), kept as (Re, Im) and read as complex; torch-harmonics (groups, in, out, l)."""
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"{package} is not installed")
    if package == "neuralop":
        from neuralop.layers.spherical_convolution import SphericalConv

        layer, name = SphericalConv(3, 4, n_modes=(8, 8), factorization=None, bias=False), "weight.tensor"
        P = spherical_projector(8, channels=(3, 4))
    else:
        from torch_harmonics import SpectralConvS2

        layer, name = SpectralConvS2((8, 16), (8, 16), 3, 4), "weight"
        P = spherical_projector(layer.weight.shape[-1], channels=tuple(layer.weight.shape[:-1]))
    binding = iw.bind(layer, {name: P})
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.copy_(randn(*parameter.shape, dtype=C128 if parameter.is_complex() else torch.float64))
    assert float(binding.penalty(strength=1.0).detach()) > 0.1
    binding.project_()
    assert float(binding.penalty(strength=1.0).detach()) < 1e-10


@pytest.mark.parametrize("orders", [None, 3])
def test_pairs_of_real_numbers_are_complex_numbers(orders: int | None) -> None:
    P, Q = (spherical_projector(3, orders, channels=(2,), pairs=pairs) for pairs in (False, True))
    W = randn(*P.shape, dtype=C128)
    torch.testing.assert_close(Q.project(torch.view_as_real(W)), torch.view_as_real(P.project(W)))
    assert (Q.rank, Q.chance, Q.shape) == (P.rank, P.chance, (*P.shape, 2))
    counts = torch.ones(Q.shape[-2], 1, dtype=torch.float64)
    counts[0] = 1.0 if orders is None else 0.5
    assert_laws(Q, torch.float64, lambda W: W * counts)


def test_refusals() -> None:
    with pytest.raises(iw.errors.ArgumentError, match=r"degrees: expected an integer >= 1; got 0"):
        spherical_projector(0)
    with pytest.raises(iw.errors.ArgumentError, match=r"orders: expected an integer >= 1; got 1.5"):
        spherical_projector(2, 1.5)
    with pytest.raises(iw.errors.ArgumentError, match=r"channels: expected a tuple of lengths, None for any"):
        spherical_projector(2, channels=3)
    with pytest.raises(iw.errors.ArgumentError, match=r"signals: expected one of 'real', 'complex'; got 'scalar'"):
        spherical_projector(2, signals="scalar")
    with pytest.raises(iw.errors.ArgumentError, match=r"norm: expected one of 'operator', 'stored'"):
        spherical_projector(2, norm="l2")
    with pytest.raises(iw.errors.ArgumentError, match=r"channels: expected lengths of all axes"):
        spherical_projector(2, 2).basis()
    with pytest.raises(iw.errors.ShapeError, match=r"W: expected shape \(any, any, 2, 2\)"):
        spherical_projector(2, 2).project(torch.zeros(1, 1, 2, 3))
