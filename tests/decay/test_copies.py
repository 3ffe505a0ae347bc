"""Copied and unpickled training states go on decaying, once a step, with their own parameters."""

import copy
import io
import math
import pickle

import pytest
import torch

import intertwine as iw
from tests.binding.cases import c4_mlp, linear
from tests.decay.stand_ins import ScheduleFree

INF = math.inf


def saved_and_loaded(things):
    buffer = io.BytesIO()
    torch.save(things, buffer)
    buffer.seek(0)
    return torch.load(buffer, weights_only=False)


COPIES = {"deepcopy": copy.deepcopy, "pickle": lambda x: pickle.loads(pickle.dumps(x)), "torch.save": saved_and_loaded}


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0)])
def test_copies_decay(how, order):
    layer, binding = linear()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=2.0)
    optimizer.step()
    things = (layer, binding, optimizer, decay)
    copied = COPIES[how](tuple(things[i] for i in order))
    twin, bound, twins, other = (copied[order.index(i)] for i in range(4))
    assert other.optimizer is twins
    P = bound["weight"].projector
    before, original = P.residual(twin.weight.detach()), layer.weight.detach().clone()
    twin.weight.grad = torch.zeros(4, 4, dtype=torch.float64)
    twins.step()
    # Once, not twice, and without the original.
    torch.testing.assert_close(P.residual(twin.weight.detach()), before / 2)
    assert (decay.steps, other.steps) == (1, 2)
    assert torch.equal(layer.weight.detach(), original)
    optimizer.step()
    assert (decay.steps, other.steps) == (2, 2)


def test_a_copy_of_a_copy():
    things = linear()
    optimizer = torch.optim.SGD(things[0].parameters(), lr=0.5)
    state = (*things, optimizer, iw.EquivarianceDecay(optimizer, things[1], strength=INF))
    for _ in range(3):
        state = copy.deepcopy(state)
    layer, binding, optimizer, decay = state
    layer.weight.grad = torch.zeros(4, 4, dtype=torch.float64)
    optimizer.step()
    assert decay.steps == 1
    assert binding["weight"].projector.relative_residual(layer.weight) < 1e-12
    decay.remove()
    optimizer.step()
    assert decay.steps == 1


def test_a_removed_decay_stays_removed():
    layer, binding = linear()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.5)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=INF)
    decay.remove()
    layer, optimizer, decay = copy.deepcopy((layer, optimizer, decay))
    layer.weight.grad = torch.zeros(4, 4, dtype=torch.float64)
    optimizer.step()
    assert decay.steps == 0


def test_averages_after_a_copy():
    layer, binding = linear()
    optimizer = ScheduleFree(layer.parameters(), 0.5)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=INF)
    optimizer.step()
    layer, binding, optimizer, decay = copy.deepcopy((layer, binding, optimizer, decay))
    for _ in range(3):
        layer.weight.grad = torch.randn(4, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        optimizer.step()
    optimizer.eval()
    assert binding["weight"].projector.relative_residual(layer.weight) < 1e-12
    assert decay.steps == 4


def test_loading_an_optimisers_state_keeps_the_decay():
    model, binding = c4_mlp()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=INF)
    model(torch.ones(2, 9, dtype=torch.float64)).square().sum().backward()
    optimizer.step()
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    model.load_state_dict(copy.deepcopy(model.state_dict()))
    optimizer.step()
    assert decay.steps == 2
    assert max(r.relative_residual for r in binding.residuals().values()) < 1e-12
