"""Split moments as a method, and penalty and decay at every k-th step."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import intertwine as iw
from intertwine.baselines import Penalty, make_method, training_step
from intertwine.errors import ArgumentError, UnknownNameError
from tests.baselines.subjects import data, images, vectors


def trained(name, subject, make, strength=None, steps=6, **options):
    method = make_method(name, subject, strength, **options)
    optimizer = method.optimizer(make)
    x, y = data(subject)
    for _ in range(steps):
        training_step(method, optimizer, x, y, F.mse_loss)
    return method, optimizer


def adam(groups):
    return torch.optim.Adam(groups, 0.05, betas=(0.8, 0.9), eps=1e-6)


def weights(method):
    return {name: W.detach() for name, W in method.finish().named_parameters()}


def test_its_steps_are_those_of_adam_on_each_part():
    """``W - lr (P u_e + (1-P) u_r)``, then ``PW + (W-PW)/(1 + lr s)``, written out for two steps of one weight."""
    subject, other = images(invariant=False), images(invariant=False)
    trained("split", subject, adam, 3.0, steps=2)
    other.binding.project_(preserve_norm=True)
    x, y = data(other)
    moments = {e.name: [torch.zeros_like(W) for _ in range(4)] for e, W in other.binding.tensors()}
    for t in (1, 2):
        other.model.zero_grad()
        F.mse_loss(other.model(x), y).backward()
        for entry, W in other.binding.tensors():
            P = entry.projector
            ways = []
            for i, g in enumerate((P.project(W.grad), P.residual(W.grad))):
                m, v = moments[entry.name][2 * i : 2 * i + 2]
                m.mul_(0.8).add_(0.2 * g)
                v.mul_(0.9).add_(0.1 * g * g)
                ways.append(m / (1 - 0.8**t) / ((v / (1 - 0.9**t)).sqrt() + 1e-6))
            with torch.no_grad():
                stepped = W - 0.05 * (P.project(ways[0]) + P.residual(ways[1]))
                W.copy_(P.project(stepped) + P.residual(stepped) / (1 + 0.05 * 3))
    for name, W in other.model.named_parameters():
        assert torch.allclose(subject.model.get_parameter(name), W, atol=1e-9)


@pytest.mark.parametrize("name", ["split", "decay"])
@pytest.mark.parametrize("make", [images, vectors])
def test_at_infinite_strength_it_is_the_exact_row(make, name):
    ours, _ = trained(name, make(), adam, math.inf)
    exact, _ = trained("exact", make(), adam)
    for key, W in weights(exact).items():
        assert torch.allclose(ours.model.get_parameter(key), W, atol=1e-9)


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (adam, iw.SplitAdamW),
        (lambda groups: torch.optim.AdamW(groups, 0.1), iw.SplitAdamW),
        (lambda groups: torch.optim.NAdam(groups, 0.1), iw.SplitOptimizer),
        (lambda groups: torch.optim.AdamW(groups, amsgrad=True), iw.SplitOptimizer),
        (lambda groups: torch.optim.Adam(groups, weight_decay=0.1), iw.SplitOptimizer),
    ],
)
def test_the_optimiser_has_the_options_of_the_one_that_is_made(make, kind):
    method = make_method("split", images(), 1.0)
    optimizer = method.optimizer(make)
    assert type(optimizer) is kind
    whole = make(method.parameter_groups()).param_groups[0]
    assert {name: optimizer.param_groups[0][name] for name in ("lr", "weight_decay")} == {
        name: whole[name] for name in ("lr", "weight_decay")
    }
    method.attach(optimizer)  # what a loop may call too


def test_another_optimiser_is_refused():
    method = make_method("split", images(), 1.0)
    optimizers = [torch.optim.Adam(method.parameter_groups()), make_method("split", images(), 1.0).optimizer(adam)]
    for optimizer in optimizers:
        with pytest.raises(ArgumentError, match=r"optimizer: expected what method.optimizer\(make\) gives.*Write"):
            method.attach(optimizer)
    with pytest.raises(ArgumentError, match="make: expected a function"):
        method.optimizer(torch.optim.Adam(method.parameter_groups()))


def test_parametrised_weights_are_refused():
    subject = images()
    method = make_method("split", subject, 1.0)
    nn.utils.parametrizations.weight_norm(subject.model[0])
    with pytest.raises(ArgumentError, match="which a parametrisation or an adapter computes"):
        method.optimizer(adam)


def test_the_penalty_is_due_at_every_third_step():
    method = make_method("penalty", images(), 0.7, every=3)
    with torch.no_grad():
        method.model[0].weight += torch.arange(144.0).reshape(16, 9) / 100
    terms = []
    for _ in range(6):
        terms.append(float(method.penalty(None, None).detach()))
        method.before_step()
    whole = float(method.subject.binding.penalty(0.7).detach())
    assert terms == pytest.approx([0, 0, 3 * whole, 0, 0, 3 * whole])


def test_the_decay_takes_what_waits_at_the_end():
    """Under a gradient of zero: a step of the sum of four, and one of the two that were left."""
    residuals = {}
    for every in (1, 4):
        subject = images()
        method = make_method("decay", subject, 3.0, every=every)
        with torch.no_grad():
            subject.model[0].weight += torch.arange(144.0).reshape(16, 9) / 100
        optimizer = method.optimizer(lambda groups: torch.optim.SGD(groups, 0.1))
        before = float(subject.binding.penalty(2.0).detach())
        for _ in range(6):
            optimizer.zero_grad(set_to_none=False)
            for parameter in subject.model.parameters():
                parameter.grad = torch.zeros_like(parameter)
            optimizer.step()
        waiting = float(subject.binding.penalty(2.0).detach())
        assert method.finish() is subject.model
        residuals[every] = float(subject.binding.penalty(2.0).detach()) / before
        assert (waiting > before * residuals[every] * 1.5) is (every == 4)
    assert residuals[4] == pytest.approx((2.2 * 1.6) ** -2)
    assert residuals[1] == pytest.approx(1.3**-12)


@pytest.mark.parametrize("name", ["penalty", "decay"])
def test_every_step_is_the_default(name):
    first, second = (trained(name, images(), adam, 2.0, **options)[0] for options in ({}, {"every": 1}))
    assert all(torch.equal(W, second.model.get_parameter(n)) for n, W in weights(first).items())


@pytest.mark.parametrize("strength", [-1.0, math.nan, -math.inf, None, True])
def test_a_strength_that_is_none_is_refused(strength):
    with pytest.raises(ArgumentError, match="strength: expected a number >= 0 or inf, as split moments has a strength"):
        make_method("split", images(), strength)
    with pytest.raises(ArgumentError, match="strength: expected a number >= 0, as penalty has a strength; got inf"):
        make_method("penalty", images(), math.inf)


def test_options_are_those_of_the_method():
    assert make_method("penalty", images(), 1.0, every=8, form="norm").form == "norm"
    with pytest.raises(UnknownNameError, match="expected one of equivariant_strength, form, every, of penalty"):
        make_method("penalty", images(), 1.0, evry=8)
    with pytest.raises(UnknownNameError, match="expected none, as plain has none; got 'every'"):
        make_method("plain", images(), every=8)
    for make in (lambda: make_method("decay", images(), 1.0, every=0), lambda: Penalty(images(), 1.0, every=2.5)):
        with pytest.raises(ArgumentError, match="every: expected an integer >= 1"):
            make()
