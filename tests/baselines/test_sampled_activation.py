import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

import intertwine as iw
from intertwine.baselines import make_method, training_step
from intertwine.baselines.sampled_activation import SampledActivation
from tests.baselines.subjects import data, images, seeded, vectors


def by_hand(subject, elements, x):
    """Mean over the elements of the mean squares at the output and at the hidden layer."""
    model, total = subject.model, 0.0
    for g in elements:
        moved = subject.act_in(g, x)
        total += (model(moved) - subject.act_out(g, model(x))).square().mean()
        for action in subject.hidden.values():
            total += (model[:2](moved) - action(g, model[:2](x))).square().mean()
    return total / len(elements)


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("with_hidden", [True, False])
def test_it_is_the_stated_mean(count, with_hidden):
    subject = images(invariant=False)
    subject = subject if with_hidden else replace(subject, hidden={})
    x, _ = data(subject)
    method = SampledActivation(subject, 0.8, generator=seeded(5), num_samples=count)
    value = method.penalty(x, method.model(x))
    elements = subject.group.sample(count, generator=seeded(5))
    assert float(value.detach()) > 1e-3
    assert torch.allclose(value, 0.4 * by_hand(subject, elements, x), atol=1e-12)


def test_for_a_linear_map_and_white_inputs_it_is_the_operator_penalty():
    # E_x |(W rho_in - rho_out W) x|^2 = |rho_out^-1 W rho_in - W|^2, whose mean over g is 2 |W-PW|^2.
    G = iw.Cyclic(4)
    rep = G.regular()
    subject = images(G)
    model = torch.nn.Linear(4, 4, bias=False).double()
    subject = replace(subject, model=model, binding=iw.bind(model, {"": (rep, rep)}), hidden={})
    subject = replace(subject, act_in=rep.act, act_out=rep.act)
    x = torch.eye(4, dtype=torch.float64)  # the second moment of white inputs, summed over samples
    method = SampledActivation(subject, 1.0, generator=seeded(), num_samples=4000)
    expected = float(subject.binding.penalty(1.0).detach()) * 2 / 16  # a mean over 4 x 4 entries
    assert float(method.penalty(x, model(x)).detach()) == pytest.approx(expected, rel=0.05)


def test_an_equivariant_network_has_none():
    for subject in (images(), images(invariant=False), vectors(iw.SO(3))):
        subject.binding.project_()
        x, _ = data(subject)
        method = SampledActivation(subject, 1.0, generator=seeded(), num_samples=3)
        assert float(method.penalty(x, method.model(x)).detach()) < 1e-24


def test_gradients_flow_through_both_sides():
    subject = images(invariant=False)
    x, _ = data(subject)
    weight = subject.model[0].weight
    method = SampledActivation(subject, 0.8, generator=seeded(5))
    (gradient,) = torch.autograd.grad(method.penalty(x, method.model(x)), weight)
    expected = 0.4 * by_hand(subject, subject.group.sample(1, generator=seeded(5)), x)
    assert torch.allclose(gradient, torch.autograd.grad(expected, weight)[0], atol=1e-12)


def test_activations_of_another_batch_are_not_taken():
    subject = images(invariant=False)
    x, _ = data(subject)
    other, _ = data(subject, seed=9)
    method = SampledActivation(subject, 0.8, generator=seeded(5))
    output = method.model(x)
    with torch.no_grad():
        method.model(other)  # an evaluation in between
    value = method.penalty(x, output)
    assert torch.allclose(value, 0.4 * by_hand(subject, subject.group.sample(1, generator=seeded(5)), x), atol=1e-12)


def test_each_element_is_one_forward_pass_more():
    subject = images()
    x, y = data(subject)
    method = SampledActivation(subject, 1.0, num_samples=3)
    calls = []
    subject.model.register_forward_hook(lambda *_: calls.append(1))
    optimizer = torch.optim.SGD(method.parameter_groups(), 0.1)
    training_step(method, optimizer, x, y, F.mse_loss)
    assert len(calls) == 4


def test_finish_takes_the_hooks_off():
    subject = images()
    method = SampledActivation(subject, 1.0)
    assert subject.model._forward_hooks
    assert method.finish() is subject.model
    assert not any(module._forward_hooks for module in subject.model.modules())
    copy.deepcopy(subject.model)


def test_it_trains_to_smaller_errors():
    errors = []
    for strength in (0.0, 3.0):
        subject = images(iw.Cyclic(4))
        method = make_method("sampled_activation", subject, strength, generator=seeded())
        x, y = data(subject)
        optimizer = torch.optim.SGD(method.parameter_groups(), 0.1)
        for _ in range(40):
            training_step(method, optimizer, x, y, F.mse_loss)
        errors.append(float(by_hand(subject, subject.group.elements(), x).detach()))
    assert errors[1] < errors[0] / 2


def test_unknown_modules_are_named():
    subject = images()
    with pytest.raises(iw.errors.UnknownNameError, match=r"hidden: expected names of modules.*got '7'"):
        SampledActivation(replace(subject, hidden={"7": subject.act_in}), 1.0)


def test_no_samples_are_refused():
    with pytest.raises(iw.errors.ArgumentError, match="num_samples: expected an integer >= 1"):
        SampledActivation(images(), 1.0, num_samples=0)
