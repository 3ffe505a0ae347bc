"""Relaxed convolutions over translations and scales."""

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.baselines.relaxed.layer import RelaxedLayer, relaxed_types
from intertwine.baselines.relaxed.scales import RelaxedScaleConv2d, RelaxedScaleLiftingConv2d
from intertwine.baselines.relaxed.translations import RelaxedTranslationConv2d
from intertwine.errors import ArgumentError, ShapeError


def seeded(number: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(number)


def randomised(layer: RelaxedLayer) -> RelaxedLayer:
    layer.relaxed_weights.data = torch.randn(layer.relaxed_weights.shape, generator=seeded(7))
    return layer


def test_relaxed_translation_commutes_with_shifts_at_equal_weights_only() -> None:
    layer = RelaxedTranslationConv2d(2, 3, 3, size=(6, 5), banks=2, padding_mode="circular", generator=seeded())
    x = torch.randn(2, 2, 6, 5, generator=seeded(1))

    @torch.no_grad()
    def error() -> float:
        return float((layer(x.roll((1, 2), (-2, -1))) - layer(x).roll((1, 2), (-2, -1))).abs().max())

    assert layer.constraint().item() == 0
    assert error() < 1e-6
    randomised(layer)
    assert layer.constraint().item() > 1
    assert error() > 0.1
    binding = iw.bind(layer, relaxed_types(layer))
    binding.penalty(1.0).backward()
    w = layer.relaxed_weights
    torch.testing.assert_close(w.grad, w - w.mean((0, 1)))
    binding.project_()
    assert layer.constraint().item() < 1e-5
    assert error() < 1e-5


def test_relaxed_translation_is_the_equation() -> None:
    layer = randomised(RelaxedTranslationConv2d(2, 3, 3, size=(6, 5), banks=2, generator=seeded()))
    x = torch.randn(1, 2, 6, 5, generator=seeded(1))
    expected = layer.bias[:, None, None] + sum(
        layer.relaxed_weights[:, :, bank] * nn.functional.conv2d(x, layer.filters[bank], padding=1) for bank in range(2)
    )
    torch.testing.assert_close(layer(x), expected)
    with pytest.raises(ShapeError, match=r"images of size \(6, 5\)"):
        layer(torch.zeros(1, 2, 5, 6))


@pytest.mark.parametrize(("padding", "boundary"), [("zeros", "bounded"), ("circular", "periodic")])
def test_differences_wrap_around_where_images_do(padding: str, boundary: str) -> None:
    layer = RelaxedTranslationConv2d(1, 1, 3, size=(4, 4), padding_mode=padding)
    layer.relaxed_weights.data[0, 0, 0] += 3.0
    # A corner pixel differs from one neighbour on each axis, or from two around the end.
    expected = {"bounded": 6.0, "periodic": 6 * 2**0.5}[boundary]
    assert layer.constraint().item() == pytest.approx(expected)
    assert layer.boundary == boundary


def scale_network() -> nn.Sequential:
    generator = seeded()
    return nn.Sequential(
        RelaxedScaleLiftingConv2d(2, 3, 3, scales=4, banks=2, generator=generator),
        nn.ReLU(),
        RelaxedScaleConv2d(3, 2, 3, scales=4, depth=2, banks=2, generator=generator),
    )


@pytest.mark.parametrize("depth", [1, 3])
def test_every_second_pixel_moves_the_scales_by_one(depth: int) -> None:
    model = scale_network()
    x = torch.randn(1, 2, 16, 16, generator=seeded(1))

    @torch.no_grad()
    def error() -> float:
        """Scales 1, 2 of the image against 0, 1 of its every second pixel; the last scale lacks what lies beyond."""
        fine, coarse = (model[:depth](image).unflatten(1, (-1, 4)) for image in (x, x[..., ::2, ::2]))
        return float((fine[:, :, 1:3, ::2, ::2] - coarse[:, :, :2]).abs().max())

    assert error() < 1e-6
    randomised(model[0])
    assert error() > 0.1


def test_relaxed_weights_of_scales() -> None:
    """The filters of scale layers train too, and the projection makes the weights equal."""
    model = scale_network()
    model(torch.randn(1, 2, 16, 16, generator=seeded(1))).square().sum().backward()
    assert all(float(p.grad.norm()) > 0 for p in model.parameters())
    assert model[2].constraint().item() == 0
    randomised(model[2])
    types = relaxed_types(model)
    assert not types["2.relaxed_weights"].exact
    iw.bind(model, types).project_()
    assert model[2].constraint().item() < 1e-5


def test_relaxed_scale_convolution_is_the_equation() -> None:
    layer = randomised(RelaxedScaleConv2d(2, 3, 3, scales=3, depth=2, banks=2, generator=seeded()))
    x = torch.randn(1, 6, 8, 8, generator=seeded(1))
    outputs = layer(x).unflatten(1, (3, 3))
    for s in range(3):
        expected = layer.bias[:, None, None].expand(3, 8, 8)
        for t in range(2):
            if s + t < 3:
                kernel = torch.tensordot(layer.relaxed_weights[s + t], layer.filters[:, :, :, t], dims=1)
                seen = x.unflatten(1, (2, 3))[:, :, s + t]
                expected = expected + nn.functional.conv2d(seen, kernel, padding=2**s, dilation=2**s)[0]
        torch.testing.assert_close(outputs[0, :, s], expected)


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ArgumentError, match="scales: expected an integer >= 1"):
        RelaxedScaleLiftingConv2d(1, 1, 3, scales=0)
    with pytest.raises(ArgumentError, match="height: expected an integer >= 1"):
        RelaxedTranslationConv2d(1, 1, 3, size=(0, 4))
