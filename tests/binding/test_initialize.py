import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.layers.channels.output_fields import copy_index
from intertwine.representations import Representation, Segment
from tests.binding.cases import c4_mlp, dense, fill, seeded, so3_linear


def ir_mul(rep: iw.Representation) -> iw.Representation:
    return Representation(rep.group, tuple(Segment(s.mul, s.field, "ir_mul") for s in rep.segments))


@pytest.mark.parametrize("case", [c4_mlp, so3_linear])
def test_project_is_the_projection(case):
    _, binding = case()
    expected = {e.name: (dense(e.projector) @ W.detach().flatten()).reshape(W.shape) for e, W in binding.tensors()}
    assert binding.project_() is binding
    for entry, W in binding.tensors():
        torch.testing.assert_close(W.detach(), expected[entry.name], rtol=1e-12, atol=1e-12)
        assert W.requires_grad
        assert W.grad_fn is None


def test_copy_index_in_both_layouts():
    rep = iw.SO(3).irreps("2x0 + 2x1")
    assert copy_index(rep).tolist() == [0, 1, 2, 2, 2, 3, 3, 3]
    assert copy_index(ir_mul(rep)).tolist() == [0, 1, 2, 3, 2, 3, 2, 3]


@pytest.mark.parametrize("layout", ["mul_ir", "ir_mul"])
def test_norms_of_output_fields_are_kept(layout):
    G = iw.SO(3)
    rep_in, rep_out = G.irreps("3x0 + 2x1"), G.irreps("2x0 + 2x1 + 2x2")
    if layout == "ir_mul":
        rep_in, rep_out = ir_mul(rep_in), ir_mul(rep_out)
    layer = fill(nn.Linear(rep_in.dim, rep_out.dim).double())
    binding = iw.bind(layer, {"": (rep_in, rep_out)})
    before, bias = layer.weight.detach().clone(), layer.bias.detach().clone()
    binding.project_(preserve_norm=True)
    W, P = layer.weight.detach(), binding["weight"].projector
    torch.testing.assert_close(P.project(W), W, rtol=1e-12, atol=1e-12)
    for copy in range(6):
        rows = torch.from_numpy(copy_index(rep_out) == copy)
        # Copies 4 and 5 are of l = 2, which no input has.
        expected = before[rows].norm() if copy < 4 else torch.zeros((), dtype=torch.float64)
        torch.testing.assert_close(W[rows].norm(), expected, rtol=1e-12, atol=0)
        # Each field alone is a positive multiple of its projection.
        torch.testing.assert_close(W[rows] * P.project(before)[rows].norm(), P.project(before)[rows] * expected)
    torch.testing.assert_close(layer.bias.detach(), binding["bias"].projector.project(bias), rtol=0, atol=0)


def test_rows_without_action_count_for_themselves():
    R = iw.Cyclic(4).regular()
    model = nn.Module()
    model.tokens = nn.Parameter(torch.randn(3, 4, generator=seeded(), dtype=torch.float64))
    norms = model.tokens.detach().norm(dim=1)
    iw.bind(model, {"tokens": (None, R)}).project_(preserve_norm=True)
    torch.testing.assert_close(model.tokens.detach().norm(dim=1), norms)
    assert float(model.tokens.detach().std(dim=1).max()) < 1e-12


def test_rounding_is_not_scaled_up():
    R = iw.Cyclic(4).regular()
    layer = nn.Linear(4, 4, bias=False)
    binding = iw.bind(layer, {"": (R, R)})
    with torch.no_grad():
        layer.weight.copy_(binding["weight"].projector.residual(layer.weight))
    binding.project_(preserve_norm=True)
    assert float(layer.weight.detach().norm()) < 1e-6


def test_initialize_draws_from_the_generator_alone():
    model, binding = c4_mlp(torch.float32)
    state = torch.random.get_rng_state()
    assert binding.initialize_(generator=seeded(7)) is binding
    first = [parameter.detach().clone() for parameter in model.parameters()]
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.rand(3)  # the global generator has no say
    binding.initialize_(generator=seeded(7))
    assert all(torch.equal(a, b) for a, b in zip(first, model.parameters(), strict=True))
    binding.initialize_(generator=seeded(8))
    assert not any(torch.equal(a, b) for a, b in zip(first, model.parameters(), strict=True))
    assert binding.penalty() < 1e-10
    torch.random.set_rng_state(state)


def test_initialize_follows_the_global_seed_without_a_generator():
    model, binding = c4_mlp(torch.float32)
    with torch.random.fork_rng([]):
        torch.manual_seed(3)
        binding.initialize_()
        first = model[0].weight.detach().clone()
        torch.manual_seed(3)
        binding.initialize_()
    assert torch.equal(first, model[0].weight)


def test_initialize_is_the_modules_own():
    """As large as nn.Linear's default, field by field: variance 1 / (3 in_features)."""
    G = iw.SO(3)
    rep_in, rep_out = G.irreps("64x0 + 32x1"), G.irreps("64x0 + 32x1")
    layer = nn.Linear(rep_in.dim, rep_out.dim, bias=False)
    binding = iw.bind(layer, {"": (rep_in, rep_out)}).initialize_(generator=seeded())
    for rows, copies in ((slice(0, 64), 64), (slice(64, None), 96)):
        mean_square = layer.weight.detach()[rows].square().sum() / (copies * rep_in.dim)
        assert float(mean_square) == pytest.approx(1 / (3 * rep_in.dim), rel=0.03)
    projected = binding["weight"].projector
    assert float(projected.relative_residual(layer.weight)) < 1e-6


def test_initialize_keeps_what_is_typed_by_name():
    R = iw.Cyclic(4).regular()
    layer = nn.Linear(4, 4, bias=False)
    nn.init.eye_(layer.weight)
    iw.bind(layer, {"weight": (R, R)}).initialize_(generator=seeded())
    torch.testing.assert_close(layer.weight.detach(), torch.eye(4))


def test_initialize_needs_reset_parameters():
    class Bare(nn.Linear):
        reset_parameters = None

        def __init__(self):
            nn.Module.__init__(self)
            self.in_features = self.out_features = 4
            self.weight, self.bias = nn.Parameter(torch.zeros(4, 4)), None

    R = iw.Cyclic(4).regular()
    binding = iw.bind(nn.Sequential(Bare()), {"0": (R, R)})
    with pytest.raises(iw.errors.ArgumentError, match=r"expected '0' to have reset_parameters\(\); got Bare"):
        binding.initialize_()
