"""What a decay keeps of its model and optimiser between steps, and when it looks anew."""

import math
import sys

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.binding.cases import c4_mlp, fill, linear

INF = math.inf


def stepped(optimizer, parameters):
    for W in parameters:
        W.grad = torch.zeros_like(W)
    optimizer.step()


def residual(binding, name):
    entry = binding[name]
    return float(entry.projector.relative_residual(entry.tensor(binding.model)))


def calls(function):
    count = 0

    def counted(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(counted)
    try:
        function()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_calls_of_a_step_for_each_small_weight(kind):
    """What walks through modules, groups and names is done once, not in each step."""
    rep = iw.Cyclic(4).regular()
    counts = []
    for depth in (10, 20):
        model = nn.Sequential(*(nn.Linear(4, 4, bias=False) for _ in range(depth)))
        binding = iw.bind(model, {str(i): (rep, rep) for i in range(depth)})
        # One call for all weights, so that the optimiser's own do not count.
        optimizer = kind(model.parameters(), lr=0.1, foreach=True)
        alone = kind(model.parameters(), lr=0.1, foreach=True)
        iw.EquivarianceDecay(optimizer, binding, strength=1.0)
        for _ in range(3):
            stepped(optimizer, model.parameters())
            stepped(alone, model.parameters())
        counts.append(calls(optimizer.step) - calls(alone.step))
    # It was 57 with SGD.
    assert (counts[1] - counts[0]) / 10 <= 30


def test_what_was_found_is_kept_while_nothing_changes():
    model, binding = c4_mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=1.0)
    stepped(optimizer, model.parameters())
    kept = decay._reading.found
    model.double().train()
    optimizer.param_groups[0]["lr"] = 0.2
    stepped(optimizer, model.parameters())
    assert decay._reading.found is kept


def test_frozen_and_trained_again_between_steps():
    model, binding = c4_mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=INF)
    stepped(optimizer, model.parameters())
    model[0].weight.requires_grad_(False)
    fill(model)
    with pytest.warns(iw.DecayWarning, match=r"frozen, and left as they are: 0\.weight"):
        stepped(optimizer, model.parameters())
    assert residual(binding, "0.weight") > 0.1
    assert residual(binding, "2.weight") < 1e-12
    model[0].weight.requires_grad_(True)
    stepped(optimizer, model.parameters())
    assert residual(binding, "0.weight") < 1e-12


@pytest.mark.parametrize(
    "how", ["parameter", "module", "removed from its group", "last of its group", "another", "rate"]
)
def test_changed_between_steps(how):
    model, binding = c4_mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=1.0)
    stepped(optimizer, model.parameters())
    expected = "every typed parameter among its parameters"
    if how == "parameter":
        model[2].weight = nn.Parameter(model[2].weight.detach().clone())
    elif how == "module":
        model[2] = nn.Linear(model[2].in_features, model[2].out_features, dtype=model[2].weight.dtype)
    elif how == "rate":
        del optimizer.param_groups[0]["lr"]
        expected = "a learning rate 'lr' in each param group"
    elif how == "last of its group":
        optimizer.param_groups[0]["params"].pop()
    elif how == "another":
        optimizer.param_groups[0]["params"][0] = nn.Parameter(model[0].weight.detach().clone())
    else:
        params = optimizer.param_groups[0]["params"]
        params[:] = [W for W in params if W is not model[2].weight]
    with pytest.raises(iw.errors.ArgumentError, match=f"optimizer: expected {expected}"):
        optimizer.step()


@pytest.mark.parametrize("how", ["another group", "one more group", "one more parameter"])
def test_more_in_the_optimiser_between_steps(how):
    """What the decay does not type may come; a typed weight that moves to a group takes the rate of that."""
    model, binding = c4_mlp()
    last = model[2].bias
    optimizer = torch.optim.SGD([*(W for W in model.parameters() if W is not last), last], lr=0.0)
    iw.EquivarianceDecay(optimizer, binding, strength=2.0)
    stepped(optimizer, model.parameters())
    before = binding["2.bias"].projector.residual(last.detach())
    if how == "another group":
        optimizer.add_param_group({"params": [optimizer.param_groups[0]["params"].pop()], "lr": 0.5})
    elif how == "one more group":
        optimizer.add_param_group({"params": [nn.Parameter(torch.zeros(1))]})
    else:
        optimizer.param_groups[0]["params"].append(nn.Parameter(torch.zeros(1)))
    stepped(optimizer, model.parameters())
    factor = 0.5 if how == "another group" else 1.0
    torch.testing.assert_close(binding["2.bias"].projector.residual(last.detach()), factor * before)


def test_parametrised_after_a_step():
    layer, binding = linear()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=INF)
    stepped(optimizer, layer.parameters())
    nn.utils.parametrizations.weight_norm(layer)
    with pytest.raises(iw.errors.ArgumentError, match="every typed parameter among its parameters"):
        optimizer.step()


def test_a_group_that_a_step_itself_adds():
    class Splitting(torch.optim.SGD):
        def step(self, closure=None):
            first, *rest = self.param_groups[0]["params"]
            self.param_groups = [dict(self.param_groups[0], params=[first], lr=0.5)]
            self.param_groups.append(dict(self.param_groups[0], params=rest, lr=0.0))

    model, binding = c4_mlp()
    optimizer = Splitting(model.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=2.0)
    before = {entry.name: entry.projector.residual(W.detach()) for entry, W in binding.tensors()}
    stepped(optimizer, model.parameters())
    for number, (entry, W) in enumerate(binding.tensors()):
        factor = 0.5 if number == 0 else 1.0
        torch.testing.assert_close(entry.projector.residual(W.detach()), factor * before[entry.name])
