"""Typed running statistics: eval mode is exact at infinite strength."""

import math

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.binding.cases import seeded

INF = math.inf
G = iw.Cyclic(4)
R, T = 2 * G.regular(), G.trivial()


def network() -> tuple[nn.Module, dict[str, object]]:
    net = nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, 2),
    ).double()
    return net, {"0": (T, R), "1": R, "5": (R, 2 * T)}


def train(net: nn.Module, optimizer, steps: int = 5) -> torch.Tensor:
    x = torch.randn(16, 1, 9, 9, generator=seeded(1), dtype=torch.float64)
    x = x + torch.linspace(-2, 2, 9, dtype=torch.float64)
    for _ in range(steps):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), (x[:, 0, 4].mean(1) > 0).long()).backward()
        optimizer.step()
    return x


def test_eval_mode_is_exact_after_training():
    net, types = network()
    binding = iw.bind(net, types).initialize_(generator=seeded())
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-2)
    iw.EquivarianceDecay(optimizer, binding, strength=INF)
    x = train(net, optimizer)
    assert float(iw.equivariance_error(net, iw.on_grid(T), 2 * T, x)) < 1e-12
    assert max(r.relative_residual for r in binding.residuals().values()) < 1e-12


def test_projecting_each_step_is_projecting_at_the_end():
    """The statistics are a linear average of those of the batches."""
    ends = []
    for at_each in (True, False):
        net, types = network()
        iw.bind(net, types).initialize_(generator=seeded())
        weights = iw.bind(net, {name: types[name] for name in ("0", "5")} | {"1.weight": R, "1.bias": R})
        affine = iw.bind(net, types)
        optimizer = torch.optim.SGD(net.parameters(), lr=0.0)
        iw.EquivarianceDecay(optimizer, affine if at_each else weights, strength=INF)
        train(net, optimizer)
        affine.project_()
        ends.append([b.clone() for b in net.buffers()])
    for one, other in zip(*ends, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.filterwarnings("ignore:.*so that eval mode is not exact:intertwine.DecayWarning")
@pytest.mark.parametrize("strength", [1e6, {"0": INF, "5": INF}])
def test_left_alone_at_other_strengths(strength):
    net, types = network()
    binding = iw.bind(net, types).initialize_(generator=seeded())
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-2)
    iw.EquivarianceDecay(optimizer, binding, strength=strength)
    train(net, optimizer)
    assert binding.residuals()["1.running_mean"].relative_residual > 1e-2


def test_by_name_and_by_schedule():
    for strength in ({"1": INF}, {"1.running_mean": INF, "1.running_var": INF}, lambda step: INF):
        net, types = network()
        binding = iw.bind(net, types).initialize_(generator=seeded())
        optimizer = torch.optim.SGD(net.parameters(), lr=1e-2)
        iw.EquivarianceDecay(optimizer, binding, strength=strength)
        train(net, optimizer)
        for name in ("1.running_mean", "1.running_var"):
            assert binding.residuals()[name].relative_residual < 1e-12


def test_several_bindings():
    net, types = network()
    half = iw.Cyclic(2)
    r, t = R.restrict(half), T.restrict(half)
    whole = iw.bind(net, types).initialize_(generator=seeded())
    part = iw.bind(net, {"0": (t, r), "1": r, "5": (r, 2 * t)})
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-2)
    iw.EquivarianceDecay(optimizer, [whole, part], strength=[1.0, INF])
    train(net, optimizer)
    assert part.residuals()["1.running_mean"].relative_residual < 1e-12
    assert whole.residuals()["1.running_mean"].relative_residual > 1e-3


def made(strength: object) -> tuple[nn.Module, torch.optim.Optimizer, iw.EquivarianceDecay]:
    net, types = network()
    binding = iw.bind(net, types).initialize_(generator=seeded())
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-2)
    return net, optimizer, iw.EquivarianceDecay(optimizer, binding, strength=strength)


LEFT = (
    r"1\.running_mean, 1\.running_var stay as they are, so that eval mode is not exact|1\.running_var, 1\.running_mean"
)


@pytest.mark.parametrize("strength", [{"0": INF, "5": INF}, {"0": INF, "1": 0.1}])
def test_statistics_left_out_of_a_projection_are_said(strength):
    with pytest.warns(iw.DecayWarning, match=LEFT):
        made(strength)


def test_statistics_left_out_by_a_callable_are_said_at_the_step():
    net, optimizer, _ = made(lambda step: {"0": INF if step else 1.0})
    with pytest.warns(iw.DecayWarning, match=LEFT):
        train(net, optimizer, steps=2)


@pytest.mark.parametrize("strength", [INF, 0.5, {"0": 0.5}, {"0": INF, "1": INF, "5": INF}])
def test_nothing_is_said_where_they_are_projected_or_nothing_is(strength, recwarn):
    net, optimizer, _ = made(strength)
    train(net, optimizer, steps=2)
    assert not [one for one in recwarn if issubclass(one.category, iw.DecayWarning)]
