"""The penalty's gradient once an update: its strength under accumulation, scalers, closures, and where it stands."""

import copy
import math
import pickle

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.errors import ArgumentError, UnknownNameError
from intertwine.training import EquivariancePenalty
from tests.decay.stand_ins import Accelerated, Stepping, SteppingTwice
from tests.training.models import Recorder, V, added, assert_same, data, net, off, weights

mse = nn.functional.mse_loss


def train(model, optimizer, steps=3, loss=mse, term=lambda step: 0.0):
    x, y = data()
    for step in range(steps):
        optimizer.zero_grad()
        (loss(model(x), y) + term(step)).backward()
        optimizer.step()


@pytest.mark.parametrize("form", ["squared", "norm", "relative"])
@pytest.mark.parametrize("strength", [0.3, {"0": 0.3, "2.bias": 1.0}])
def test_it_is_the_penalty_in_the_loss(form, strength):
    (model, binding), (twin, bound) = net(), net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    penalty = EquivariancePenalty(optimizer, binding, strength, form=form)
    train(model, optimizer)
    other = torch.optim.AdamW(twin.parameters(), lr=0.01)
    train(twin, other, term=lambda _: bound.penalty(strength, form=form))
    for name, W in weights(model).items():
        torch.testing.assert_close(W, weights(twin)[name], rtol=1e-10, atol=1e-12)
    assert penalty.steps == 3


def test_schedules_and_every_kth_step_are_those_of_the_penalty_in_the_loss():
    (model, binding), (twin, bound) = net(), net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    EquivariancePenalty(optimizer, binding, lambda step: 0.1 * (1 + step), every=2)
    train(model, optimizer, steps=5)
    other = torch.optim.SGD(twin.parameters(), lr=0.05)
    train(twin, other, steps=5, term=lambda step: bound.penalty(0.1 * (1 + step), every=2, step=step))
    for name, W in weights(model).items():
        torch.testing.assert_close(W, weights(twin)[name], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("micro", [1, 4, 3])
def test_accumulation_and_clipping_leave_its_strength(micro):
    """Once an update, whatever the losses were divided by and to what norm the gradients were clipped."""
    model, binding = net()
    optimizer = Recorder(model.parameters())
    EquivariancePenalty(optimizer, binding, strength=0.7)
    x, y = data()
    for part in range(micro):
        (mse(model(x[part::micro]), y[part::micro]) / 4).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1e-3)
    task = [W.grad.clone() for W in model.parameters()]
    optimizer.step()
    for found, own, term in zip(optimizer.seen[0], task, added(binding, 0.7), strict=True):
        torch.testing.assert_close(found, own + term)


def test_a_closure_runs_before_it():
    model, binding = net()
    optimizer = Recorder(model.parameters())
    EquivariancePenalty(optimizer, binding, strength=0.7)
    x, y = data()

    def closure():
        optimizer.zero_grad()
        loss = mse(model(x), y)
        loss.backward()
        return loss

    optimizer.step(closure)
    expected = torch.autograd.grad(mse(model(x), y) + binding.penalty(0.7), list(model.parameters()))
    for found, gradient in zip(optimizer.seen[0], expected, strict=True):
        torch.testing.assert_close(found, gradient)


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("unscaled", [False, True])
def test_a_scaler_scales_it_and_skips_it(fused, unscaled):
    """The same weights as without a scaler, and a skipped step is no step."""
    (model, binding), (twin, bound) = net(dtype=torch.float32), net(dtype=torch.float32)
    x, y = data(dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=fused)
    penalty = EquivariancePenalty(optimizer, binding, lambda step: 0.5 + step)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    for step in range(4):
        optimizer.zero_grad()
        loss = mse(model(x), y) * (math.inf if step == 1 else 1.0)
        scaler.scale(loss).backward()
        if unscaled:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()
    other = torch.optim.AdamW(twin.parameters(), lr=0.01, fused=fused)
    for step in range(3):
        other.zero_grad()
        (mse(twin(x), y) + bound.penalty(0.5 + step)).backward()
        other.step()
    assert penalty.steps == 3
    for name, W in weights(model).items():
        torch.testing.assert_close(W, weights(twin)[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_under_autocast_it_is_that_of_the_float32_weights(dtype):
    model, binding = net(dtype=torch.float32)
    x, y = data(dtype=torch.float32)
    optimizer = Recorder(model.parameters())
    EquivariancePenalty(optimizer, binding, strength=0.7)
    with torch.autocast("cpu", dtype=dtype):
        mse(model(x), y).backward()
        task = [W.grad.clone() for W in model.parameters()]
        optimizer.step()
    for found, own, term in zip(optimizer.seen[0], task, added(binding, 0.7), strict=True):
        torch.testing.assert_close(found - own, term, rtol=1e-5, atol=1e-6)


def test_it_makes_gradients_where_the_loss_gives_none_and_spares_frozen_parameters():
    model, binding = net()
    model[2].bias.requires_grad_(False)
    optimizer = torch.optim.SGD([W for W in model.parameters() if W.requires_grad], lr=1.0)
    EquivariancePenalty(optimizer, binding, strength=0.25)
    before = weights(model)
    P = binding["2.weight"].projector
    optimizer.step()
    torch.testing.assert_close(P.residual(model[2].weight.detach()), 0.75 * P.residual(before["2.weight"]))
    torch.testing.assert_close(P.project(model[2].weight.detach()), P.project(before["2.weight"]))
    assert torch.equal(model[2].bias, before["2.bias"])


def test_gradients_that_share_memory_are_not_written_over():
    layer = nn.Linear(8, 8, dtype=torch.float64)
    binding = iw.bind(layer, {"": (V, V)})
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    EquivariancePenalty(optimizer, binding, strength=0.5)
    W, b = layer.weight.detach().clone(), layer.bias.detach().clone()
    layer.weight.grad, layer.bias.grad = torch.ones(1, 1, dtype=torch.float64).expand(8, 8), torch.zeros_like(b)
    optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), W - 1 - 0.5 * binding["weight"].projector.residual(W))


def test_it_acts_once_where_a_step_runs_its_hooks_twice_and_inside_wrappers():
    model, binding = net()
    Stepping(model.parameters(), lr=1.0)  # from now on its step, which the other calls, runs hooks of its own
    optimizer = SteppingTwice(model.parameters(), lr=1.0)
    penalty = EquivariancePenalty(optimizer, binding, strength=0.25)
    P, before = binding["0.weight"].projector, weights(model)
    for W in model.parameters():
        W.grad = torch.zeros_like(W)
    optimizer.step()
    assert penalty.steps == 1
    torch.testing.assert_close(model[0].weight.grad, 0.25 * P.residual(before["0.weight"]))
    inner = torch.optim.SGD(model.parameters(), lr=1.0)
    assert EquivariancePenalty(Accelerated(inner), binding, strength=0.1).optimizer is inner


def test_a_parametrised_weight_gets_it_through_its_parametrisation():
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(8, 8, dtype=torch.float64))
    binding = iw.bind(layer, {"": (V, V)})
    optimizer = Recorder(layer.parameters())
    EquivariancePenalty(optimizer, binding, strength=0.3)
    optimizer.zero_grad()
    for W in layer.parameters():
        W.grad = torch.zeros_like(W)
    optimizer.step()
    expected = torch.autograd.grad(binding.penalty(0.3), list(layer.parameters()))
    for found, gradient in zip(optimizer.seen[0], expected, strict=True):
        torch.testing.assert_close(found, gradient)


def test_several_groups_add_up():
    model, binding = net()
    half = V.restrict(iw.Cyclic(2))
    other = iw.bind(model, {"0": (half, half)})
    optimizer = Recorder(model.parameters())
    EquivariancePenalty(optimizer, [binding, other], [0.1, 0.4])
    optimizer.zero_grad()
    for W in model.parameters():
        W.grad = torch.zeros_like(W)
    optimizer.step()
    W = model[0].weight.detach()
    expected = 0.1 * binding["0.weight"].projector.residual(W) + 0.4 * other["0.weight"].projector.residual(W)
    torch.testing.assert_close(optimizer.seen[0][0], expected)


def test_it_goes_on_from_its_state_and_in_copies():
    model, binding = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    penalty = EquivariancePenalty(optimizer, binding, lambda step: 0.1 * step, every=2)
    train(model, optimizer, steps=3)
    twin, bound = net()
    twin.load_state_dict(model.state_dict())
    other = torch.optim.AdamW(twin.parameters(), lr=0.01)
    other.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    EquivariancePenalty(other, bound, lambda step: 0.1 * step, every=2).load_state_dict(penalty.state_dict())
    copied, opt, _ = copy.deepcopy((model, optimizer, penalty))
    for module, acting in ((model, optimizer), (twin, other), (copied, opt)):
        train(module, acting, steps=3)
    assert_same(weights(twin), weights(model))
    assert_same(weights(copied), weights(model))


def test_pickled_together_it_acts_and_removed_it_does_not():
    model, binding = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    penalty = EquivariancePenalty(optimizer, binding, 0.5)
    twin, opt, other = pickle.loads(pickle.dumps((model, optimizer, penalty)))
    before = off(other.bindings[0])
    opt.step()
    assert off(other.bindings[0]) < before
    penalty.remove()
    optimizer.step()
    assert off(binding) == before
    assert "EquivariancePenalty(C4; 4 parameters, squared, 1 steps)" in repr(other)
    assert twin is other.bindings[0].model


def test_what_it_refuses():
    model, binding = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    for strength, what in (
        (math.inf, "strength: .*>= 0; got inf.*EquivarianceDecay"),
        (-1.0, "strength"),
        ("a", "strength"),
    ):
        with pytest.raises(ArgumentError, match=what):
            EquivariancePenalty(optimizer, binding, strength)
    with pytest.raises(UnknownNameError, match="strength"):
        EquivariancePenalty(optimizer, binding, {"1": 0.1})
    with pytest.raises(ArgumentError, match=r"optimizer: .*got LBFGS, which compares losses.*penalty"):
        EquivariancePenalty(torch.optim.LBFGS(model.parameters()), binding, 0.1)
    with pytest.raises(ArgumentError, match=r"every typed parameter among its parameters; got none of 0\.weight"):
        EquivariancePenalty(torch.optim.SGD(model[2].parameters(), lr=1.0), binding, 0.1)
    with pytest.raises(ArgumentError, match="form"):
        EquivariancePenalty(optimizer, binding, 0.1, form="cubic")
    with pytest.raises(ArgumentError, match=r"state: .*'steps'"):
        EquivariancePenalty(optimizer, binding, 0.1).load_state_dict({"steps": -1})
    assert not torch.optim.SGD(model.parameters(), lr=1.0)._optimizer_step_pre_hooks


def test_parameters_that_took_the_place_of_others_are_an_error_and_sparse_gradients_too():
    model, binding = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    EquivariancePenalty(optimizer, binding, 0.1)
    model[0].weight = nn.Parameter(model[0].weight.detach().clone())
    with pytest.raises(ArgumentError, match=r"got none of 0\.weight"):
        optimizer.step()
    table = nn.Embedding(4, 8, sparse=True, dtype=torch.float64)
    binding = iw.bind(table, {"weight": iw.projector(axes=(None, V))})
    optimizer = torch.optim.SGD(table.parameters(), lr=1.0)
    EquivariancePenalty(optimizer, binding, 0.1)
    table(torch.tensor([1])).sum().backward()
    with pytest.raises(ArgumentError, match=r"parameters with dense gradients; got a torch\.sparse_coo one"):
        optimizer.step()
