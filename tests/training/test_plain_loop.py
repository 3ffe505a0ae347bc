"""A loop of one's own: averages, clipping, autocast, scalers, checkpointing of activations, and resuming."""

import copy
import math
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn
from torch.utils.checkpoint import checkpoint

import intertwine as iw
from intertwine.training import Regularization
from tests.training.models import V, assert_same, data, net, off, weights

mse = nn.functional.mse_loss
INF = math.inf


def run(model, optimizer, steps=5, after=lambda: None):
    x, y = data(dtype=next(model.parameters()).dtype)
    for _ in range(steps):
        optimizer.zero_grad()
        mse(model(x), y).backward()
        optimizer.step()
        after()


def averaged_off(average, binding):
    """The largest relative residual in a copy of the model."""
    named = dict(average.module.named_parameters())
    return max(float(e.projector.relative_residual(named[e.name].detach())) for e in binding if e.name in named)


@pytest.mark.parametrize("kind", ["ema", "swa"])
def test_averages_behind_the_decay_are_projected(kind):
    model, binding = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    Regularization(binding, decay=INF).attach(optimizer)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9) if kind == "ema" else None)
    run(model, optimizer, after=lambda: average.update_parameters(model))
    assert averaged_off(average, binding) < 1e-12


def test_a_projection_behind_the_average_comes_too_late():
    """What the callback of a trainer must not do: project where averages have been taken already."""
    model, binding = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(0.9))

    def late():
        average.update_parameters(model)
        binding.project_()

    run(model, optimizer, after=late)
    assert off(binding) < 1e-12
    assert averaged_off(average, binding) > 0.05


def test_statistics_that_are_taken_anew_for_an_average_are_projected_by_hand():
    """``update_bn`` runs the averaged model in train mode, so that its running statistics are those of the data."""
    model = nn.Sequential(nn.Linear(8, 8, dtype=torch.float64), nn.BatchNorm1d(8, dtype=torch.float64))
    binding = iw.bind(model, {"0": (V, V), "1": V})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    Regularization(binding, decay=INF).attach(optimizer)
    average = AveragedModel(model)
    run(model, optimizer, after=lambda: average.update_parameters(model))
    update_bn(data()[0].split(8), average)
    of_average = iw.bind(average.module, {"0": (V, V), "1": V})
    assert off(of_average) > 1e-3
    assert off(of_average.project_()) < 1e-12


def test_a_decay_is_not_clipped():
    """Clipped to nothing, the gradients leave the proximal step alone."""
    model, binding = net()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    iw.EquivarianceDecay(optimizer, binding, strength=2.0)
    before = weights(model)
    x, y = data()
    mse(model(x), y).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1e-30)
    optimizer.step()
    for entry, W in binding.tensors():
        P, old = entry.projector, before[entry.name]
        torch.testing.assert_close(W.detach(), P.project(old) + P.residual(old) / 2)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
@pytest.mark.parametrize("fused", [False, True])
def test_autocast_and_scalers_keep_a_projected_training_projected(dtype, fused):
    model, binding = net(dtype=torch.float32)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01, fused=fused)
    regularization = Regularization(binding, decay=INF).attach(optimizer)
    scaler = torch.amp.GradScaler("cpu", enabled=dtype == torch.float16, init_scale=2.0**20)
    x, y = data(dtype=torch.float32)
    scales = [scaler.get_scale()]
    for step in range(6):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=dtype):
            loss = mse(model(x).float(), y)
        # float16 overflows in the first steps, until the scale is small enough.
        scaler.scale(loss * (INF if step == 3 and scaler.is_enabled() else 1.0)).backward()
        scaler.step(optimizer)
        scaler.update()
        scales.append(scaler.get_scale())
    skipped = sum(after < before for before, after in pairwise(scales))
    assert (skipped > 0) == scaler.is_enabled()
    assert regularization.steps == 6 - skipped
    assert off(binding) < 1e-6


def test_checkpointed_activations_change_nothing():
    """Their second forward pass is none of the regularisation's."""
    found = []
    for wrap in (lambda f, x: f(x), lambda f, x: checkpoint(f, x, use_reentrant=False)):
        model, binding = net()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        Regularization(binding, decay=3.0, penalty=0.1).attach(optimizer)
        x, y = data()
        for _ in range(3):
            optimizer.zero_grad()
            mse(model[2](wrap(nn.Sequential(*model[:2]), x)), y).backward()
            optimizer.step()
        found.append(weights(model))
    assert_same(*found)


@pytest.mark.parametrize("every", [1, 3])
def test_a_checkpoint_in_the_middle_goes_on_to_the_bit(tmp_path, every):
    def made(seed):
        model, binding = net(seed)
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
        options = {"decay": lambda step: 2.0 + step, "penalty": 0.1, "every": every}
        return model, optimizer, Regularization(binding, **options).attach(optimizer)

    model, optimizer, regularization = made(0)
    run(model, optimizer)
    parts = (model, optimizer, regularization)
    torch.save([part.state_dict() for part in parts], tmp_path / "checkpoint.pt")
    run(model, optimizer)
    resumed = made(3)
    for part, state in zip(resumed, torch.load(tmp_path / "checkpoint.pt"), strict=True):
        part.load_state_dict(state)
    run(*resumed[:2])
    for part in (regularization, resumed[2]):
        part.finish()
    assert_same(weights(resumed[0]), weights(model))


@pytest.mark.parametrize("strength", [INF, 30.0])
def test_schedule_free_weights_are_right_in_training_and_evaluation(strength):
    schedulefree = pytest.importorskip("schedulefree")
    found = []
    for decay in (0.0, strength):
        model, binding = net()
        optimizer = schedulefree.AdamWScheduleFree(model.parameters(), lr=0.01)
        Regularization(binding, decay=decay).attach(optimizer)
        optimizer.train()
        run(model, optimizer, steps=20)
        trained = off(binding)
        optimizer.eval()
        found.append((trained, off(binding)))
    if strength == INF:
        assert max(found[1]) < 1e-12
    assert all(with_decay < without / 2 for without, with_decay in zip(*found, strict=True))


def test_a_copy_of_everything_goes_on_as_the_original():
    model, binding = net()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.01)
    regularization = Regularization(binding, decay=lambda step: 1.0 + step, penalty=0.1, every=2).attach(optimizer)
    run(model, optimizer, steps=3)
    twin, other, _ = copy.deepcopy((model, optimizer, regularization))
    run(model, optimizer, steps=3)
    run(twin, other, steps=3)
    assert_same(weights(twin), weights(model))
