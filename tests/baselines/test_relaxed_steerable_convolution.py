"""Relaxed steerable convolutions: equivariant where coefficients do not vary over the kernel's pixels."""

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.baselines.relaxed.layer import relaxed_types
from intertwine.baselines.relaxed.steerable import RelaxedSteerableConv2d
from intertwine.errors import ArgumentError, RankZeroWarning

G = iw.Cyclic(4)


def network() -> nn.Sequential:
    generator = torch.Generator().manual_seed(0)
    return nn.Sequential(
        RelaxedSteerableConv2d(G.standard(), G.regular(), 2, 3, 3, generator=generator),
        nn.ReLU(),
        RelaxedSteerableConv2d(G.regular(), G.standard(), 3, 1, 3, generator=generator),
    )


def error(model: nn.Module) -> float:
    x = torch.randn(2, 4, 9, 9, generator=torch.Generator().manual_seed(1))

    def turned(x: torch.Tensor) -> torch.Tensor:
        rep = x.shape[1] // 2 * G.standard()
        return torch.einsum("ab,nbyx->nayx", rep.matrix(G.generators[0]).float(), torch.rot90(x, 1, (-2, -1)))

    with torch.no_grad():
        expected = turned(model(x))
        return float((model(turned(x)) - expected).norm() / expected.norm())


def randomise(model: nn.Sequential) -> None:
    generator = torch.Generator().manual_seed(2)
    for layer in (model[0], model[2]):
        layer.relaxed_weights.data = torch.randn(layer.relaxed_weights.shape, generator=generator)


@pytest.mark.parametrize("norm", ["coefficients", "filters"])
def test_equivariant_at_the_start_and_when_projected_in_either_norm(norm: str) -> None:
    model = network()
    assert error(model) < 2e-6
    randomise(model)
    assert error(model) > 0.1
    iw.bind(model, relaxed_types(model, norm)).project_()
    assert error(model) < 2e-6


def test_filters_norm_is_the_norm_of_what_the_layer_does() -> None:
    """The nearest equivariant kernel, which the mean of the coefficients is not."""
    model = network()
    randomise(model)
    layer = model[0]
    P = iw.projector(2 * G.standard(), 3 * G.regular(), kernel=(3, 3))
    before = layer.kernel().detach()
    exact = float(P.squared_residual(before))
    in_filters = layer.relaxed_projector("filters")
    assert float(in_filters.squared_residual(layer.relaxed_weights.detach())) == pytest.approx(exact, rel=1e-4)
    w = layer.relaxed_weights.data.clone()
    distances = {}
    for norm in ("filters", "coefficients"):
        layer.relaxed_weights.data = layer.relaxed_projector(norm).project(w)
        distances[norm] = float((layer.kernel().detach() - before).square().sum())
    assert distances["filters"] == pytest.approx(exact, rel=1e-4)
    assert distances["coefficients"] > 1.1 * exact


def test_kernel_is_the_equation() -> None:
    model = network()
    randomise(model)
    layer = model[0]
    kernel, w = layer.kernel().reshape(3, 4, 2, 2, 3, 3), layer.relaxed_weights
    for y in range(3):
        for x in range(3):
            expected = torch.tensordot(w[1, :, 0, y, x], layer.basis[:, :, :, y, x], dims=1)
            torch.testing.assert_close(kernel[1, :, 0, :, y, x], expected)


def test_constraint_sums_the_differences_along_both_axes() -> None:
    layer = network()[0]
    assert layer.constraint().item() == 0
    layer.relaxed_weights.data[0, 0, 0, 0, 0] += 2.0
    # The corner has one neighbour on each axis, as pixels do not wrap around.
    assert layer.constraint().item() == pytest.approx(4.0, rel=1e-5)


def test_initial_kernel_has_the_variance_of_torch() -> None:
    layer = RelaxedSteerableConv2d(G.regular(), G.regular(), 8, 8, 3, generator=torch.Generator().manual_seed(0))
    assert layer.kernel().var().item() == pytest.approx(1 / (3 * 32 * 9), rel=0.1)
    assert network()[2].bias is None


def test_turns_by_an_eighth_are_nearly_equivariant() -> None:
    """C8 has no exact action on pixels: steerable kernels are sampled, and the layer keeps quarter turns exactly."""
    G8 = iw.Cyclic(8)
    layer = RelaxedSteerableConv2d(G8.trivial(), G8.irrep(1), 1, 2, 5, generator=torch.Generator().manual_seed(0))
    x = torch.randn(1, 1, 11, 11, generator=torch.Generator().manual_seed(1))
    quarter = (2 * G8.irrep(1)).matrix(list(G8.elements())[2]).float()
    expected = torch.einsum("ab,nbyx->nayx", quarter, torch.rot90(layer(x), 1, (-2, -1)))
    torch.testing.assert_close(layer(torch.rot90(x, 1, (-2, -1))), expected, rtol=0, atol=1e-5)


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ArgumentError, match="kernel_size: expected an odd integer"):
        RelaxedSteerableConv2d(G.trivial(), G.trivial(), 1, 1, 2)
    with (
        pytest.warns(RankZeroWarning),
        pytest.raises(ArgumentError, match="rep_out: expected a field with steerable 1x1 kernels"),
    ):
        RelaxedSteerableConv2d(G.trivial(), G.irrep(1), 1, 1, 1)
