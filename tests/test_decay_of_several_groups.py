import math

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.binding.cases import c4_mlp, fill, linear, proximal

R = iw.Cyclic(4).regular()
INF = math.inf


def chain_bindings():
    """C4 > C2 on one layer."""
    layer, by_4 = linear()
    half = R.restrict(iw.Cyclic(2))
    return layer, by_4, iw.bind(layer, {"": (half, half)})


@pytest.mark.parametrize("strengths", [(2.0, 0.5), (0.5, 2.0), (INF, 1.0), (1.0, INF), (0.0, 1.0)])
def test_nested_groups_in_closed_form(strengths):
    layer, by_4, by_2 = chain_bindings()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.3)
    decay = iw.EquivarianceDecay(optimizer, [by_4, by_2], strengths)
    assert decay.exact
    assert decay.reason == ""
    pairs = [(b["weight"].projector, min(s, 1e9)) for b, s in zip((by_4, by_2), strengths, strict=True)]
    expected = proximal(layer.weight, pairs, 0.3)
    optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), expected, rtol=1e-7, atol=1e-7 if INF in strengths else 1e-12)


def test_three_commuting_groups():
    """Products of cyclic groups on different factors commute without being nested."""
    G = iw.Cyclic(2) * iw.Cyclic(3)
    rep = G.regular()
    layer, whole = linear(rep)
    first, second = (rep.restrict(iw.FiniteGroup(generator[None])) for generator in G.generators)
    bindings = [whole, iw.bind(layer, {"": (first, first)}), iw.bind(layer, {"": (second, second)})]
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.3)
    decay = iw.EquivarianceDecay(optimizer, bindings, [1.0, 2.0, 4.0])
    assert decay.exact
    pairs = list(zip((b["weight"].projector for b in bindings), (1.0, 2.0, 4.0), strict=True))
    expected = proximal(layer.weight, pairs, 0.3)
    optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), expected)


def crossing_bindings():
    """Two mirrors of a triangle, whose reflections do not commute."""
    layer = fill(nn.Linear(3, 3, bias=False).double())
    layer.weight.grad = torch.zeros_like(layer.weight)
    reps = [iw.FiniteGroup([[1, 0, 2]]).permutation([[1, 0, 2]]), iw.FiniteGroup([[0, 2, 1]]).permutation([[0, 2, 1]])]
    return layer, [iw.bind(layer, {"": (rep, rep)}) for rep in reps]


def test_crossing_groups_in_turn():
    layer, bindings = crossing_bindings()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.3)
    decay = iw.EquivarianceDecay(optimizer, bindings, [2.0, 1.0])
    assert not decay.exact
    assert "on weight do not commute" in decay.reason
    assert "exact=False" in repr(decay)
    W = layer.weight.detach().clone()
    P, Q = (b["weight"].projector for b in bindings)
    in_turn = proximal(proximal(W, [(P, 2.0)], 0.3), [(Q, 1.0)], 0.3)
    together = proximal(W, [(P, 2.0), (Q, 1.0)], 0.3)
    optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), in_turn)
    assert (in_turn - together).norm() > 1e-3  # exact=False is not said for nothing


def test_bindings_of_different_parameters():
    model, binding = c4_mlp()
    G = iw.Cyclic(4)
    first = iw.bind(model, {"0": (G.grid(3, 3), 3 * G.regular())})
    second = iw.bind(model, {"4": (3 * G.regular(), 5 * G.trivial())})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    assert iw.EquivarianceDecay(optimizer, (first, second), (INF, lambda step: INF)).exact
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    broken = {name for name, r in binding.residuals().items() if r.relative_residual > 1e-12}
    assert broken == {"2.weight", "2.bias"}
