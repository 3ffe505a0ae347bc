"""Targets instead of strengths: each step takes the weights to the residual that is asked for, and none below it."""

import copy
import math

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.errors import ArgumentError, UnknownNameError
from intertwine.training import EquivariancePenalty, scalars

G = iw.Dihedral(4)
V = 4 * G.regular()


def network(seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(V.dim, V.dim), nn.ReLU(), nn.Linear(V.dim, 3))
    return model, iw.bind(model, {"0": (V, V), "2": (V, 3 * G.trivial())})


def optimizers():
    return {
        "sgd": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9),
        "adamw": lambda p: torch.optim.AdamW(p, lr=1e-2),
        "tensor lr": lambda p: torch.optim.Adam(p, lr=torch.tensor(1e-2)),
    }


def train(model, optimizer, steps, seed=1):
    generator = torch.Generator().manual_seed(seed)
    x, y = torch.randn(64, V.dim, generator=generator), torch.randn(64, 3, generator=generator)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y).backward()
        optimizer.step()


@pytest.mark.parametrize("name", list(optimizers()))
@pytest.mark.parametrize("limit", [0.02, 0.3])
def test_weights_are_at_their_target_where_the_loss_pulls_them_out(name, limit):
    model, binding = network()
    optimizer = optimizers()[name](model.parameters())
    target = iw.Target(binding, limit)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=target)
    assert f"Target({limit:g}" in repr(decay)
    train(model, optimizer, 30)
    found = {name: one.relative_residual for name, one in binding.residuals().items() if one.rank < one.numel}
    assert found == pytest.approx(dict.fromkeys(found, limit), rel=1e-4)
    assert all(target.multipliers[name] > 0 for name in found)
    assert scalars(decay)["equivariance/decay_strength/0.weight"] == target.multipliers["0.weight"]
    assert target.slack == pytest.approx({name: limit - found.get(name, 0.0) for name in target.slack}, abs=1e-5)


def test_the_step_is_the_proximal_step_of_the_multiplier_that_it_reports():
    model, binding = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)
    target = iw.Target(binding, {"0.weight": 0.1})
    iw.EquivarianceDecay(optimizer, binding, strength=target)
    free = copy.deepcopy(model)
    train(model, optimizer, 1)
    train(free, torch.optim.SGD(free.parameters(), lr=0.25), 1)
    P, W = binding["0.weight"].projector, free[0].weight.detach()
    s = target.multipliers["0.weight"]
    torch.testing.assert_close(model[0].weight.detach(), P.project(W) + P.residual(W) / (1 + 0.25 * s))
    torch.testing.assert_close(model[2].weight, free[2].weight, rtol=0, atol=0)
    assert list(target.multipliers) == ["0.weight"]


def test_what_is_below_its_target_stays_as_it_is():
    model, binding = network()
    binding.blend_(0.95)
    before = copy.deepcopy(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    target = iw.Target(binding, 0.5)
    iw.EquivarianceDecay(optimizer, binding, strength=target)
    train(model, optimizer, 2)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), before.parameters(), strict=True))
    assert set(target.multipliers.values()) == {0.0}
    assert all(0 < slack <= 0.5 for slack in target.slack.values())


def test_zero_is_exact_and_one_is_no_bound():
    model, binding = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    iw.EquivarianceDecay(optimizer, binding, strength=iw.Target(binding, {"0": 0.0, "2": 1.0}))
    train(model, optimizer, 20)
    found = binding.residuals()
    assert found["0.weight"].relative_residual < 1e-6
    assert found["2.weight"].relative_residual > 0.5


def test_weights_without_an_equivariant_part_can_meet_no_other_than_zero():
    layer = nn.Linear(3, 1, bias=False)
    with pytest.warns(iw.RankZeroWarning):
        binding = iw.bind(layer, {"": (iw.SO(3).irrep(1), iw.SO(3).trivial())})
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=iw.Target(binding, 0.5))
    layer.weight.grad = torch.ones(1, 3)
    optimizer.step()
    assert not layer.weight.any()


def test_copies_go_on_with_their_own_binding_and_training_can_be_resumed_to_the_bit():
    model, binding = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=iw.Target(binding, 0.1))
    train(model, optimizer, 3)
    other, other_optimizer, other_decay = copy.deepcopy((model, optimizer, decay))
    train(model, optimizer, 3, seed=2)
    train(other, other_optimizer, 3, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))
    assert other_decay.steps == decay.steps == 6


def test_skipped_steps_move_nothing():
    model, binding = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    target = iw.Target(binding, 0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=target)
    before = copy.deepcopy(model.state_dict())
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)
    scaler.scale(model(torch.full((2, V.dim), math.inf)).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert target.multipliers == {}


def test_bad_targets_are_refused_by_name():
    model, binding = network()
    other = network()[1]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for wrong in (-0.1, 1.5, math.nan, math.inf, True, "0.1", None, {"0": 2.0}):
        with pytest.raises(ArgumentError, match="residual"):
            iw.Target(binding, wrong)
    with pytest.raises(UnknownNameError, match="residual"):
        iw.Target(binding, {"7": 0.1})
    with pytest.raises(ArgumentError, match="binding"):
        iw.Target(model, 0.1)
    with pytest.raises(ArgumentError, match="another binding"):
        iw.EquivarianceDecay(optimizer, binding, strength=iw.Target(other, 0.1))
    with pytest.raises(ArgumentError, match="every"):
        iw.EquivarianceDecay(optimizer, binding, strength=iw.Target(binding, 0.1), every=4)
    with pytest.raises(ArgumentError, match="several bindings"):
        iw.EquivarianceDecay(optimizer, [binding, binding], strength=iw.Target(binding, 0.1))
    # Where nothing could keep the bound it is no strength.
    for acting in (
        lambda target: iw.EquivarianceDecay(optimizer, [binding, binding], strength=[target, 1.0]),
        lambda target: iw.SplitAdamW(model.parameters(), binding, lr=0.1, strength=target),
        lambda target: EquivariancePenalty(optimizer, binding, target),
    ):
        with pytest.raises(ArgumentError, match="strength"):
            acting(iw.Target(binding, 0.1))
    with pytest.raises(ArgumentError, match="strength"):
        binding.penalty(strength=iw.Target(binding, 0.1))


class Spectral(nn.Module):
    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(4, 4, 4, 4, dtype=torch.complex64))


def test_norms_of_their_own_are_refused_by_name():
    R = iw.Cyclic(4).regular()
    model, P = Spectral(), iw.spectral_projector(R, R, (4, 4))
    assert P.has_own_norm
    binding = iw.bind(model, {"weight": P})
    with pytest.raises(ArgumentError, match="norm of its own"):
        iw.Target(binding, 0.1)
    assert iw.Target(binding, {"weight": 0.0}).unsolved() == (math.inf,)
