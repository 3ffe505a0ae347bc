"""Weights that layers of the user's own compute of several parameters, and LoRA as a parametrisation of torch."""

import copy
import math
import pickle

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

import intertwine as iw
from intertwine.training import EquivariancePenalty
from tests.binding.cases import proximal, seeded

INF = math.inf
V = 2 * iw.Cyclic(4).regular()


class LowRank(nn.Module):
    """``W + B A`` over a frozen base, as adapters compute it."""

    def __init__(self, width: int = 8, rank: int = 4) -> None:
        super().__init__()
        self.base = nn.Linear(width, width, bias=False, dtype=torch.float64)
        self.A = nn.Parameter(torch.empty(rank, width, dtype=torch.float64))
        self.B = nn.Parameter(torch.empty(width, rank, dtype=torch.float64))
        for number, parameter in enumerate(self.parameters()):
            nn.init.normal_(parameter, generator=seeded(number))

    def forward(self, x):
        return self.base(x) + x @ self.A.T @ self.B.T


def product(module):
    return module.base.weight + module.B @ module.A


def into_base(module, value):
    module.base.weight.copy_(value - module.B @ module.A)


def of_base(module):
    return (module.base.weight,)


def rule(**kinds):
    return iw.LayerRule(
        parameters=lambda module, layer_type: (layer_type.matrix("weight", layer_type.rep_in, layer_type.rep_out),),
        effective={"weight": iw.layers.Effective(product, **kinds)},
    )


def bound(module, **kinds):
    return iw.bind(module, {"": (V, V)}, rules={LowRank: rule(**kinds)})


WRITTEN = {"assign": into_base, "assigned": of_base}


def test_the_effective_weight_is_measured_and_penalised():
    module = LowRank()
    module.base.requires_grad_(False)
    binding = bound(module)
    P, W = binding["weight"].projector, product(module).detach()
    found = binding.residuals()["weight"]
    assert found.relative_residual == pytest.approx(float(P.relative_residual(W)), rel=1e-12)
    assert binding.unaccounted == {}
    binding.penalty(0.3).backward()
    torch.testing.assert_close(module.A.grad, module.B.detach().T @ (0.3 * P.residual(W)))
    torch.testing.assert_close(module.B.grad, 0.3 * P.residual(W) @ module.A.detach().T)
    assert module.base.weight.grad is None
    assert "typed: 64 weights in 1 tensors" in str(iw.report(binding))


@pytest.mark.parametrize("strength", [2.0, INF])
def test_the_decay_acts_through_what_is_assigned(strength):
    module = LowRank()
    twin = copy.deepcopy(module)
    binding = bound(module, **WRITTEN)
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.01) for m in (module, twin)]
    iw.EquivarianceDecay(optimizers[0], binding, strength)
    x = torch.randn(6, 8, generator=seeded(7), dtype=torch.float64)
    for model, optimizer in zip((module, twin), optimizers, strict=True):
        model(x).square().mean().backward()
        optimizer.step()
    P, W = binding["weight"].projector, product(twin).detach()
    expected = P.project(W) if strength == INF else proximal(W, [(P, strength)], 0.01)
    torch.testing.assert_close(product(module).detach(), expected)
    torch.testing.assert_close(module.A.detach(), twin.A.detach())


def test_a_projection_is_refused_without_a_way_in():
    module = LowRank()
    binding, before = bound(module), copy.deepcopy(module.state_dict())
    with pytest.raises(
        iw.errors.ArgumentError, match=r"through what LowRank computes it from; got NotImplementedError"
    ):
        binding.project_()
    with pytest.raises(iw.errors.ArgumentError, match="which a parametrisation or an adapter computes"):
        iw.SplitAdamW(module.parameters(), binding, strength=1.0)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    wrong = bound(module, assign=lambda module, value: module.base.weight.copy_(value))
    with pytest.raises(iw.errors.ArgumentError, match="got another one, off by"):
        wrong.project_()
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())


def test_a_decay_that_would_write_to_what_is_frozen_is_refused():
    module = LowRank()
    module.base.requires_grad_(False)
    binding = bound(module, **WRITTEN)
    optimizer = torch.optim.SGD([module.A, module.B], lr=0.1)
    with pytest.raises(iw.errors.ArgumentError, match="expected weight to be written to by what is trained"):
        iw.EquivarianceDecay(optimizer, binding, 1.0)
    iw.EquivarianceDecay(optimizer, binding, 0.0)
    binding.project_()
    assert binding.residuals()["weight"].relative_residual < 1e-12


def test_what_is_computed_is_checked():
    module = LowRank()
    none = iw.LayerRule(rule().parameters, effective={"weight": iw.layers.Effective(lambda module: 1.0)})
    with pytest.raises(iw.errors.ArgumentError, match="the rule of LowRank, effective: expected a tensor; got a float"):
        iw.bind(module, {"": (V, V)}, rules={LowRank: none})
    narrow = iw.LayerRule(rule().parameters, effective={"weight": iw.layers.Effective(lambda module: module.A)})
    with pytest.raises(iw.errors.ShapeError, match=r"a projector for weight, shape \(4, 8\)"):
        iw.bind(module, {"": (V, V)}, rules={LowRank: narrow})
    with pytest.raises(iw.errors.ArgumentError, match="compute: expected a function of the module"):
        iw.layers.Effective(1)
    with pytest.raises(iw.errors.ArgumentError, match=r"effective\['weight'\]: expected an iw.layers.Effective"):
        iw.LayerRule(effective={"weight": product})


def test_a_binding_of_it_is_copied_and_pickled():
    way = iw.layers.Effective(product, **WRITTEN)
    assert pickle.loads(pickle.dumps(way)) == way
    module, binding = copy.deepcopy((module := LowRank(), bound(module, **WRITTEN)))
    binding.project_()
    assert binding.model is module
    assert binding.residuals()["weight"].relative_residual < 1e-12


class Product(nn.Module):
    """LoRA as a parametrisation: the module's weight is ``W + B A``, and torch knows no right inverse."""

    def __init__(self) -> None:
        super().__init__()
        self.A = nn.Parameter(torch.randn(4, 8, generator=seeded(3), dtype=torch.float64))
        self.B = nn.Parameter(torch.zeros(8, 4, dtype=torch.float64))

    def forward(self, W):
        return W + self.B @ self.A


def test_factors_of_a_parametrisation_stay_equivariant():
    """``B = -lr G A^T`` after a step from 0: A^T A has to commute with the group."""
    rank = iw.Cyclic(4).regular()
    for start in ("random", "equivariant"):
        layer = nn.Linear(8, 8, bias=False, dtype=torch.float64)
        nn.init.normal_(layer.weight, generator=seeded(1))
        whole = iw.bind(layer, {"": (V, V)}).project_()
        parametrize.register_parametrization(layer, "weight", Product())
        layer.parametrizations.weight.original.requires_grad_(False)
        inside = "parametrizations.weight.0"
        factors = iw.bind(layer, {f"{inside}.A": (rank, V), f"{inside}.B": (V, rank)})
        if start == "equivariant":
            factors.project_()
        optimizer = torch.optim.SGD([W for W in layer.parameters() if W.requires_grad], lr=0.1)
        P = whole["weight"].projector
        target = P.project(torch.randn(8, 8, generator=seeded(5), dtype=torch.float64))
        for _ in range(5):
            optimizer.zero_grad()
            (layer.weight - target).square().sum().backward()
            optimizer.step()
        change = (layer.weight - layer.parametrizations.weight.original).detach()
        relative = float(P.relative_residual(change))
        assert relative < 1e-12 if start == "equivariant" else relative > 0.3


class Scaled(nn.Module):
    """``m (W x + b)``: one parameter in two effective tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.base = nn.Linear(8, 8, dtype=torch.float64)
        self.m = nn.Parameter(torch.rand(8, generator=seeded(8), dtype=torch.float64) + 0.5)

    def forward(self, x):
        return self.m * self.base(x)


SCALED = iw.LayerRule(
    parameters=lambda _, t: (t.matrix("weight", t.rep_in, t.rep_out), t.vector("bias", t.rep_out)),
    effective={
        "weight": iw.layers.Effective(lambda module: module.m[:, None] * module.base.weight),
        "bias": iw.layers.Effective(lambda module: module.m * module.base.bias),
    },
)


def test_a_parameter_of_two_effective_tensors_gets_the_penalty_of_both_once():
    module = Scaled()
    binding = iw.bind(module, {"": (V, V)}, rules={Scaled: SCALED})
    expected = torch.autograd.grad(binding.penalty(0.3), list(module.parameters()))
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    EquivariancePenalty(optimizer, binding, 0.3)
    for W in module.parameters():
        W.grad = torch.zeros_like(W)
    optimizer.step()
    for W, gradient in zip(module.parameters(), expected, strict=True):
        torch.testing.assert_close(W.grad, gradient)


def test_tensors_that_share_what_is_written_are_projected_all_or_none():
    """Weight and bias have one factor m: to write it for one of them changes the other."""
    module = Scaled()
    fitting = {
        "weight": (lambda m, value: m.base.weight.copy_(value / m.m[:, None]), lambda m: (m.base.weight,)),
        "bias": (lambda m, value: m.base.bias.copy_(value / m.m), lambda m: (m.base.bias,)),
    }
    clashing = fitting | {"bias": (lambda m, value: m.m.copy_(value / m.base.bias), lambda m: (m.m,))}

    def bound_by(ways):
        made = {name: iw.layers.Effective(SCALED.effective[name].compute, *ways[name]) for name in ways}
        return iw.bind(module, {"": (V, V)}, rules={Scaled: iw.LayerRule(SCALED.parameters, effective=made)})

    before = copy.deepcopy(module.state_dict())
    with pytest.raises(
        iw.errors.ArgumentError, match=r"weight .*; got off by .* as another tensor shares its parameters"
    ):
        bound_by(clashing).project_()
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    found = bound_by(fitting).project_().residuals()
    assert max(one.relative_residual for one in found.values()) < 1e-12


def test_a_decay_of_tensors_that_share_what_is_written_says_so():
    module = Scaled()
    ways = {
        "weight": (lambda m, value: m.base.weight.copy_(value / m.m[:, None]), lambda m: (m.base.weight,)),
        "bias": (lambda m, value: m.m.copy_(value / m.base.bias), lambda m: (m.m,)),
    }
    made = {name: iw.layers.Effective(SCALED.effective[name].compute, *ways[name]) for name in ways}
    binding = iw.bind(module, {"": (V, V)}, rules={Scaled: iw.LayerRule(SCALED.parameters, effective=made)})
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, INF)
    module(torch.ones(2, 8, dtype=torch.float64)).sum().backward()
    with pytest.raises(iw.errors.ArgumentError, match=r"binding: .* as another tensor shares its parameters"):
        optimizer.step()
