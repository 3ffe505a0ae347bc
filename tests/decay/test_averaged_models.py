"""Averages of models beside a decay: P is linear, so that an average of projected weights is projected."""

import copy
import dataclasses
import functools
import math

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

import intertwine as iw
from tests.binding.cases import seeded
from tests.binding.test_effective import WRITTEN, LowRank, bound

INF = math.inf
G = iw.Cyclic(4)
V = 2 * G.regular()


def network():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)).double()
    return model, iw.bind(model, {"0": (V, V), "2": (V, V)})


def moved(binding, model):
    """The same types on another model: an average."""
    return dataclasses.replace(binding, model=model)


def worst(binding):
    return max(found.relative_residual for found in binding.residuals().values())


class OfTorch:
    """``AveragedModel``: the first update copies."""

    def __init__(self, model, multi_avg_fn=None):
        self._averaged = AveragedModel(model, multi_avg_fn=multi_avg_fn)

    def update(self, model):
        self._averaged.update_parameters(model)

    def read(self):
        return self._averaged.module


def swa(model):
    return OfTorch(model)


def ema(model):
    return OfTorch(model, get_ema_multi_avg_fn(0.9))


class OfTorchEma:
    """torch_ema keeps a list of tensors, which a context puts into the model."""

    def __init__(self, model):
        torch_ema = pytest.importorskip("torch_ema")
        self._model = model
        self._average = torch_ema.ExponentialMovingAverage(model.parameters(), decay=0.9, use_num_updates=False)

    def update(self, model):
        self._average.update()

    def read(self):
        with self._average.average_parameters():
            return copy.deepcopy(self._model)


@functools.cache
def model_ema():
    """timm's class, also where torchvision is built for another torch."""
    from benchmarks.models.__main__ import operators_of_torchvision

    operators_of_torchvision()
    return pytest.importorskip("timm.utils", exc_type=ImportError).ModelEmaV3


def timm(model):
    average = model_ema()(model, decay=0.9)
    average.read = lambda: average.module
    return average


# Whether the first update takes the weights as they are, or the average remembers those that it was made from.
KINDS = {"SWA": (swa, True), "EMA": (ema, True), "torch_ema": (OfTorchEma, False), "timm": (timm, False)}


def run(model, average, optimizer, steps=20, after=lambda: None):
    """Trains and averages after each step; ``after`` runs behind the average."""
    draws = seeded(1)
    for _ in range(steps):
        x = torch.randn(16, 8, generator=draws, dtype=torch.float64)
        optimizer.zero_grad()
        (model(x) - x.flip(-1)).square().mean().backward()
        optimizer.step()
        average.update(model)
        after()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("start", ["projected", "random"])
def test_at_infinite_strength_the_average_is_projected(kind, start):
    """The decay is a hook behind the optimiser's step, before any average that is updated after it."""
    make, copies_first = KINDS[kind]
    model, binding = network()
    if start == "projected":
        binding.project_()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    iw.EquivarianceDecay(optimizer, binding, INF)
    average = make(model)
    run(model, average, optimizer)
    found = worst(moved(binding, average.read()))
    if copies_first or start == "projected":
        assert found < 1e-12
    else:
        assert found > 0.05  # 0.9^20 of the start is left
    assert worst(binding) < 1e-12


@pytest.mark.parametrize("kind", ["SWA", "EMA"])
def test_a_projection_behind_the_average_comes_too_late(kind):
    model, binding = network()
    average = KINDS[kind][0](model)
    run(model, average, torch.optim.AdamW(model.parameters(), lr=0.01), after=binding.project_)
    of_average = moved(binding, average.read())
    assert worst(binding) < 1e-12
    assert worst(of_average) > 1e-3
    of_average.project_()
    assert worst(of_average) < 1e-12
    assert worst(binding) < 1e-12


def test_a_finite_decay_averages_what_it_leaves():
    """P is linear: the residual of the average is the average of the residuals, and no larger than the largest."""
    model, binding = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, 3.0)
    average, seen = swa(model), []
    run(model, average, optimizer, after=lambda: seen.append(binding["0.weight"].tensor(model).detach().clone()))
    P, W = binding["0.weight"].projector, average.read()[0].weight.detach()
    torch.testing.assert_close(P.residual(W), torch.stack([P.residual(member) for member in seen]).mean(0))
    assert float(P.residual(W).norm()) <= max(float(P.residual(member).norm()) for member in seen)


def test_between_the_steps_of_every_gradients_keep_the_average_projected():
    rep = iw.SO(3).irreps("2x0 + 2x1")
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8, bias=False)).double()
    binding = iw.bind(model, {"0": (rep, rep)}).project_()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    iw.EquivarianceDecay(optimizer, binding, INF, every=4)
    average = swa(model)
    run(model, average, optimizer, steps=10)
    assert worst(moved(binding, average.read())) < 1e-12


def test_statistics_that_are_collected_anew_are_projected_last():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 8), nn.BatchNorm1d(8)).double()
    binding = iw.bind(model, {"0": (V, V), "1": V}).project_()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    iw.EquivarianceDecay(optimizer, binding, INF)
    average = swa(model)
    run(model, average, optimizer)
    draws = seeded(2)
    update_bn([torch.randn(16, 8, generator=draws, dtype=torch.float64) for _ in range(3)], average._averaged)
    of_average = moved(binding, average.read())
    found = of_average.residuals()
    assert all(r.relative_residual < 1e-12 for r in found.values() if r.kind != "buffer")
    assert found["1.running_mean"].relative_residual > 0.01
    of_average.project_()
    x = torch.randn(4, 8, generator=seeded(3), dtype=torch.float64)
    assert float(iw.equivariance_error(average.read().eval(), V, V, x)) < 1e-12


@pytest.mark.parametrize("how", ["weight norm", "factors"])
def test_averages_of_what_weights_are_computed_from(how):
    """``mean(B A)`` is not ``mean(B) mean(A)``; weight norm's directions and norms are equivariant each by itself."""
    if how == "factors":
        model = LowRank()
        binding = bound(model, **WRITTEN)
    else:
        torch.manual_seed(0)
        model = parametrizations.weight_norm(nn.Linear(8, 8)).double()
        binding = iw.bind(model, {"": (V, V)})
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.05)
    iw.EquivarianceDecay(optimizer, binding, INF)
    average = ema(model)
    run(model, average, optimizer)
    of_average = moved(binding, average.read())
    assert worst(binding) < 1e-10
    assert worst(of_average) > 1e-3 if how == "factors" else worst(of_average) < 1e-10
    assert worst(of_average.project_()) < 1e-12


def test_averages_of_equivariant_factors_make_an_equivariant_product():
    model = LowRank()
    rank = G.regular()
    factors = iw.bind(model, {"A": (rank, V), "B": (V, rank), "base": (V, V)}).project_()
    optimizer = iw.SplitAdamW(model.parameters(), factors, lr=0.05, strength=INF)
    average = ema(model)
    run(model, average, optimizer)
    assert worst(moved(bound(model), average.read())) < 1e-12


def test_a_copy_of_the_model_has_none_of_the_decays_hooks():
    model, binding = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    decay = iw.EquivarianceDecay(optimizer, binding, INF)
    average = ema(model)
    run(model, average, optimizer, steps=3)
    assert decay.steps == 3
    twin = average.read()
    with torch.no_grad():
        for W in twin.parameters():
            W.normal_(generator=seeded(4))
    before = [W.detach().clone() for W in twin.parameters()]
    own = torch.optim.SGD(twin.parameters(), lr=0.0)
    twin(torch.ones(2, 8, dtype=torch.float64)).sum().backward()
    own.step()
    optimizer.step()
    assert all(torch.equal(W, old) for W, old in zip(twin.parameters(), before, strict=True))
    assert decay.steps == 4


class Holder(nn.Module):
    """A model that holds its binding, optimiser and decay, as modules of trainers do."""

    def __init__(self):
        super().__init__()
        self.inner, binding = network()
        self.optimizer = torch.optim.SGD(self.inner.parameters(), lr=0.1)
        self.decay = iw.EquivarianceDecay(self.optimizer, binding, INF)

    def forward(self, x):
        return self.inner(x)


def test_a_copy_that_holds_a_decay_goes_on_by_itself():
    model = Holder()
    average = ema(model)
    run(model, average, model.optimizer, steps=3)
    assert model.decay.steps == 3
    twin = average.read()
    assert twin.decay.steps == 0
    assert twin.decay.bindings[0].model is twin.inner
    assert worst(twin.decay.bindings[0]) < 1e-12
    twin(torch.ones(2, 8, dtype=torch.float64)).sum().backward()
    twin.optimizer.step()
    assert (twin.decay.steps, model.decay.steps) == (1, 3)
    assert sum(len(o._optimizer_step_post_hooks) for o in (model.optimizer, twin.optimizer)) == 2
