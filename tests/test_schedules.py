"""Strengths that change with the steps, and weights that are blended and split by name."""

import copy
import itertools
import math

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.errors import ArgumentError, UnknownNameError
from intertwine.training import CosineRamp, Ramp, RelaxThenSnap

G = iw.Cyclic(4)
V = 2 * G.regular()


def bound(seed=0):
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(V.dim, V.dim), nn.BatchNorm1d(V.dim), nn.Linear(V.dim, V.dim))
    return model, iw.bind(model, {"0": (V, V), "1": V, "2": (V, V)})


def test_ramps_start_and_end_where_they_say_and_go_one_way():
    for kind in (Ramp, CosineRamp):
        up, down = kind(0.5, 2.0, steps=10), kind(2.0, 0.5, steps=10)
        values = [up(step) for step in range(14)]
        assert values[0] == 0.5
        assert values[10:] == pytest.approx([2.0] * 4, rel=1e-15)
        assert all(a < b for a, b in itertools.pairwise(values[:11]))
        assert values[5] == pytest.approx(1.25)
        assert [up(step) + down(step) for step in range(14)] == pytest.approx([2.5] * 14)
    assert CosineRamp(0.0, 1.0, steps=10)(1) < Ramp(0.0, 1.0, steps=10)(1)


def test_a_snap_makes_weights_and_statistics_exact_from_its_step_on():
    model, binding = bound()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=RelaxThenSnap(0.1, snap=3))
    x, seen = torch.randn(16, V.dim), []
    for _ in range(5):
        optimizer.zero_grad()
        model(x).square().sum().backward()
        optimizer.step()
        seen.append(max(one.relative_residual for one in binding.residuals().values()))
    assert min(seen[:3]) > 0.1
    assert max(seen[3:]) < 1e-6
    assert decay.steps == 5


def test_a_resumed_schedule_goes_on_to_the_bit():
    x = torch.randn(16, V.dim, generator=torch.Generator().manual_seed(0))

    def training(model, binding):
        optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
        return optimizer, iw.EquivarianceDecay(optimizer, binding, strength=CosineRamp(0.0, 50.0, steps=6))

    def steps(model, optimizer, count):
        for _ in range(count):
            optimizer.zero_grad()
            model(x).square().mean().backward()
            optimizer.step()

    model, binding = bound()
    optimizer, decay = training(model, binding)
    steps(model, optimizer, 3)
    saved = copy.deepcopy((model.state_dict(), optimizer.state_dict(), decay.state_dict()))
    steps(model, optimizer, 3)
    other, other_binding = bound(seed=1)
    other_optimizer, other_decay = training(other, other_binding)
    for thing, state in zip((other, other_optimizer, other_decay), saved, strict=True):
        thing.load_state_dict(state)
    steps(other, other_optimizer, 3)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("kind", [Ramp, CosineRamp])
def test_bad_schedules_are_refused(kind):
    for start, end, steps in ((-1.0, 1.0, 5), (0.0, math.inf, 5), ("0", 1.0, 5), (0.0, 1.0, 0), (0.0, 1.0, 2.5)):
        with pytest.raises(ArgumentError):
            kind(start, end, steps)
    with pytest.raises(ArgumentError, match="step"):
        kind(0.0, 1.0, 5)(-1)
    for strength, snap in ((-1.0, 5), (math.inf, 5), (1.0, -1), (1.0, 0.5)):
        with pytest.raises(ArgumentError):
            RelaxThenSnap(strength, snap)


def test_blending_scales_the_residual_and_leaves_the_rest_alone():
    model, binding = bound()
    before, whole = binding.residuals(), copy.deepcopy(model.state_dict())
    equivariant, _ = binding.split()
    binding.blend_({"0": 0.25, "2.weight": 1.0})
    after = binding.residuals()
    assert after["0.weight"].residual == pytest.approx(0.75 * before["0.weight"].residual, rel=1e-5)
    assert torch.equal(model[2].weight, equivariant["2.weight"])
    assert torch.equal(model[2].bias, whole["2.bias"])
    torch.testing.assert_close(binding.split()[0]["0.weight"], equivariant["0.weight"])
    assert list(model.state_dict()) == list(whole)


def test_the_ends_of_blending_are_exact_to_the_bit():
    model, binding = bound()
    other = copy.deepcopy(model)
    whole = copy.deepcopy(model.state_dict())
    binding.blend_(0.0)
    assert all(torch.equal(value, whole[name]) for name, value in model.state_dict().items())
    binding.blend_(1.0)
    iw.bind(other, {"0": (V, V), "1": V, "2": (V, V)}).project_()
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())


def test_the_parts_add_up_and_load_as_state_dicts():
    model, binding = bound()
    whole = {entry.name: tensor.clone() for entry, tensor in binding.tensors()}
    equivariant, rest = binding.split()
    assert list(equivariant) == list(rest) == list(whole)
    for name, value in whole.items():
        torch.testing.assert_close(equivariant[name] + rest[name], value)
        assert abs(float((equivariant[name] * rest[name]).sum())) < 1e-5
    model.load_state_dict(equivariant, strict=False)
    assert max(one.relative_residual for one in binding.residuals().values()) < 1e-6


def test_parametrised_weights_are_blended_through_their_inverse():
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(V.dim, V.dim))
    binding = iw.bind(layer, {"": (V, V)})
    before = binding.residuals()["weight"].residual
    binding.blend_(0.5)
    assert binding.residuals()["weight"].residual == pytest.approx(before / 2, rel=1e-4)


def test_bad_shares_are_refused_and_change_nothing():
    model, binding = bound()
    whole = copy.deepcopy(model.state_dict())
    for wrong in (-0.1, 1.1, math.nan, math.inf, True, "1", None, {"0": 2.0}):
        with pytest.raises(ArgumentError, match="alpha"):
            binding.blend_(wrong)
    with pytest.raises(UnknownNameError, match="alpha"):
        binding.blend_({"nothing": 0.5})
    assert all(torch.equal(value, whole[name]) for name, value in model.state_dict().items())
