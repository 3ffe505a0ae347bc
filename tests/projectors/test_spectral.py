"""Fourier-neural-operator weights: the module law through rfft2, brute force, conjugation, layouts, errors."""

import importlib.util
import warnings

import numpy as np
import pytest
import torch

import intertwine as iw
from intertwine.projectors.spectral.spectral import spectral_projector
from intertwine.projectors.spectral.waves import stored_waves
from tests.projectors.closed_form_laws import assert_chance, assert_laws, randn

C128 = torch.complex128


def fourier_layer(W: torch.Tensor, x: torch.Tensor, order: str = "shifted") -> torch.Tensor:
    """``y^(k) = R(k)^T x^(k)`` on real images (batch, in, n1, n2), W of shape (in, out, m1, m2)."""
    n1, n2 = x.shape[-2:]
    m1, m2 = W.shape[2:]
    rows = torch.from_numpy(stored_waves((m1,), order, half=False)[:, 0] % n1)
    spectrum = torch.fft.rfft2(x)
    out = torch.zeros(len(x), W.shape[1], n1, n2 // 2 + 1, dtype=W.dtype)
    out[:, :, rows, :m2] = torch.einsum("bixy,ioxy->boxy", spectrum[:, :, rows, :m2], W)
    return torch.fft.irfft2(out, s=(n1, n2))


def act(rep: iw.Representation, g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Channels and pixels together: ``(g.x)(p) = rho(g) x(g^-1 p)``."""
    pixels = rep.group.grid(*x.shape[-2:])
    return rep.act(g, pixels.act(g, x.flatten(2)).mT).mT.reshape(x.shape)


def error(
    rep_in: iw.Representation, rep_out: iw.Representation, W: torch.Tensor, n: tuple[int, int], order: str
) -> float:
    x = randn(2, rep_in.dim, *n, seed=5)
    y = fourier_layer(W, x, order)
    errors = [
        float((fourier_layer(W, act(rep_in, g, x), order) - act(rep_out, g, y)).abs().max() / y.abs().max())
        for g in rep_in.group.generators  # the others are products of these
    ]
    return max(errors, default=0.0)


CASES = {
    "C4-regular": lambda: (iw.Cyclic(4).trivial(), 2 * iw.Cyclic(4).regular(), (5, 3)),
    "C4-irreps": lambda: (iw.Cyclic(4).irreps("0 + 1"), iw.Cyclic(4).irreps("1 + 2"), (5, 3)),
    "C4-mixed": lambda: (iw.Cyclic(4).irreps("1"), iw.Cyclic(4).regular(), (4, 3)),
    "D4": lambda: (iw.Dihedral(4).standard(), iw.Dihedral(4).irreps("0+ + 0- + 1"), (5, 3)),
    "D4-regular": lambda: (iw.Dihedral(4).trivial(), iw.Dihedral(4).regular(), (5, 3)),
    "C2": lambda: (iw.Cyclic(2).regular(), iw.Cyclic(2).irreps("0 + 1"), (4, 3)),
    "D1": lambda: (iw.Dihedral(1).regular(), iw.Dihedral(1).standard(), (5, 2)),
    "D2": lambda: (iw.Dihedral(2).standard(), iw.Dihedral(2).regular(), (3, 4)),
    "trivial": lambda: (2 * iw.Cyclic(1).trivial(), iw.Cyclic(1).trivial(), (4, 2)),
}


@pytest.mark.parametrize(("order", "norm"), [("shifted", "operator"), ("fft", "operator"), ("shifted", "stored")])
@pytest.mark.parametrize("name", CASES)
def test_projected_layers_commute_with_the_group(name: str, order: str, norm: str) -> None:
    rep_in, rep_out, modes = CASES[name]()
    P = spectral_projector(rep_in, rep_out, modes, order=order, norm=norm)
    W = randn(*P.shape, dtype=C128)
    for n in ((9, 9), (10, 10)):
        assert error(rep_in, rep_out, P.project(W), n, order) < 1e-12
        assert error(rep_in, rep_out, W, n, order) > 1e-2 or rep_in.group.order == 1
    assert float(P.project(W).abs().max()) > 0.1


def test_turns_about_a_pixel_commute_too() -> None:
    """torch.rot90 turns an even grid about a corner of pixels; about a pixel it differs by a shift."""
    G = iw.Cyclic(4)
    P = spectral_projector(G.trivial(), G.trivial(), (5, 3))
    W, x = P.project(randn(*P.shape, dtype=C128)), randn(1, 1, 8, 8)

    def turned(image: torch.Tensor) -> torch.Tensor:
        return torch.roll(torch.rot90(image, 1, (-2, -1)), 1, -2)

    assert turned(x)[0, 0, 0, 0] == x[0, 0, 0, 0]
    torch.testing.assert_close(fourier_layer(W, turned(x)), turned(fourier_layer(W, x)), rtol=0, atol=1e-12)


def operator(W: torch.Tensor, n: int) -> torch.Tensor:
    """The layer as a matrix (out * n * n, in * n * n)."""
    eye = torch.eye(W.shape[0] * n * n, dtype=torch.float64).reshape(-1, W.shape[0], n, n)
    return fourier_layer(W, eye).flatten(1).T


@pytest.mark.parametrize("name", ["C4-regular", "C4-irreps", "D4", "D1", "D2", "C2", "trivial"])
def test_p_is_the_mean_over_the_group_of_the_operator(name: str) -> None:
    rep_in, rep_out, modes = CASES[name]()
    group, n = rep_in.group, 7
    P = spectral_projector(rep_in, rep_out, modes)
    W = randn(*P.shape, dtype=C128)
    A, pixels, mean = operator(W, n), group.grid(n, n), 0
    for g in group.elements():
        first = torch.kron(rep_in.matrix(g), pixels.matrix(g))
        second = torch.kron(rep_out.matrix(g), pixels.matrix(g))
        mean = mean + second @ A @ first.T / group.order
    torch.testing.assert_close(operator(P.project(W), n), mean, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("norm", ["operator", "stored"])
def test_laws(name: str, norm: str) -> None:
    rep_in, rep_out, modes = CASES[name]()
    P = spectral_projector(rep_in, rep_out, modes, norm=norm)
    counts = torch.ones(modes, dtype=torch.float64)
    if norm == "operator":
        counts[:, 0] = 0.5  # stored twice
        counts[: modes[0] % 2 == 0, 0] = 0.25  # the first row of an even number has no partner and is read by half
    assert_laws(P, C128, lambda W: W * counts, real_linear=True)
    if name in ("C4-irreps", "D1"):
        assert_chance(P, C128, lambda W: W * counts)


def test_laws_can_fail() -> None:
    rep_in, rep_out, modes = CASES["C4-regular"]()
    P = spectral_projector(rep_in, rep_out, modes)
    with pytest.raises(AssertionError):  # the plain norm is not the one in which this P is orthogonal
        assert_laws(P, C128, real_linear=True)
    stored = spectral_projector(rep_in, rep_out, modes, norm="stored")
    with pytest.raises(AssertionError):
        assert_chance(stored, C128, lambda W: 2 * W)


def test_both_norms_have_one_fixed_space_and_differ_where_the_stored_line_turns() -> None:
    G = iw.Cyclic(4)
    operator_, stored = (spectral_projector(G.trivial(), G.trivial(), (3, 2), norm=n) for n in ("operator", "stored"))
    W = torch.zeros(1, 1, 3, 2, dtype=C128)
    W[0, 0, 1, 1] = 3.0  # one of three stored entries on the orbit of four waves, conjugate to two more
    assert operator_.rank == stored.rank == 3
    torch.testing.assert_close(operator_.project(W)[0, 0, 0, 0].real, torch.tensor(1.5, dtype=torch.float64))
    torch.testing.assert_close(stored.project(W)[0, 0, 0, 0].real, torch.tensor(1.0, dtype=torch.float64))
    torch.testing.assert_close(operator_.project(stored.project(W)), stored.project(W))


def test_p_is_real_linear_and_does_not_commute_with_i() -> None:
    G = iw.Cyclic(2)
    P = spectral_projector(G.trivial(), G.trivial(), (3, 2))
    W = randn(1, 1, 3, 2, dtype=C128)
    torch.testing.assert_close(P.project(2 * W), 2 * P.project(W))
    assert float((P.project(1j * W) - 1j * P.project(W)).abs().max()) > 0.1
    assert P.rank == 5
    assert float(P.project(W).imag.abs().max()) < 1e-15  # C2 turns k to -k: scalar weights are real


def test_waves_whose_orbit_is_not_stored_go_to_zero() -> None:
    G = iw.Cyclic(4)
    P = spectral_projector(G.trivial(), G.trivial(), (6, 5))
    kept = P.project(torch.ones(1, 1, 6, 5, dtype=C128))[0, 0].real
    expected = torch.zeros(6, 5, dtype=torch.float64)
    expected[1:, :3] = 1  # -2 .. 2 of -3 .. 2, and 0 .. 2 of 0 .. 4
    expected[0, 1:3] = expected[4:, 3] = 1  # (-3, 1) turns to (1, 3), and the other two are their conjugates
    expected[0, 0], expected[3, 3] = 1.5, 0.75  # of (-3, 0) half is read, so that the mean with (0, 3) is 3/4
    torch.testing.assert_close(kept, expected)


def test_nyquist_waves_are_kept_where_the_grid_is_known() -> None:
    G = iw.Dihedral(4)
    P = spectral_projector(G.regular(), G.regular(), (8, 5), grid=(8, 8))
    W = P.project(randn(*P.shape, dtype=C128))
    assert error(G.regular(), G.regular(), W, (8, 8), "shifted") < 1e-12
    assert float(W[:, :, 0].abs().max()) > 0.01
    assert P.rank > spectral_projector(G.regular(), G.regular(), (8, 5)).rank


@pytest.mark.parametrize("dim", [1, 3])
def test_other_dimensions(dim: int) -> None:
    if dim == 1:
        G = iw.Cyclic(2)
        P = spectral_projector(G.regular(), G.irreps("0 + 1"), (4,), space=G.irrep(1))
        W, x = P.project(randn(*P.shape, dtype=C128)), randn(1, 2, 9)
        out = torch.zeros(1, 2, 5, dtype=C128)

        def layer(x: torch.Tensor) -> torch.Tensor:
            out[..., :4] = torch.einsum("bik,iok->bok", torch.fft.rfft(x)[..., :4], W)
            return torch.fft.irfft(out, n=9)

        g = G.generators[0]
        mirrored = G.regular().act(g, x.flip(-1).mT).mT
        expected = G.irreps("0 + 1").act(g, layer(x).flip(-1).mT).mT
        torch.testing.assert_close(layer(mirrored), expected, rtol=0, atol=1e-12)
        return
    G = iw.Octahedral()
    P = spectral_projector(G.standard(), G.trivial(), (3, 3, 2))
    W, x = P.project(randn(*P.shape, dtype=C128)), randn(1, 3, 5, 5, 5)
    rows = torch.tensor([4, 0, 1])

    def layer3(x: torch.Tensor) -> torch.Tensor:
        out = torch.zeros(1, 1, 5, 5, 3, dtype=C128)
        part = torch.fft.rfftn(x, dim=(-3, -2, -1))[:, :, rows][:, :, :, rows, :2]
        out[:, :, rows[:, None], rows[None], :2] = torch.einsum("bixyz,ioxyz->boxyz", part, W)
        return torch.fft.irfftn(out, s=(5, 5, 5), dim=(-3, -2, -1))

    pixels = G.grid(5, 5, 5)
    for g in G.generators:
        moved = G.standard().act(g, pixels.act(g, x.flatten(2)).mT).mT.reshape(x.shape)
        expected = pixels.act(g, layer3(x).flatten(2)).reshape(1, 1, 5, 5, 5)
        torch.testing.assert_close(layer3(moved), expected, rtol=0, atol=1e-12)
    assert float(W.abs().max()) > 0.1


def test_complex_fields_are_complex_linear() -> None:
    G = iw.Cyclic(4)
    P = spectral_projector(G.regular(), G.irreps("0 + 1"), (3, 3), signals="complex")
    W = randn(*P.shape, dtype=C128)
    torch.testing.assert_close(P.project(1j * W), 1j * P.project(W))
    assert_laws(P, C128)
    assert_chance(P, C128)
    x = randn(1, 4, 5, 5, dtype=C128)
    rows = torch.tensor([4, 0, 1])

    def layer(x: torch.Tensor) -> torch.Tensor:
        out = torch.zeros(1, 3, 5, 5, dtype=C128)
        part = torch.fft.fft2(x)[:, :, rows][:, :, :, rows]
        out[:, :, rows[:, None], rows[None]] = torch.einsum("bixy,ioxy->boxy", part, P.project(W))
        return torch.fft.ifft2(out)

    g = G.generators[0]
    torch.testing.assert_close(layer(act(G.regular(), g, x)), act(G.irreps("0 + 1"), g, layer(x)), rtol=0, atol=1e-12)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.skipif(importlib.util.find_spec("neuralop") is None, reason="neuraloperator is not installed")
def test_neuraloperator_commutes_with_the_group() -> None:
    from neuralop.layers.spectral_convolution import SpectralConv

    G = iw.Dihedral(4)
    rep_in, rep_out = G.regular(), 2 * G.regular()
    layer = SpectralConv(8, 16, n_modes=(7, 7), bias=False)
    weight = layer.weight.tensor
    P = spectral_projector(rep_in, rep_out, tuple(weight.shape[2:]))
    x = randn(2, 8, 12, 12, dtype=torch.float32)

    def worst() -> float:
        y = layer(x)
        errors = [(layer(act(rep_in, g, x)) - act(rep_out, g, y)).abs().max() / y.abs().max() for g in G.elements()]
        return float(max(errors))

    with torch.no_grad():
        assert worst() > 1e-2
        weight.copy_(P.project(weight))
        assert worst() < 1e-5


def test_the_corner_blocks_of_the_first_layer_are_one_tensor_in_fft_order() -> None:
    G, m1, m2 = iw.Cyclic(4), 3, 3
    first, second = randn(4, 4, m1, m2, dtype=C128), randn(4, 4, m1, m2, seed=1, dtype=C128)
    P = spectral_projector(G.regular(), G.regular(), (2 * m1, m2), order="fft")
    W = P.project(torch.cat([first, second], 2))
    x, g = randn(1, 4, 8, 8), G.generators[0]

    def layer(x: torch.Tensor) -> torch.Tensor:
        spectrum, out = torch.fft.rfft2(x), torch.zeros(1, 4, 8, 5, dtype=C128)
        out[:, :, :m1, :m2] = torch.einsum("bixy,ioxy->boxy", spectrum[:, :, :m1, :m2], W[:, :, :m1])
        out[:, :, -m1:, :m2] = torch.einsum("bixy,ioxy->boxy", spectrum[:, :, -m1:, :m2], W[:, :, m1:])
        return torch.fft.irfft2(out, s=(8, 8))

    rep = G.regular()
    torch.testing.assert_close(layer(act(rep, g, x)), act(rep, g, layer(x)), rtol=0, atol=1e-12)


@pytest.mark.parametrize("norm", ["operator", "stored"])
def test_pairs_of_real_numbers_are_complex_numbers(norm: str) -> None:
    rep_in, rep_out, modes = CASES["D1"]()
    P = spectral_projector(rep_in, rep_out, modes, norm=norm)
    Q = spectral_projector(rep_in, rep_out, modes, norm=norm, pairs=True)
    W = randn(*P.shape, dtype=C128)
    torch.testing.assert_close(Q.project(torch.view_as_real(W)), torch.view_as_real(P.project(W)))
    torch.testing.assert_close(Q.squared_residual(torch.view_as_real(W)), P.squared_residual(W))
    assert (Q.rank, Q.chance, Q.shape, Q.numel) == (P.rank, P.chance, (*P.shape, 2), 2 * P.numel)
    counts = torch.ones(*modes, 1, dtype=torch.float64)
    if norm == "operator":
        counts[:, 0] = 0.5
    assert_laws(Q, torch.float64, lambda W: W * counts)
    with pytest.raises(iw.errors.DtypeError, match=r"W: expected a real tensor with \(Re, Im\) last"):
        Q.project(torch.zeros(Q.shape, dtype=C128))


def test_bind_takes_the_projector_by_the_name_of_the_parameter() -> None:
    G = iw.Cyclic(4)
    P = spectral_projector(G.regular(), G.regular(), (5, 3))

    class Layer(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(randn(4, 4, 5, 3, dtype=C128))

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return fourier_layer(self.weight, x)

    layer = Layer()
    binding = iw.bind(layer, {"weight": P})
    binding.penalty(strength=2.0).backward()
    torch.testing.assert_close(binding.penalty(strength=2.0), P.squared_residual(layer.weight))
    assert float(layer.weight.grad.abs().max()) > 0
    binding.project_()
    assert float(binding.penalty(strength=2.0).detach()) < 1e-20
    assert error(G.regular(), G.regular(), layer.weight.detach(), (8, 8), "shifted") < 1e-12


def test_refusals() -> None:
    G = iw.Cyclic(4)
    one = G.trivial()
    P = spectral_projector(one, one, (3, 2))
    with pytest.raises(iw.errors.DtypeError, match=r"W: expected a complex tensor, as Fourier layers store"):
        P.project(torch.zeros(1, 1, 3, 2))
    with pytest.raises(iw.errors.ShapeError, match=r"W: expected shape \(1, 1, 3, 2\)"):
        P.project(torch.zeros(1, 1, 2, 3, dtype=C128))
    with pytest.raises(iw.errors.ArgumentError, match=r"modes: expected a tuple of positive integers"):
        spectral_projector(one, one, (3, 0))
    with pytest.raises(iw.errors.ArgumentError, match=r"order: expected one of 'shifted', 'fft'"):
        spectral_projector(one, one, (3, 2), order="rfft")
    with pytest.raises(iw.errors.ArgumentError, match=r"norm: expected one of 'operator', 'stored'"):
        spectral_projector(one, one, (3, 2), norm="l2")
    with pytest.raises(iw.errors.ArgumentError, match=r"grid: expected sides of at least the number of stored modes"):
        spectral_projector(one, one, (6, 2), grid=(4, 4))
    with pytest.raises(iw.errors.GroupMismatchError, match=r"grid: expected sides that C4 keeps; got \(8, 6\)"):
        spectral_projector(one, one, (3, 2), grid=(8, 6))
    with pytest.raises(iw.errors.GroupMismatchError, match=r"rep_out: expected a representation of C4"):
        spectral_projector(one, iw.Cyclic(2).trivial(), (3, 2))
    with pytest.raises(iw.errors.GroupMismatchError, match=r"rep_in: expected a group that maps wave vectors onto"):
        spectral_projector(iw.Cyclic(8).trivial(), iw.Cyclic(8).trivial(), (3, 2))
    with pytest.raises(iw.errors.GroupMismatchError, match=r"rep_in: expected a finite group"):
        spectral_projector(iw.SO(2).trivial(), iw.SO(2).trivial(), (3, 2))
    H = iw.Cyclic(4)
    complex_rep = H.representation(np.array([[[1j]]]))
    with pytest.raises(iw.errors.DtypeError, match=r"rep_in: expected real representations, as signals are real"):
        spectral_projector(complex_rep, complex_rep, (3, 2))


def test_nothing_equivariant_is_a_warning() -> None:
    G = iw.Cyclic(4)
    with pytest.warns(iw.RankZeroWarning, match=r"No spectral weight from \(0\) to \(2\) on modes \(1, 1\)"):
        P = spectral_projector(G.trivial(), G.irrep(2), (1, 1))
    W = randn(1, 1, 1, 1, dtype=C128)
    assert float(P.project(W).abs().max()) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        Q = spectral_projector(G.trivial(), G.trivial(), (1, 1))
    assert "real rank 1 of 2" in repr(Q)


def test_reports_count_real_dimensions() -> None:
    """Weights on real fields: rank and size both count real numbers, so that the total chance is P's own."""
    G = iw.Cyclic(4)
    P = iw.spectral_projector(G.regular(), G.regular(), modes=(6, 4))
    model = torch.nn.Module()
    model.weight = torch.nn.Parameter(torch.randn(P.shape, dtype=torch.complex64))
    binding = iw.bind(model, {"weight": P})
    report = iw.report(binding, split=False)
    assert report.parameters[0].numel == 2 * model.weight.numel() == P.ambient_dim
    assert f"rank {P.rank} of {P.ambient_dim}" in repr(binding)
    assert report.chance == pytest.approx((1 - P.rank / P.ambient_dim) ** 0.5)
