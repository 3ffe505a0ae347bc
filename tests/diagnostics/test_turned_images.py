"""Turns between pixels: interpolation that is right where it is exact, and an error of its own beside the model's."""

import math

import pytest
import torch
from torch.nn import functional

import intertwine as iw
from intertwine.diagnostics.grids.turned_images import through_window, turned
from tests.binding.cases import seeded

N = 33


def waves(sides: tuple[int, ...], channels: int = 2, longest: float = 10.0) -> torch.Tensor:
    """Smooth images: random sums of waves, shape (2, channels, *sides), no shorter than ``longest`` pixels."""
    axes = [torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in sides]
    points = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    k = torch.randn(2, channels, 6, len(sides), generator=seeded(), dtype=torch.float64)
    k = k / k.norm(dim=-1, keepdim=True) * 2 * math.pi / longest
    phase = torch.rand(2, channels, 6, generator=seeded(1), dtype=torch.float64) * 2 * math.pi
    arguments = torch.einsum("bcwd,...d->bcw...", k, points)
    return (arguments + phase.reshape(*phase.shape, *[1] * len(sides))).cos().sum(2)


def gaussian(x: torch.Tensor, aspect: float = 1.0) -> torch.Tensor:
    """A blur, round for ``aspect`` 1."""
    t = torch.arange(-6, 7, dtype=x.dtype)
    rows, columns = torch.exp(-t.square() / 8), torch.exp(-t.square() / (8 * aspect))
    kernel = (rows[:, None] * columns).expand(x.shape[1], 1, -1, -1)
    return functional.conv2d(x, kernel, padding=6, groups=x.shape[1])


def test_quarter_turns_and_mirrors_are_those_of_the_grid() -> None:
    G = iw.Dihedral(8)
    rep = G.irreps("1 + 0+")
    between, exact = iw.on_grid(rep, interpolation="bilinear"), iw.on_grid(rep.restrict(iw.Dihedral(4)))
    x = waves((N, N), 3)
    for g in iw.Dihedral(4).elements():
        torch.testing.assert_close(between(g, x), exact(g, x), rtol=0, atol=1e-9)
    O = iw.Octahedral(reflections=True)
    volume = waves((7, 7, 7))
    act = iw.on_grid(2 * O.trivial(), interpolation="bilinear")
    for g in O.elements()[:12]:
        torch.testing.assert_close(act(g, volume), iw.on_grid(2 * O.trivial())(g, volume), rtol=0, atol=1e-9)


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_a_turned_wave_is_the_wave_of_the_turned_vector(mode: str) -> None:
    """``f(g^-1 x)`` of ``cos(k x)`` is ``cos((g k) x)``: against the formula and not against another interpolation."""
    angle = 0.7
    g = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]], dtype=torch.float64)
    rows, columns = torch.meshgrid(*[torch.arange(N, dtype=torch.float64) - (N - 1) / 2] * 2, indexing="ij")
    points = torch.stack([columns, -rows], -1)
    k = torch.tensor([0.5, 0.2], dtype=torch.float64)
    x, expected = (points @ k).cos()[None, None], (points @ (g @ k)).cos()[None, None]
    found = turned(x, g, mode)
    assert float(through_window(found - expected).norm() / through_window(expected).norm()) < 0.05
    wrong = (points @ (g.T @ k)).cos()[None, None]
    assert float(through_window(found - wrong).norm() / through_window(expected).norm()) > 0.5


def test_the_interpolation_is_told_from_the_function() -> None:
    x = waves((N, N))
    for G in (iw.Cyclic(8), iw.SO(2), iw.O(2)):
        act = iw.on_grid(2 * G.trivial(), interpolation="bilinear")
        round_, long = (
            iw.equivariance_error(lambda y, a=a: gaussian(y, a), act, act, x, generator=seeded()) for a in (1.0, 4.0)
        )
        for error in (round_, long):
            assert error.interpolation is not None
            assert 1e-3 < error.interpolation < 0.1
            assert f"turning there and back alone changes the images by {error.interpolation:.2e}" in str(error)
        assert float(round_) < 2 * round_.interpolation  # type: ignore[operator]
        assert "may be all of it" in str(round_)
        assert float(long) > 5 * long.interpolation  # type: ignore[operator]
        assert "may be all of it" not in str(long)


def test_the_interpolations_own_error_falls_with_the_wavelength() -> None:
    act = iw.on_grid(2 * iw.SO(2).trivial(), interpolation="bilinear")

    def own(longest: float) -> float:
        x = waves((N, N), longest=longest)
        return iw.equivariance_error(torch.nn.Identity(), act, act, x, generator=seeded()).interpolation or 0.0

    assert own(4.0) > 4 * own(10.0) > 8 * own(24.0)


def test_vectors_and_invariants() -> None:
    """The gradient of an image is a vector; its square is invariant once it is averaged."""
    G = iw.SO(2)
    x = waves((N, N), 1)

    def gradient(y: torch.Tensor) -> torch.Tensor:
        rows = functional.pad(y, (0, 0, 1, 1), "replicate").diff(dim=-2)
        columns = functional.pad(y, (1, 1, 0, 0), "replicate").diff(dim=-1)
        return torch.cat([columns[..., 1:] + columns[..., :-1], -(rows[..., 1:, :] + rows[..., :-1, :])], 1)

    image, vector = (iw.on_grid(rep, interpolation="bicubic") for rep in (G.trivial(), G.irreps("1")))
    scalar = iw.on_grid(2 * G.trivial(), interpolation="bicubic")
    right = iw.equivariance_error(gradient, image, vector, x, generator=seeded())
    wrong = iw.equivariance_error(gradient, image, scalar, x, generator=seeded())
    assert float(right) < 0.1
    assert float(wrong) > 1
    energy = iw.equivariance_error(
        lambda y: through_window(gradient(y)).square().sum((1, 2, 3))[:, None],
        image,
        G.trivial(),
        x,
        generator=seeded(),
    )
    assert float(energy) < 0.05
    assert energy.interpolation is not None


def test_volumes_and_rectangles() -> None:
    G = iw.SO(3)
    act = iw.on_grid(2 * G.trivial(), interpolation="bilinear")
    x = waves((15, 15, 15))
    error = iw.equivariance_error(lambda y: y.square(), act, act, x, num_samples=4, generator=seeded())
    assert error.interpolation is not None
    assert float(error) < 3 * error.interpolation < 0.5
    plane = iw.on_grid(2 * iw.SO(2).trivial(), interpolation="bilinear")
    wide = iw.equivariance_error(gaussian, plane, plane, waves((25, N)), generator=seeded())
    assert wide.interpolation is not None
    assert float(wide) < 2 * wide.interpolation


def test_nothing_is_interpolated_unasked() -> None:
    x = waves((9, 9))
    act = iw.on_grid(2 * iw.Cyclic(4).trivial())
    assert iw.equivariance_error(gaussian, act, act, x).interpolation is None
    eighth = iw.on_grid(2 * iw.Cyclic(8).trivial())
    with pytest.raises(iw.errors.ArgumentError, match="interpolation='bilinear'"):
        iw.equivariance_error(gaussian, eighth, eighth, x)


def test_refusals() -> None:
    with pytest.raises(iw.errors.ArgumentError, match=r"interpolation: expected one of None, 'bilinear'.*'cubic'"):
        iw.on_grid(iw.SO(2).trivial(), interpolation="cubic")
    volume = iw.on_grid(2 * iw.SO(3).trivial(), interpolation="bicubic")
    with pytest.raises(iw.errors.ArgumentError, match="interpolation: expected 'bilinear' in three dimensions"):
        iw.equivariance_error(torch.relu, volume, volume, waves((5, 5, 5)))
    boosts = iw.MatrixGroup(lie_algebra=[[[0.0, 1.0], [1.0, 0.0]]])
    with pytest.raises(iw.errors.ArgumentError, match="interpolation: expected turns, of a compact group"):
        iw.on_grid(boosts.trivial(), interpolation="bilinear")
