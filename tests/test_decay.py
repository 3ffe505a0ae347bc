import copy
import math

import pytest
import torch

import intertwine as iw
from intertwine.projectors.norms.joint import JointMaps
from intertwine.projectors.norms.proximal import Shrinkage, shrink_
from tests.binding.cases import c4_mlp, linear, proximal, seeded, so3_linear

R = iw.Cyclic(4).regular()
INF = math.inf


@pytest.mark.parametrize("case", [c4_mlp, so3_linear])
def test_is_the_proximal_step(case):
    model, binding = case()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.3)
    iw.EquivarianceDecay(optimizer, binding, strength=2.0)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    expected = {e.name: proximal(W, [(e.projector, 2.0)], 0.3) for e, W in binding.tensors()}
    optimizer.step()
    for entry, W in binding.tensors():
        torch.testing.assert_close(W.detach(), expected[entry.name], rtol=1e-12, atol=1e-12)


def test_minimises_what_it_says():
    """No nearby tensor does better: a check that does not rest on solving the same equation."""
    layer, binding = linear()
    W, P = layer.weight.detach().clone(), binding["weight"].projector
    shrink_([Shrinkage(layer.weight.data, [(P, 2.0)], 0.3)], JointMaps())

    def objective(V):
        return (V - W).square().sum() / 2 + 0.3 * 2.0 / 2 * P.squared_residual(V)

    best = objective(layer.weight.detach())
    for seed in range(20):
        step = torch.randn(W.shape, generator=seeded(seed), dtype=W.dtype)
        assert objective(layer.weight.detach() + 1e-3 * step) > best


def test_step_comes_after_the_optimisers():
    layer, binding = linear()
    gradient = torch.randn(4, 4, generator=seeded(1), dtype=torch.float64)
    layer.weight.grad = gradient.clone()
    expected = proximal(layer.weight.detach() - 0.3 * gradient, [(binding["weight"].projector, 2.0)], 0.3)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.3)
    iw.EquivarianceDecay(optimizer, binding, strength=2.0)
    optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), expected)


def test_stationary_point_of_penalty_and_decay_under_sgd():
    target = torch.randn(4, 4, generator=seeded(2), dtype=torch.float64)
    ends = []
    for decayed in (False, True):
        layer, binding = linear()
        optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        if decayed:
            iw.EquivarianceDecay(optimizer, binding, strength=3.0)
        for _ in range(400):
            optimizer.zero_grad()
            loss = (layer.weight - target).square().sum() / 2
            (loss if decayed else loss + binding.penalty(strength=3.0)).backward()
            optimizer.step()
        ends.append(layer.weight.detach())
    P = binding["weight"].projector
    torch.testing.assert_close(ends[0], P.project(target) + P.residual(target) / 4, rtol=0, atol=1e-10)
    torch.testing.assert_close(ends[0], ends[1], rtol=0, atol=1e-10)


def test_momentum_weakens_the_decay():
    """The documented difference: with momentum mu the decay's stationary point is the penalty's at s (1 - mu)."""
    target = torch.randn(4, 4, generator=seeded(2), dtype=torch.float64)
    layer, binding = linear()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.02, momentum=0.5)
    iw.EquivarianceDecay(optimizer, binding, strength=6.0)
    for _ in range(600):
        optimizer.zero_grad()
        ((layer.weight - target).square().sum() / 2).backward()
        optimizer.step()
    P = binding["weight"].projector
    torch.testing.assert_close(layer.weight.detach(), P.project(target) + P.residual(target) / 4, rtol=0, atol=1e-8)


@pytest.mark.parametrize("lr", [0.0, 1e-3, 10.0])
def test_infinite_strength_is_projected_training(lr):
    layer, binding = linear()
    projected = binding["weight"].projector.project(layer.weight.detach())
    optimizer = torch.optim.SGD(layer.parameters(), lr=lr)
    iw.EquivarianceDecay(optimizer, binding, strength=INF)
    optimizer.step()
    assert torch.equal(layer.weight.detach(), projected)


def test_learning_rate_of_each_group():
    model, binding = c4_mlp()
    before = {e.name: e.projector.residual(W.detach()) for e, W in binding.tensors()}
    groups = [
        {"params": model[0].parameters(), "lr": 1.0},
        {"params": model[2].parameters()},
        {"params": model[4].parameters(), "lr": 0.0},
    ]
    optimizer = torch.optim.SGD(groups, lr=0.25)
    iw.EquivarianceDecay(optimizer, binding, strength=4.0)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    for step in range(2):
        optimizer.step()
        optimizer.param_groups[1]["lr"] = 0.5  # as a scheduler does
        for entry, W in binding.tensors():
            factor = {"0": 5.0 ** -(step + 1), "2": 0.5 if step == 0 else 0.5 / 3, "4": 1.0}[entry.module]
            torch.testing.assert_close(entry.projector.residual(W.detach()), factor * before[entry.name])


@pytest.mark.parametrize(
    "kind", [torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.Adagrad, torch.optim.NAdam]
)
def test_learning_rate_as_tensor_and_any_optimiser(kind):
    layer, binding = linear()
    twin, _ = linear()
    gradient = torch.randn(4, 4, generator=seeded(3), dtype=torch.float64)
    lr = torch.tensor(0.01, dtype=torch.float64) if kind in (torch.optim.Adam, torch.optim.AdamW) else 0.01
    plain, decayed = kind(twin.parameters(), lr=lr), kind(layer.parameters(), lr=lr)
    iw.EquivarianceDecay(decayed, binding, strength=50.0)
    layer.weight.grad, twin.weight.grad = gradient.clone(), gradient.clone()
    plain.step()
    decayed.step()
    P = binding["weight"].projector
    torch.testing.assert_close(P.project(layer.weight.detach()), P.project(twin.weight.detach()))
    torch.testing.assert_close(P.residual(layer.weight.detach()), P.residual(twin.weight.detach()) / 1.5)


def test_closures():
    layer, binding = linear()
    optimizer = torch.optim.LBFGS(layer.parameters(), lr=0.5, max_iter=3)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=INF)
    target = torch.randn(4, 4, generator=seeded(4), dtype=torch.float64)

    def closure():
        optimizer.zero_grad()
        loss = (layer.weight - target).square().sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert decay.steps == 1
    assert binding.penalty() < 1e-20


def test_parameters_without_gradient_are_left_alone():
    model, binding = c4_mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=INF)
    before = model[0].weight.detach().clone()
    model[2].weight.grad = torch.zeros_like(model[2].weight)
    optimizer.step()
    assert torch.equal(model[0].weight.detach(), before)
    assert binding["2.weight"].projector.relative_residual(model[2].weight) < 1e-12


def test_strength_by_name_and_frozen_parameters():
    model, binding = c4_mlp()
    model[4].requires_grad_(False)
    optimizer = torch.optim.SGD([*model[0].parameters(), *model[2].parameters()], lr=0.5)
    iw.EquivarianceDecay(optimizer, binding, strength={"0": 2.0, "2": 0.0, "4": 2.0})
    before = {e.name: e.projector.residual(W.detach()) for e, W in binding.tensors()}
    for parameter in optimizer.param_groups[0]["params"]:
        parameter.grad = torch.zeros_like(parameter)
    with pytest.warns(iw.DecayWarning, match=r"frozen, and left as they are: 4\.weight, 4\.bias"):
        optimizer.step()
    for entry, W in binding.tensors():
        factor = 0.5 if entry.module == "0" else 1.0
        torch.testing.assert_close(entry.projector.residual(W.detach()), factor * before[entry.name])


def test_callable_strength_and_state():
    asked = []

    def schedule(step):
        asked.append(step)
        return {"weight": float(step)}

    layer, binding = linear()
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=schedule)
    rest = binding["weight"].projector.residual(layer.weight.detach())
    for _ in range(3):
        optimizer.step()
    assert asked == [0, 1, 2]
    torch.testing.assert_close(binding["weight"].projector.residual(layer.weight.detach()), rest / (1 * 2 * 3))
    assert decay.state_dict() == {"steps": 3}
    # A run that is taken up again goes on where the first stopped.
    other_layer, other_binding = linear()
    other_optimizer = torch.optim.SGD(other_layer.parameters(), lr=1.0)
    other = iw.EquivarianceDecay(other_optimizer, other_binding, strength=schedule)
    other.load_state_dict(copy.deepcopy(decay.state_dict()))
    other_optimizer.step()
    assert asked[-1] == 3
    assert other.steps == 4
    for state in ({}, {"steps": -1}, {"steps": True}, {"steps": "3"}, None):
        with pytest.raises(iw.errors.ArgumentError, match=r"state: expected {'steps': an integer >= 0}"):
            other.load_state_dict(state)
    assert "callable" in repr(other)
    bad = iw.EquivarianceDecay(other_optimizer, other_binding, strength=lambda step: math.nan)
    assert bad.steps == 0
    with pytest.raises(
        iw.errors.ArgumentError, match="strength: expected a number >= 0, inf for projected training; got nan"
    ):
        other_optimizer.step()


def test_remove():
    layer, binding = linear()
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=1.0)
    decay.remove()
    before = layer.weight.detach().clone()
    optimizer.step()
    assert torch.equal(layer.weight.detach(), before)
    assert decay.steps == 0


# -- refusals ----------------------------------------------------------------------------------------


def test_refused():
    model, binding = c4_mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    error = iw.errors.ArgumentError
    with pytest.raises(error, match=r"optimizer: expected a torch\.optim\.Optimizer; got Sequential"):
        iw.EquivarianceDecay(model, binding, 1.0)
    with pytest.raises(error, match="binding: expected a Binding or a sequence of them; got Sequential"):
        iw.EquivarianceDecay(optimizer, model, 1.0)
    with pytest.raises(error, match="binding: expected a Binding"):
        iw.EquivarianceDecay(optimizer, [], [])
    for strengths in (1.0, [1.0], "ab", {"0": 1.0}):
        with pytest.raises(error, match="strength: expected a sequence of 2 strengths, one a binding"):
            iw.EquivarianceDecay(optimizer, [binding, binding], strengths)
    for strength in (math.nan, -1.0, None, "1", [1.0]):
        with pytest.raises(error, match="strength: expected a number >= 0, inf for projected training"):
            iw.EquivarianceDecay(optimizer, binding, strength)
    with pytest.raises(error, match=r"strength\[1\]: expected a number"):
        iw.EquivarianceDecay(optimizer, [binding, binding], [1.0, -1.0])
    with pytest.raises(iw.errors.UnknownNameError, match=r"strength: expected names of typed .* got '7'"):
        iw.EquivarianceDecay(optimizer, binding, {"7": 1.0})
    part = torch.optim.SGD(model[0].parameters(), lr=0.1)
    with pytest.raises(
        error, match=r"every typed parameter among its parameters; got none of 2\.weight, 2\.bias, 4\.weight"
    ):
        iw.EquivarianceDecay(part, binding, 1.0)
    with pytest.raises(error, match=r"got none of 2\.weight"):
        iw.EquivarianceDecay(part, binding, lambda step: 1.0)
    # Nothing was registered by the refused ones.
    before = copy.deepcopy(model.state_dict())
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    part.step()
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_no_learning_rate():
    class Plain(torch.optim.Optimizer):
        def __init__(self, params):
            super().__init__(params, {})

        def step(self, closure=None):
            return None

    layer, binding = linear()
    with pytest.raises(iw.errors.ArgumentError, match="a learning rate 'lr' in each param group; got none for weight"):
        iw.EquivarianceDecay(Plain(layer.parameters()), binding, 1.0)
    optimizer = Plain(layer.parameters())
    iw.EquivarianceDecay(optimizer, binding, INF)
    optimizer.step()
    assert binding.penalty() < 1e-20


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision(dtype):
    layer, binding = linear(dtype=dtype)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    with pytest.raises(iw.errors.DtypeError, match=r"weight in float32, .* Keep float32 master weights"):
        iw.EquivarianceDecay(optimizer, binding, 1.0)
    scheduled = iw.EquivarianceDecay(optimizer, binding, lambda step: 1.0)
    with pytest.raises(iw.errors.DtypeError, match="weight in float32"):
        optimizer.step()
    scheduled.remove()
    iw.EquivarianceDecay(optimizer, binding, INF)
    optimizer.step()
    assert binding["weight"].projector.relative_residual(layer.weight) < 2e-2
    assert layer.weight.dtype == dtype
