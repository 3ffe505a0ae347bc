"""Parametrised tensors decay through the right inverse, or are refused when the decay is made."""

import copy
import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

import intertwine as iw
from tests.binding.cases import fill, proximal, seeded

INF = math.inf
R = iw.Cyclic(4).regular()


def layer() -> nn.Linear:
    return fill(nn.Linear(4, 4).double())


@pytest.mark.parametrize("strength", [2.0, INF])
def test_weight_norm_decays(strength):
    module = parametrizations.weight_norm(layer())
    twin = copy.deepcopy(module)
    binding = iw.bind(module, {"": (R, R)})
    optimizers = [torch.optim.SGD(m.parameters(), lr=0.3) for m in (module, twin)]
    decay = iw.EquivarianceDecay(optimizers[0], binding, strength=strength)
    x = torch.randn(6, 4, generator=seeded(2), dtype=torch.float64)
    for model, optimizer in zip((module, twin), optimizers, strict=True):
        model(x).square().mean().backward()
        optimizer.step()
    P = binding["weight"].projector
    W = twin.weight.detach()
    expected = P.project(W) if strength == INF else proximal(W, [(P, strength)], 0.3)
    torch.testing.assert_close(module.weight.detach(), expected)
    assert decay.steps == 1


def test_weight_norm_stays_exact():
    module = parametrizations.weight_norm(layer())
    binding = iw.bind(module, {"": (R, R)})
    optimizer = torch.optim.Adam(module.parameters(), lr=0.05)
    iw.EquivarianceDecay(optimizer, binding, strength=INF)
    x = torch.randn(6, 4, generator=seeded(2), dtype=torch.float64)
    for _ in range(10):
        optimizer.zero_grad()
        (module(x) - x.roll(1, 0)).square().mean().backward()
        optimizer.step()
    assert max(r.relative_residual for r in binding.residuals().values()) < 1e-12


@pytest.mark.parametrize("wrap", [parametrizations.spectral_norm, parametrizations.orthogonal])
def test_refused_when_it_is_made(wrap):
    module = wrap(layer())
    binding = iw.bind(module, {"": (R, R)})
    before = copy.deepcopy(module.state_dict())
    with pytest.raises(iw.errors.ArgumentError, match="binding: expected weight to take its projection through"):
        iw.EquivarianceDecay(torch.optim.SGD(module.parameters(), lr=0.1), binding, 1.0)
    assert all(torch.equal(before[name], tensor) for name, tensor in module.state_dict().items())
    # Of strength 0 it is not written to.
    iw.EquivarianceDecay(torch.optim.SGD(module.parameters(), lr=0.1), binding, {"bias": 1.0})


def test_an_optimiser_of_the_parametrised_layers_parameters_is_needed():
    module = parametrizations.weight_norm(layer())
    binding = iw.bind(module, {"": (R, R)})
    part = [module.bias, module.parametrizations.weight.original0]
    with pytest.raises(iw.errors.ArgumentError, match="got none of weight"):
        iw.EquivarianceDecay(torch.optim.SGD(part, lr=0.1), binding, 1.0)


def test_parametrised_after_binding():
    """The decay reads the model at each step; what it reads now is made from parameters that the optimiser has not."""
    module = layer()
    binding = iw.bind(module, {"": (R, R)})
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, 1.0)
    parametrizations.weight_norm(module)
    with pytest.raises(iw.errors.ArgumentError, match="got none of weight"):
        optimizer.step()
    parametrize.remove_parametrizations(module, "weight")
