"""Translations: circulant by orbits and by Fourier transform, Toeplitz, kernels per position, the torus, errors."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

import intertwine as iw
from intertwine.projectors.constants import Constants
from intertwine.projectors.positions.positions import position_projector
from intertwine.projectors.positions.translation import ToeplitzProjector, torus, translation_projector
from tests.laws.registry import projector_matrix
from tests.projectors.closed_form_laws import assert_chance, assert_laws, randn


@pytest.mark.parametrize("sides", [(4,), (3, 4), (1, 3), (2, 3, 2)])
def test_the_torus_rolls_and_is_the_regular_representation(sides: tuple[int, ...]) -> None:
    rep = torus(*sides)
    iw.testing.assert_representation(rep)
    x = randn(*sides)
    for number, axis in enumerate(axis for axis, side in enumerate(sides) if side > 1):
        rolled = rep.act(rep.group.generators[number], x.flatten()).reshape(sides)
        torch.testing.assert_close(rolled, torch.roll(x, 1, axis))
    regular = rep.group.regular()
    torch.testing.assert_close(rep.character(rep.group.elements()), regular.character(rep.group.elements()))


@pytest.mark.parametrize("sides", [(5,), (3, 4), (2, 3, 2)])
def test_orbit_and_fourier_agree_with_rolls(sides: tuple[int, ...]) -> None:
    orbit = translation_projector(2, 3, sides, method="orbit")
    fourier = translation_projector(2, 3, sides, method="fft")
    assert (orbit.method, fourier.method, orbit.rank, orbit.shape) == ("orbit", "fft", fourier.rank, fourier.shape)
    W = randn(*orbit.shape)
    torch.testing.assert_close(orbit.project(W), fourier.project(W), rtol=0, atol=1e-10)
    torch.testing.assert_close(orbit.squared_residual(W), fourier.squared_residual(W), rtol=1e-10, atol=0)
    grid = W.reshape(3, *sides, 2, *sides)
    mean, d = torch.zeros_like(grid), len(sides)
    shifts = torch.cartesian_prod(*(torch.arange(n) for n in sides)).reshape(-1, d).tolist()
    for shift in shifts:
        mean += torch.roll(grid, shift + shift, (*range(1, 1 + d), *range(2 + d, 2 + 2 * d))) / len(shifts)
    torch.testing.assert_close(fourier.project(W), mean.reshape(W.shape), rtol=0, atol=1e-12)
    Z = randn(*orbit.shape, dtype=torch.complex128)
    torch.testing.assert_close(orbit.project(Z), fourier.project(Z), rtol=0, atol=1e-10)


def test_large_grids_go_through_the_fourier_transform() -> None:
    P = translation_projector(1, 1, (33, 32))
    assert P.method == "fft"
    assert P.constant_bytes == 0
    assert translation_projector(1, 1, (8, 8)).method == "orbit"


def test_projected_dense_layers_are_convolutions() -> None:
    P = translation_projector(2, 3, (4, 5), method="fft")
    W, x = P.project(randn(*P.shape)), randn(2, 2, 4, 5)

    def layer(W: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        return F.linear(x.flatten(1), W).reshape(-1, 3, 4, 5)

    for shift in ((1, 0), (2, 3)):
        rolled = torch.roll(x, shift, (2, 3))
        torch.testing.assert_close(layer(W, rolled), torch.roll(layer(W, x), shift, (2, 3)), rtol=0, atol=1e-12)
    raw = randn(*P.shape, seed=1)
    assert float((layer(raw, rolled) - torch.roll(layer(raw, x), shift, (2, 3))).abs().max()) > 0.1


def test_bounded_layers_are_convolutions_with_zero_padding() -> None:
    P = translation_projector(2, 3, (3, 4), boundary="bounded")
    assert not P.exact
    assert "shifts leave a bounded grid" in P.reason
    W, x = P.project(randn(*P.shape)), randn(1, 2, 3, 4)
    dense = W.reshape(3, 3, 4, 2, 3, 4)
    kernel = torch.zeros(3, 2, 5, 7, dtype=torch.float64)
    for i in range(3):
        for j in range(4):
            kernel[:, :, 2 - i : 5 - i, 3 - j : 7 - j] = dense[:, i, j]  # k(y - x), the same from every x
    expected = F.conv2d(x, kernel, padding=(2, 3))
    torch.testing.assert_close(F.linear(x.flatten(1), W).reshape(1, 3, 3, 4), expected, rtol=0, atol=1e-12)
    assert P.rank == 2 * 3 * 5 * 7


def test_the_truncated_scale_axis_is_the_mean_over_valid_shifts() -> None:
    W = randn(3, 3)
    PW = translation_projector(1, 1, (3,), boundary="bounded").project(W)
    for offset in range(-2, 3):
        mean = torch.diagonal(W, offset).mean().expand(3 - abs(offset))
        torch.testing.assert_close(torch.diagonal(PW, offset), mean)


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_laws(dtype: torch.dtype) -> None:
    for P in (
        translation_projector(2, 1, (3,), method="fft"),
        translation_projector(1, 2, (3,), boundary="bounded"),
    ):
        assert_laws(P, dtype)
        assert_chance(P, dtype)
    if dtype == torch.float64:
        P = translation_projector(2, 1, (2, 3), method="fft")
        torch.testing.assert_close(
            projector_matrix(P), projector_matrix(translation_projector(2, 1, (2, 3))), rtol=0, atol=1e-12
        )


def test_laws_can_fail() -> None:
    P = ToeplitzProjector(1, 1, (3,))
    labels = torch.arange(3)[:, None] - torch.arange(3) + 2
    P._constants = Constants(labels=labels.flatten().numpy(), counts=np.full(5, 3.0))
    with pytest.raises(AssertionError):  # every diagonal divided by three
        assert_laws(P, torch.float64)


def test_kernels_per_position_become_one() -> None:
    """A locally connected layer with W = PW is the convolution with the mean kernel."""
    H, W_, k = 4, 5, 3
    P = position_projector((H, W_, None, None, k, k), (0, 1))
    kernels = randn(H, W_, 3, 2, k, k)
    projected = P.project(kernels)
    torch.testing.assert_close(projected, kernels.mean((0, 1), keepdim=True).expand_as(kernels), rtol=0, atol=1e-12)
    x = randn(1, 2, H, W_)
    patches = F.unfold(x, k, padding=1).reshape(1, 2, k, k, H, W_)
    local = torch.einsum("xyoikl,biklxy->boxy", projected, patches)
    torch.testing.assert_close(local, F.conv2d(x, projected[0, 0], padding=1), rtol=0, atol=1e-12)
    assert P.rank == k * k
    assert P.exact


def test_positions_anywhere_and_on_bounded_grids() -> None:
    W = randn(2, 3, 4, 2)
    for positions in ((1,), (0, 2), (-1, 1), (0, 1, 2, 3)):
        P = position_projector((2, 3, 4, 2), positions)
        torch.testing.assert_close(P.project(W), W.mean(positions, keepdim=True).expand_as(W), rtol=0, atol=1e-12)
    bounded = position_projector((2, 3, None, 2), (0, 1), boundary="bounded")
    assert not bounded.exact
    assert "no group acts" in bounded.reason
    single = position_projector((1, 3), (0,))
    torch.testing.assert_close(single.project(W[0, :, :1, 0].T), W[0, :, :1, 0].T)
    iw.testing.assert_projector(position_projector((2, 3, 2), (0, 1)))


def test_refusals() -> None:
    with pytest.raises(iw.errors.ArgumentError, match=r"sides: expected a tuple of positive integers"):
        torus()
    with pytest.raises(iw.errors.ArgumentError, match=r"grid: expected a tuple of positive integers"):
        translation_projector(1, 1, (0, 3))
    with pytest.raises(iw.errors.ArgumentError, match=r"channels_out: expected an integer >= 1; got 0"):
        translation_projector(1, 0, (3,))
    with pytest.raises(iw.errors.ArgumentError, match=r"boundary: expected one of 'periodic', 'bounded'"):
        translation_projector(1, 1, (3,), boundary="zeros")
    with pytest.raises(iw.errors.ArgumentError, match=r"method: expected 'orbit', 'fft' or None"):
        translation_projector(1, 1, (3,), boundary="bounded", method="fft")
    with pytest.raises(iw.errors.ArgumentError, match=r"positions: expected different axes of shape \(None, 3\)"):
        position_projector((None, 3), (0,))
    with pytest.raises(iw.errors.ArgumentError, match=r"positions: expected different axes"):
        position_projector((2, 3), (0, -2))
    with pytest.raises(iw.errors.ArgumentError, match=r"shape: expected a tuple of lengths, None for any"):
        position_projector("ab", (0,))
    with pytest.raises(iw.errors.ArgumentError, match=r"boundary: expected one of 'periodic', 'bounded'"):
        position_projector((2, 3), (0,), boundary="zeros")
