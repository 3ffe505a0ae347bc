"""Optimisers that keep averages: the weights that they train and those that they evaluate are both right."""

import math

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.binding.cases import dense, linear, seeded
from tests.decay.stand_ins import (
    Accelerated,
    Averaged,
    ScheduleFree,
    ScheduleFreeClosure,
    ScheduleFreeWrapper,
    Swapping,
)

INF = math.inf
LR, STRENGTH = 0.5, 3.0


def reference(params, lr):
    return ScheduleFree(params, lr, reference=True)


def wrapper(params, lr):
    return ScheduleFreeWrapper(torch.optim.SGD(params, lr=lr))


def accelerated(params, lr):
    return Accelerated(ScheduleFree(params, lr))


SWITCHING = [ScheduleFree, reference, wrapper, Averaged, accelerated]


def step(layer: nn.Linear, optimizer, target: torch.Tensor) -> None:
    layer.weight.grad = None
    ((layer.weight - target).square().sum() / 2).backward()
    optimizer.step()


def both(layer, optimizer) -> dict[str, torch.Tensor]:
    """The weights in train and in eval mode; train mode afterwards."""
    found = {"train": layer.weight.detach().clone()}
    optimizer.eval()
    found["eval"] = layer.weight.detach().clone()
    optimizer.train()
    return found


@pytest.mark.parametrize("kind", SWITCHING, ids=lambda k: k.__name__)
def test_infinite_strength_in_train_and_eval(kind):
    layer, binding = linear(iw.SO(3).irreps("2x0 + 1"))
    optimizer = kind(layer.parameters(), LR)
    iw.EquivarianceDecay(optimizer, binding, strength=INF)
    P = binding["weight"].projector
    for seed in range(10):
        step(layer, optimizer, torch.randn(layer.weight.shape, generator=seeded(seed), dtype=torch.float64))
        if seed % 3 == 0:  # switching back and forth on the way
            for name, W in both(layer, optimizer).items():
                assert P.relative_residual(W) < 1e-14, name


def base_step(c_sum, P, z, x, y, target, lr, strength, rate):
    """A schedule-free step whose base optimiser has the decay built in, from the paper's three lines."""
    z = z - lr * (y - target)
    A = dense(P)
    A = A + (torch.eye(len(A), dtype=A.dtype) - A) / (1 + lr * strength)
    z = (A @ z.flatten()).view(z.shape)
    x = (1 - rate) * x + rate * z
    return z, x


@pytest.mark.parametrize("kind", [ScheduleFree, reference, accelerated])
def test_finite_strength_is_a_base_optimiser_with_the_decay_built_in(kind):
    layer, binding = linear()
    optimizer = kind(layer.parameters(), LR)
    iw.EquivarianceDecay(optimizer, binding, strength=STRENGTH)
    P = binding["weight"].projector
    target = torch.randn(4, 4, generator=seeded(5), dtype=torch.float64)
    z = x = layer.weight.detach().clone()
    total, b = 0.0, 0.9
    for k in range(1, 8):
        y = (1 - b) * z + b * x
        torch.testing.assert_close(layer.weight.detach(), y)
        weight = 1 + 0.1 * k
        total += weight
        z, x = base_step(total, P, z, x, y, target, LR, STRENGTH, weight / total)
        step(layer, optimizer, target)
        found = both(layer, optimizer)
        torch.testing.assert_close(found["eval"], x, rtol=1e-9, atol=1e-12)
        torch.testing.assert_close(found["train"], (1 - b) * z + b * x, rtol=1e-9, atol=1e-12)


def test_closure_variant_is_the_same_run():
    """Its parameters hold x between the steps, and have no other mode."""
    layer, binding = linear()
    optimizer = ScheduleFreeClosure(layer.parameters(), LR)
    iw.EquivarianceDecay(optimizer, binding, strength=STRENGTH)
    P, b = binding["weight"].projector, 0.9
    target = torch.randn(4, 4, generator=seeded(5), dtype=torch.float64)
    z = x = layer.weight.detach().clone()
    for k in range(1, 8):

        def closure():
            layer.weight.grad = None
            ((layer.weight - target).square().sum() / 2).backward()

        z, x = base_step(None, P, z, x, (1 - b) * z + b * x, target, LR, STRENGTH, 1 / k)
        optimizer.step(closure)
        torch.testing.assert_close(layer.weight.detach(), x, rtol=1e-9, atol=1e-12)


def test_wrapper_is_the_same_run():
    layer, binding = linear()
    optimizer = wrapper(layer.parameters(), LR)
    iw.EquivarianceDecay(optimizer, binding, strength=STRENGTH)
    P, b = binding["weight"].projector, 0.9
    target = torch.randn(4, 4, generator=seeded(5), dtype=torch.float64)
    z = x = layer.weight.detach().clone()
    for k in range(1, 8):
        z, x = base_step(None, P, z, x, (1 - b) * z + b * x, target, LR, STRENGTH, 1 / k)
        step(layer, optimizer, target)
        torch.testing.assert_close(both(layer, optimizer)["eval"], x, rtol=1e-9, atol=1e-12)


def test_stationary_point_of_the_evaluated_weights():
    """It is the penalty's: the average must not be shrunk again at each step, nor remember what was before it."""
    layer, binding = linear()
    optimizer = ScheduleFree(layer.parameters(), LR)
    iw.EquivarianceDecay(optimizer, binding, strength=STRENGTH)
    target = torch.randn(4, 4, generator=seeded(5), dtype=torch.float64)
    for _ in range(3000):
        step(layer, optimizer, target)
    P = binding["weight"].projector
    expected = P.project(target) + P.residual(target) / (1 + STRENGTH)
    torch.testing.assert_close(both(layer, optimizer)["eval"], expected, rtol=0, atol=1e-3)


def test_average_of_the_parameters_at_finite_strength():
    """SPlus's rule: the average of what the decay left, corrected for its start at 0."""
    layer, binding = linear()
    optimizer = Averaged(layer.parameters(), LR, ema_rate=0.9)
    iw.EquivarianceDecay(optimizer, binding, strength=STRENGTH)
    target = torch.randn(4, 4, generator=seeded(5), dtype=torch.float64)
    average = torch.zeros(4, 4, dtype=torch.float64)
    for k in range(1, 6):
        step(layer, optimizer, target)
        found = both(layer, optimizer)
        average = 0.9 * average + 0.1 * found["train"]
        torch.testing.assert_close(found["eval"], average / (1 - 0.9**k))


def test_unknown_averages():
    layer, binding = linear()
    optimizer = Swapping(layer.parameters(), lr=0.1)
    for strength in (INF, 1.0):
        decay = iw.EquivarianceDecay(optimizer, binding, strength=strength)
        with pytest.warns(iw.DecayWarning, match="Swapping puts other weights into the model for evaluation"):
            optimizer.step()
        decay.remove()
    # With a sequence in the state whose rule is not known a finite strength has no meaning.
    optimizer.state[layer.weight]["z"] = layer.weight.detach().clone()
    iw.EquivarianceDecay(optimizer, binding, strength=1.0)
    with pytest.raises(iw.errors.ArgumentError, match="strength: expected inf, or an optimiser whose average is known"):
        optimizer.step()


def test_parametrised_weights_are_not_averaged():
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4, bias=False))
    R = iw.Cyclic(4).regular()
    binding = iw.bind(layer, {"": (R, R)})
    for kind in (ScheduleFree, wrapper):
        with pytest.raises(iw.errors.ArgumentError, match="one that averages no weights, as weight is computed"):
            iw.EquivarianceDecay(kind(layer.parameters(), LR), binding, INF)


def test_heavyballs_layout_of_the_state():
    """One mapping for each view of a parameter, with the name of what stores it."""

    class Nested(ScheduleFree):
        def step(self, closure=None):
            for group in self.param_groups:
                for p in group["params"]:
                    nested = self.state[p].pop(0, None)
                    if nested:
                        self.state[p]["z"] = nested["update_by_schedule_free_z_0"].view(p.shape)
            super().step(closure)
            self._nest()

        def _nest(self):
            for group in self.param_groups:
                for p in group["params"]:
                    if "z" in self.state[p]:
                        self.state[p][0] = {"update_by_schedule_free_z_0": self.state[p].pop("z").view(1, -1)}

        def eval(self):
            for group in self.param_groups:
                for p in group["params"]:
                    z = self.state[p][0]["update_by_schedule_free_z_0"].view(p.shape)
                    p.data.lerp_(z, 1 - 1 / group["momentum"])

    layer, binding = linear()
    optimizer = Nested(layer.parameters(), LR)
    iw.EquivarianceDecay(optimizer, binding, strength=INF)
    for seed in range(4):
        step(layer, optimizer, torch.randn(4, 4, generator=seeded(seed), dtype=torch.float64))
    optimizer.eval()
    assert binding["weight"].projector.relative_residual(layer.weight) < 1e-14
