"""Relaxed group convolutions: equivariant at equal weights, and only there."""

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.baselines import Subject, leave
from intertwine.baselines.relaxed.layer import relaxed_layers, relaxed_types
from intertwine.baselines.relaxed.rotations import (
    RelaxedGroupConv2d,
    RelaxedLiftingConv2d,
    RelaxedProjectingConv2d,
)
from intertwine.baselines.relaxed.turned_kernels import turning_matrices
from intertwine.baselines.relaxed_constraint import RelaxedConstraint
from intertwine.errors import ArgumentError, GroupMismatchError

G = iw.Cyclic(4)


def turned(x: torch.Tensor, rep: iw.Representation) -> torch.Tensor:
    """The quarter turn of feature maps whose channels carry ``rep``."""
    matrix = rep.matrix(G.generators[0]).to(x.dtype)
    return torch.einsum("ab,nbyx->nayx", matrix, torch.rot90(x, 1, (-2, -1)))


def network(mode: str = "zeros") -> nn.Sequential:
    """Velocities in, velocities out, two hidden layers of three regular fields."""
    generator = torch.Generator().manual_seed(0)
    options = {"banks": 2, "padding_mode": mode, "generator": generator}
    return nn.Sequential(
        RelaxedLiftingConv2d(2, 3, 3, field=G.standard(), **options),
        nn.ReLU(),
        RelaxedGroupConv2d(3, 3, 3, **options),
        nn.ReLU(),
        RelaxedProjectingConv2d(3, 1, 5, field=G.standard(), **options),
    )


def error(model: nn.Module, rep_in: iw.Representation, rep_out: iw.Representation) -> float:
    x = torch.randn(2, rep_in.dim, 9, 9, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = turned(model(x), rep_out)
        return float((model(turned(x, rep_in)) - expected).norm() / expected.norm())


@pytest.mark.parametrize("mode", ["zeros", "circular"])
def test_equal_weights_are_exactly_equivariant(mode: str) -> None:
    model = network(mode)
    rep_in = 2 * G.standard()
    assert error(model, rep_in, G.standard()) < 2e-6
    for length in range(1, 5):
        part, rep = model[:length], 3 * G.regular()
        assert error(part, rep_in, rep) < 2e-6
    # Other constants along h do as well; different ones do not.
    for number in (0, 2, 4):
        weights = model[number].relaxed_weights
        weights.data = torch.tensor([[0.7, -1.3]]).repeat(4, 1)
        assert error(model, rep_in, G.standard()) < 2e-6
        weights.data[1, 0] += 0.5
        assert error(model, rep_in, G.standard()) > 1e-2
        weights.data[1, 0] -= 0.5


def test_kernels_at_equal_weights_are_fixed_by_the_projector() -> None:
    """The composed kernels are those that ``iw.projector`` calls equivariant: the layers share its conventions."""
    lift, group, last = (module for _, module in relaxed_layers(network()))
    pairs = ((2 * G.standard(), 3 * G.regular()), (3 * G.regular(), 3 * G.regular()), (3 * G.regular(), G.standard()))
    for layer, (rep_in, rep_out), side in zip((lift, group, last), pairs, (3, 3, 5), strict=True):
        P = iw.projector(rep_in, rep_out, kernel=(side, side))
        assert float(P.relative_residual(layer.kernel())) < 1e-6
        layer.relaxed_weights.data[2] *= 1.5
        assert float(P.relative_residual(layer.kernel())) > 0.05


def test_group_kernel_is_the_equation() -> None:
    """Entry (g, h): ``sum_l w_l(h) psi_l(g^-1 h)``, its pixels turned by g."""
    layer = RelaxedGroupConv2d(2, 3, 3, banks=2, generator=torch.Generator().manual_seed(0))
    layer.relaxed_weights.data = torch.randn(4, 2, generator=torch.Generator().manual_seed(1))
    kernel = layer.kernel().reshape(3, 4, 2, 4, 3, 3)
    psi = layer.filters.reshape(2, 3, 2, 4, 3, 3)
    for g in range(4):
        for h in range(4):
            mixed = sum(layer.relaxed_weights[h, b] * psi[b, :, :, (h - g) % 4] for b in range(2))
            torch.testing.assert_close(kernel[:, g, :, h], torch.rot90(mixed, g, (-2, -1)))


def test_constraint_vanishes_only_at_equal_weights() -> None:
    layer = RelaxedLiftingConv2d(1, 2, 3, banks=2)
    assert layer.constraint().item() == 0
    layer.constraint().backward()
    assert bool(layer.relaxed_weights.grad.isfinite().all())
    layer.relaxed_weights.data = torch.tensor([[1.0, 0], [3, 0], [3, 0], [3, 1]])
    # Differences along h, around the end: (2, 0), (0, 0), (0, 1), (-2, -1).
    assert layer.constraint().item() == pytest.approx(10**0.5)
    layer.relaxed_weights.data = torch.tensor([[5.0, -2.0]]).repeat(4, 1)
    assert layer.constraint().item() == 0


def test_gradient_of_ours_is_the_weights_minus_their_mean() -> None:
    model = network()
    generator = torch.Generator().manual_seed(4)
    for _, layer in relaxed_layers(model):
        layer.relaxed_weights.data = torch.randn(4, 2, generator=generator)
    binding = iw.bind(model, relaxed_types(model))
    assert [entry.name for entry in binding] == ["0.relaxed_weights", "2.relaxed_weights", "4.relaxed_weights"]
    binding.penalty(3.0).backward()
    for _, layer in relaxed_layers(model):
        w = layer.relaxed_weights
        torch.testing.assert_close(w.grad, 3 * (w - w.mean(0)))
    binding.project_()
    assert error(model, 2 * G.standard(), G.standard()) < 2e-6


def test_constraint_method_adds_it_once_for_every_layer() -> None:
    model = network()
    layers = [layer for _, layer in relaxed_layers(model)]
    for number, layer in enumerate(layers):
        layer.relaxed_weights.data[0, 0] += number + 1
    subject = Subject(model, iw.bind(model, relaxed_types(model)), G, leave, leave)
    method = RelaxedConstraint(subject, 0.1)
    nothing = torch.zeros(0)
    # One entry off by d differs from both of its neighbours: a norm of sqrt(2) d.
    assert method.penalty(nothing, nothing).item() == pytest.approx(0.1 * 6 * 2**0.5, rel=1e-5)
    plain = nn.Linear(4, 4)
    typed = Subject(plain, iw.bind(plain, {"": (G.regular(), G.regular())}), G, leave, leave)
    with pytest.raises(ArgumentError, match="a model with relaxed convolutions"):
        RelaxedConstraint(typed, 0.1)


def test_all_parameters_train() -> None:
    model = network()
    model(torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))).square().sum().backward()
    assert all(float(p.grad.norm()) > 0 for p in model.parameters())


def test_turns_of_kernels() -> None:
    quarter = torch.from_numpy(turning_matrices(4, 5))
    image = torch.randn(5, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for g in range(4):
        torch.testing.assert_close((quarter[g] @ image.flatten()).reshape(5, 5), torch.rot90(image, g), rtol=0, atol=0)
    eighth = torch.from_numpy(turning_matrices(8, 5))
    torch.testing.assert_close(eighth[::2], quarter)
    # A smooth bump right of the centre goes to the upper right.
    rows, columns = torch.meshgrid(*(torch.arange(9.0, dtype=torch.float64) - 4,) * 2, indexing="ij")

    def bump(row: float, column: float) -> torch.Tensor:
        return torch.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 4)

    moved = torch.from_numpy(turning_matrices(8, 9))[1] @ bump(0, 2.0).flatten()
    assert float((moved.reshape(9, 9) - bump(-(2**0.5), 2**0.5)).norm() / bump(0, 2).norm()) < 0.1


def test_initial_scale_keeps_features_alive() -> None:
    layer = RelaxedGroupConv2d(8, 8, 3, banks=3, generator=torch.Generator().manual_seed(0))
    plain = 1 / (3 * 8 * 4 * 9)
    assert layer.kernel().var().item() == pytest.approx(plain, rel=0.15)


def test_refuses_what_does_not_fit() -> None:
    with pytest.raises(ArgumentError, match="kernel_size: expected an odd integer"):
        RelaxedLiftingConv2d(1, 2, 4)
    with pytest.raises(ArgumentError, match="banks: expected an integer >= 1"):
        RelaxedGroupConv2d(1, 2, 3, banks=0)
    with pytest.raises(ArgumentError, match="padding_mode"):
        RelaxedGroupConv2d(1, 2, 3, padding_mode="reflect")
    with pytest.raises(GroupMismatchError, match="field: expected a representation of C4"):
        RelaxedLiftingConv2d(1, 2, 3, field=iw.Cyclic(3).standard())
    with pytest.raises(ArgumentError, match="as the filters psi are trained"):
        RelaxedLiftingConv2d(1, 2, 3).relaxed_projector("filters")
