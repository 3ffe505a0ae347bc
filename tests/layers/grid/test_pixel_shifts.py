"""Shifts of periodic images as an action: rolls, coarser grids, pooled outputs, names."""

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.layers.grid.pixel_shifts import shift_text, torus_field
from tests.binding.cases import seeded

TORUS = iw.torus(16, 16)
G = TORUS.group


def randn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(), dtype=torch.float64)


def conv(stride: int = 1, mode: str = "circular") -> nn.Module:
    return nn.Conv2d(3, 8, 3, stride=stride, padding=1, padding_mode=mode).double()


def images(space: iw.Representation, channels: int) -> iw.GridAction:
    return iw.on_grid(channels * space.group.trivial(), space=space)


@pytest.mark.parametrize("sides", [(4, 6), (5,), (2, 3, 4), (3, 1)])
def test_the_same_as_the_representation_of_the_pixels(sides: tuple[int, ...]) -> None:
    space = iw.torus(*sides)
    x = randn(2, 3, *sides)
    act = images(space, 3)
    for g in space.group.elements():
        expected = space.act(g, x.flatten(2)).reshape(x.shape)
        torch.testing.assert_close(act(g, x), expected, rtol=0, atol=0)
    if sides == (4, 6):
        torch.testing.assert_close(act(space.group.generators[1], x), x.roll(1, -1), rtol=0, atol=0)


def test_circular_convolutions_keep_shifts_and_zeros_do_not() -> None:
    x = randn(1, 3, 16, 16)
    image, out = images(TORUS, 3), images(TORUS, 8)
    assert float(iw.equivariance_error(conv(), image, out, x)) < 1e-12
    padded = iw.equivariance_error(conv(mode="zeros"), image, out, x, generator=seeded())
    assert float(padded) > 0.1
    assert padded.worst_element_text.startswith("shift by ")
    assert "along axis" in str(padded)
    one = conv(mode="zeros")
    rolled = float((one(x.roll(1, -1)) - one(x).roll(1, -1)).norm().detach() / one(x).norm().detach())
    alone = iw.torus(1, 16)
    along = iw.equivariance_error(one, images(alone, 3), images(alone, 8), x)
    assert along.exact
    assert along.num_elements == 16
    assert float(along) >= rolled > 0.05


def test_a_stride_breaks_odd_shifts_and_keeps_even_ones() -> None:
    x = randn(1, 3, 16, 16)
    net = nn.Sequential(conv(stride=2), nn.ReLU())
    mean = net(x).mean((2, 3)).detach()
    moved = net(x.roll(1, -1)).mean((2, 3)).detach()
    pooled = iw.equivariance_error(lambda y: net(y).mean((2, 3)), images(TORUS, 3), 8 * G.trivial(), x)
    assert float(pooled) > 0.5 * float((moved - mean).norm() / mean.norm()) > 0.01
    kept = nn.Sequential(nn.AdaptiveAvgPool2d(1)).double()
    assert float(iw.equivariance_error(kept, images(TORUS, 3), images(TORUS, 3), x)) < 1e-12  # one pixel stays
    message = (
        r"the output of function: expected sides that are multiples of 16 x 16.*got 8 x 8, which a step along axis 0 "
        r"shifts by 8/16 of a pixel.*breaks these shifts.*2 x 2 steps at a time, with space=iw\.torus\(8, 8\)"
    )
    with pytest.raises(iw.errors.ShapeError, match=message):
        iw.equivariance_error(net, images(TORUS, 3), images(TORUS, 8), x)
    even = iw.torus(8, 8)
    error = iw.equivariance_error(net, images(even, 3), images(even, 8), x)
    assert float(error) < 1e-12
    assert error.tested
    assert error.num_elements == 64
    ramp = torch.linspace(0, 1, 8).double()
    assert float(iw.equivariance_error(lambda y: net(y) + ramp, images(even, 3), images(even, 8), x)) > 0.1


def test_names() -> None:
    field = torus_field(TORUS)
    assert field is not None
    first, second = G.generators
    assert shift_text(field, first) == "shift by 1 along axis 0"
    assert shift_text(field, second @ second @ first) == "shift by 1 along axis 0, by 2 along axis 1"
    assert shift_text(field, torch.linalg.inv(second)) == "shift by -1 along axis 1"
    assert shift_text(field, torch.eye(4)) == "the identity"
    assert torus_field(2 * TORUS) is None
    assert torus_field(G.regular()) is None


def test_large_images_build_no_matrices() -> None:
    space = iw.torus(256, 256)
    x = torch.zeros(1, 1, 256, 256)
    x[0, 0, 3, 5] = 1
    error = iw.equivariance_error(torch.relu, images(space, 1), images(space, 1), x, num_samples=2)
    assert float(error) == 0
    assert error.tested


def test_refusals() -> None:
    x = randn(1, 3, 16, 16)
    line = iw.torus(16)
    with pytest.raises(iw.errors.ShapeError, match=r"x: expected 1 axes of pixels, as space = torus\[16\] has"):
        iw.equivariance_error(torch.relu, images(line, 3), images(line, 3), x)
    with pytest.raises(iw.errors.ShapeError, match="x: expected sides that are multiples of 16 x 16"):
        iw.equivariance_error(torch.relu, images(TORUS, 3), images(TORUS, 3), x[..., :12])
    with pytest.raises(iw.errors.ArgumentError, match="None with shifts"):
        iw.on_grid(G.trivial(), space=TORUS, interpolation="bilinear")
