"""Layers with adapters in the way of peft, without peft: effective weights, merging, factors that start equivariant."""

import dataclasses
import math

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.adapted_layer import ADAPTER, AdaptedLinear
from tests.binding.cases import seeded

G = iw.Cyclic(4)
V = 2 * G.regular()


def adapted(*, trained=True, scaling=2.0):
    torch.manual_seed(0)
    model = nn.Sequential(AdaptedLinear(nn.Linear(8, 8, dtype=torch.float64), rank=4, scaling=scaling))
    if trained:
        nn.init.normal_(model[0].lora_B[ADAPTER].weight, generator=seeded(1))
    return model, iw.bind(model, {"0": (V, V)})


def effective(layer):
    return (layer.base_layer.weight + 2.0 * layer.lora_B[ADAPTER].weight @ layer.lora_A[ADAPTER].weight).detach()


def test_the_name_of_the_layer_types_what_it_computes_with():
    model, binding = adapted()
    assert [entry.name for entry in binding] == ["0.weight", "0.bias"]
    E, P = effective(model[0]), binding["0.weight"].projector
    torch.testing.assert_close(binding["0.weight"].tensor(model).detach(), E)
    found = iw.report(binding)
    assert found.parameters[0].relative_residual == pytest.approx(float(P.relative_residual(E)), rel=1e-9)
    assert found.unanalysed == ()
    assert binding.unaccounted == {}
    by_name = iw.bind(model, {"0.weight": (V, V)})
    assert by_name["0.weight"].is_computed(model)
    torch.testing.assert_close(by_name.penalty(), iw.penalty([(binding, {"0.weight": 1.0})]))
    binding.penalty(0.3).backward()
    torch.testing.assert_close(
        model[0].lora_B[ADAPTER].weight.grad, 2.0 * 0.3 * P.residual(E) @ model[0].lora_A[ADAPTER].weight.detach().T
    )


def test_a_projection_outlives_merging_and_switching():
    model, binding = adapted()
    layer, P = model[0], binding["0.weight"].projector
    E, delta = effective(layer), effective(layer) - layer.base_layer.weight.detach()
    binding.project_()
    torch.testing.assert_close(layer.base_layer.weight.detach(), P.project(E) - delta)
    layer.disable_adapters = True
    assert binding.residuals()["0.weight"].relative_residual > 0.1
    layer.disable_adapters = False
    layer.merge()
    assert binding.residuals()["0.weight"].relative_residual < 1e-12
    torch.testing.assert_close(binding["0.weight"].tensor(model).detach(), P.project(E))
    unloaded = nn.Sequential(layer.base_layer)
    assert not dataclasses.replace(binding, model=unloaded)["0.weight"].is_computed(unloaded)
    assert dataclasses.replace(binding, model=unloaded).residuals()["0.weight"].relative_residual < 1e-12


def test_an_adapter_that_computes_something_else_is_refused():
    class Squared(AdaptedLinear):
        def forward(self, x):
            return super().forward(x) + self.lora_A[ADAPTER](x).square().sum(-1, keepdim=True)

    model = nn.Sequential(Squared(nn.Linear(8, 8), rank=4))
    with pytest.raises(iw.errors.ArgumentError, match=r"got tests.*Squared, LowRank: outputs that are off by"):
        iw.bind(model, {"0": (V, V)})
    assert not model[0].lora_B[ADAPTER].weight.any()  # the layer that was tried is a copy


def test_a_nested_adapter_is_refused():
    model = nn.Sequential(AdaptedLinear(nn.Linear(8, 8), rank=4))
    model[0].base_layer = AdaptedLinear(nn.Linear(8, 8), rank=4)
    model[0].base_layer.weight = nn.Parameter(torch.zeros(8, 8))
    with pytest.raises(iw.errors.ArgumentError, match="one adapter stands in another"):
        iw.bind(model, {"0.weight": (V, V)})


def test_parts_typed_one_by_one_make_the_effective_weight():
    model, binding = adapted()
    rank = G.regular()
    parts = iw.bind(model, {"0.base_layer": (V, V), "0.lora_A.default": (V, rank), "0.lora_B.default": (rank, V)})
    whole = iw.effective_weights(parts)
    assert [entry.name for entry in whole] == ["0.weight", "0.bias"]
    assert whole.residuals() == binding.residuals()


@pytest.mark.parametrize("by", ["whole", "parts"])
@pytest.mark.parametrize("start", ["usual", "equivariant"])
def test_one_step_from_zero(start, by):
    """``B = -lr G A^T``: equivariant iff ``A^T A`` commutes with the group."""
    model, _ = adapted(trained=False)
    rank = G.regular()
    parts = {"0.base_layer": (V, V), "0.lora_A.default": (V, rank), "0.lora_B.default": (rank, V)}
    binding = iw.bind(model, {"0": (V, V)} if by == "whole" else parts).project_()
    if start == "usual":
        model[0].reset_lora_parameters(ADAPTER, True)
    else:
        factors = iw.start_adapters_(binding, rank if by == "whole" else None, generator=seeded(2))
        assert [entry.name for entry in factors] == ["0.lora_A.default.weight", "0.lora_B.default.weight"]
        assert factors.residuals()["0.lora_A.default.weight"].relative_residual < 1e-12
    assert not model[0].lora_B[ADAPTER].weight.any()
    optimizer = torch.optim.SGD([W for W in model.parameters() if W.requires_grad], lr=0.1)
    P = iw.projector(V, V)
    target = P.project(torch.randn(8, 8, generator=seeded(3), dtype=torch.float64))
    W = iw.effective_weights(binding)["0.weight"] if by == "parts" else binding["0.weight"]
    (W.tensor(model) - target).square().sum().backward()
    optimizer.step()
    found = float(P.relative_residual(W.tensor(model).detach() - model[0].base_layer.weight.detach()))
    assert found > 0.5 if start == "usual" else found < 1e-12


def test_trained_factors_are_not_overwritten():
    _, binding = adapted()
    with pytest.raises(iw.errors.ArgumentError, match=r"change nothing yet, B A = 0; got others: 0.default"):
        iw.start_adapters_(binding)


def test_a_decay_is_refused_for_a_frozen_base_and_acts_through_a_trained_one():
    model, binding = adapted()
    factors = [W for W in model.parameters() if W.requires_grad]
    with pytest.raises(iw.errors.ArgumentError, match=r"0.weight to be written to by what is trained"):
        iw.EquivarianceDecay(torch.optim.SGD(factors, lr=0.1), binding, math.inf)
    model.requires_grad_(True)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    iw.EquivarianceDecay(optimizer, binding, math.inf, every=2)
    for _ in range(4):
        optimizer.zero_grad()
        model(torch.randn(4, 8, generator=seeded(5), dtype=torch.float64)).square().sum().backward()
        optimizer.step()
    assert max(found.relative_residual for found in binding.residuals().values()) < 1e-12
