"""Every k-th step: the proximal steps of k steps at once, and k times the penalty."""

import copy
import math

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.errors import ArgumentError
from tests.decay.stand_ins import Accelerated

V = 2 * iw.Cyclic(4).regular()


def made(seed: int = 0) -> tuple[nn.Module, iw.Binding]:
    torch.manual_seed(seed)
    model = nn.Linear(8, 8, dtype=torch.float64)
    return model, iw.bind(model, {"": (V, V)})


def test_steps_that_wait_are_one_step_of_their_summed_strength() -> None:
    model, binding = made()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=lambda n: 1.0 + n, every=3)
    P = binding["weight"].projector
    before, summed = P.residual(model.weight.detach()), 0.0
    for step in range(6):
        summed += optimizer.param_groups[0]["lr"] * (1.0 + step)
        model.weight.grad = P.project(torch.full((8, 8), 1.0 + step, dtype=torch.float64))
        model.bias.grad = torch.zeros(8, dtype=torch.float64)
        optimizer.step()
        scheduler.step()
        if step % 3 == 2:
            before, summed = before / (1 + summed), 0.0
        torch.testing.assert_close(P.residual(model.weight.detach()), before, rtol=1e-12, atol=1e-12)
    assert decay.steps == 6


def test_weights_come_to_rest_where_they_do_with_a_step_each_time() -> None:
    """Under a loss whose gradient is the same at every step: at ``R = d / s``, whatever ``every`` is."""
    for strength in (1.0, 20.0, lambda n: 3.0 + n % 2):
        for every in (1, 4):
            model, binding = made()
            P, direction = binding["weight"].projector, torch.randn(8, 8, dtype=torch.float64)
            optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
            iw.EquivarianceDecay(optimizer, binding, strength=strength, every=every)
            for _ in range(800):
                model.weight.grad, model.bias.grad = direction.clone(), torch.zeros(8, dtype=torch.float64)
                optimizer.step()
            mean = 3.5 if callable(strength) else strength
            if not callable(strength) or every == 4:
                torch.testing.assert_close(P.residual(model.weight.detach()), -P.residual(direction) / mean)


def test_what_waits_is_taken_at_the_end_and_kept_in_a_checkpoint() -> None:
    model, binding = made()
    start = binding["weight"].projector.residual(model.weight.detach())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=2.0, every=4)
    model.weight.grad, model.bias.grad = torch.zeros_like(model.weight), torch.zeros_like(model.bias)
    for _ in range(6):
        optimizer.step()
    torch.testing.assert_close(binding["weight"].projector.residual(model.weight.detach()), start / 5)
    other, bound = made()
    other.load_state_dict(model.state_dict())
    resumed = iw.EquivarianceDecay(torch.optim.SGD(other.parameters(), lr=0.5), bound, strength=2.0, every=4)
    resumed.load_state_dict(decay.state_dict())
    twin, copied = copy.deepcopy((model, decay))
    for part, by in ((model, decay), (other, resumed), (twin, copied)):
        by.catch_up()
        torch.testing.assert_close(binding["weight"].projector.residual(part.weight.detach()), start / 15)
        by.catch_up()
        torch.testing.assert_close(binding["weight"].projector.residual(part.weight.detach()), start / 15)


def test_nested_groups_and_own_norms_take_one_step_of_the_sum_too() -> None:
    for several in (True, False):
        found = []
        for every, times in ((1, 3.0), (3, 1.0)):
            torch.manual_seed(0)
            if several:
                model = nn.Linear(8, 8, bias=False, dtype=torch.float64)
                half = V.restrict(iw.Cyclic(2))
                bindings = [iw.bind(model, {"": (V, V)}), iw.bind(model, {"": (half, half)})]
                strength = [times, 5.0 * times]
                W = model.weight
            else:
                P = iw.spectral_projector(iw.Cyclic(4).regular(), iw.Cyclic(4).regular(), (4, 4))
                model = nn.Module()
                model.W = W = nn.Parameter(
                    torch.randn([4 if n is None else n for n in P.shape], dtype=torch.complex128)
                )
                bindings, strength = iw.bind(model, {"W": P}), 2.0 * times
            optimizer = torch.optim.SGD([W], lr=0.1)
            iw.EquivarianceDecay(optimizer, bindings, strength=strength, every=every)
            W.grad = torch.zeros_like(W)
            for _ in range(every):
                optimizer.step()
            found.append(W.detach())
        torch.testing.assert_close(*found, rtol=1e-11, atol=1e-12)


def test_at_infinity_weights_are_projected_at_every_kth_step_and_gradients_at_each() -> None:
    model, binding = made()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=math.inf, every=2)
    residuals = []
    for _ in range(2):
        model(torch.randn(4, 8, dtype=torch.float64)).square().sum().backward()
        optimizer.step()
        residuals.append(binding.residuals()["weight"].relative_residual)
    assert residuals[0] > 0.1
    assert residuals[1] < 1e-12
    assert float(binding["weight"].projector.relative_residual(model.weight.grad)) < 1e-12


def test_averages_and_bad_numbers_are_refused() -> None:
    model, binding = made()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for every in (0, -1, 1.5, True, "8"):
        with pytest.raises(ArgumentError, match=r"^every"):
            iw.EquivarianceDecay(optimizer, binding, strength=1.0, every=every)
        with pytest.raises(ArgumentError, match=r"^every"):
            binding.penalty(every=every, step=0)
    with pytest.raises(ArgumentError, match=r"^step"):
        binding.penalty(every=8)
    with pytest.raises(ArgumentError, match=r"^state"):
        iw.EquivarianceDecay(optimizer, binding, strength=1.0, every=2).load_state_dict(
            {"steps": 1, "due": [[9, 9, []]]}
        )


def test_the_penalty_comes_k_fold_at_every_kth_step() -> None:
    model, binding = made()
    whole = binding.penalty(0.3)
    values = [binding.penalty(0.3, every=4, step=step) for step in range(8)]
    assert [float(value.detach()) for value in values[:3] + values[4:7]] == [0.0] * 6
    torch.testing.assert_close(values[3], 4 * whole)
    torch.testing.assert_close(sum(values), 8 * whole)
    assert binding.penalty(0.3, every=1, step=5).detach() == whole.detach()
    assert model.weight.grad is None


def test_a_wrapper_that_could_switch_averages_and_has_none_waits_too() -> None:
    """accelerate's has ``train`` and ``eval`` for whatever it wraps."""
    found = []
    for wrap in (lambda optimizer: optimizer, Accelerated):
        model, binding = made()
        optimizer = wrap(torch.optim.AdamW(model.parameters(), lr=0.1))
        decay = iw.EquivarianceDecay(optimizer, binding, strength=3.0, every=3)
        model.weight.grad, model.bias.grad = torch.ones_like(model.weight), torch.ones_like(model.bias)
        for _ in range(4):
            optimizer.step()
        decay.catch_up()
        found.append(model.weight.detach().clone())
    assert torch.equal(*found)
