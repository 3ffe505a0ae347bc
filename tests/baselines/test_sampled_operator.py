import pytest
import torch
import torch.nn.functional as F
from torch import nn

import intertwine as iw
from intertwine.baselines import Subject, leave, make_method, training_step
from intertwine.baselines.sampled_operator import SampledOperator, operator_penalty
from tests.baselines.subjects import data, images, kernels, seeded, vectors


@pytest.mark.parametrize("group", [iw.Cyclic(4), iw.Dihedral(4)], ids=str)
@pytest.mark.parametrize("make", [images, kernels])
def test_over_all_elements_it_is_the_exact_penalty(make, group):
    subject = make(group)
    exact = subject.binding.penalty(0.6)
    assert float(exact.detach()) > 0.01
    assert torch.allclose(operator_penalty(subject.binding, group.elements(), 0.6), exact, atol=1e-12)


def test_on_irreps_of_a_finite_group_too():
    G = iw.Octahedral()
    rep = G.standard() + G.trivial()
    model = nn.Linear(4, 4).double()
    binding = iw.bind(model, {"": (rep, rep)})
    assert torch.allclose(operator_penalty(binding, G.elements(), 2.0), binding.penalty(2.0), atol=1e-12)


def test_for_a_lie_group_its_mean_is_the_exact_penalty():
    subject = vectors(iw.SO(3))
    values = torch.stack(
        [
            operator_penalty(subject.binding, g[None], 0.5).detach()
            for g in subject.group.sample(3000, generator=seeded())
        ]
    )
    exact = float(subject.binding.penalty(0.5).detach())
    error = float(values.std()) / len(values) ** 0.5
    assert error < 0.02 * exact
    assert abs(float(values.mean()) - exact) < 4 * error


def test_its_mean_gradient_is_the_exact_one():
    subject = images(iw.Cyclic(4))
    weight = subject.model[2].weight
    (sampled,) = torch.autograd.grad(operator_penalty(subject.binding, subject.group.elements(), 0.6), weight)
    P = subject.binding["2.weight"].projector
    assert torch.allclose(sampled, 0.6 * P.residual(weight), atol=1e-12)


def test_each_step_draws_anew_and_the_generator_decides():
    values = []
    for seed in (0, 0, 1):
        subject = images()
        method = SampledOperator(subject, 1.0, generator=seeded(seed), num_samples=2)
        with torch.no_grad():
            subject.model[0].weight += torch.arange(144.0).reshape(16, 9) / 100
        values.append([float(method.penalty(None, None).detach()) for _ in range(6)])
    assert values[0] == values[1] != values[2]
    assert len(set(values[0])) > 1


def test_it_trains_to_smaller_residuals():
    residuals = []
    for strength in (0.0, 1.0):
        subject = images(iw.Cyclic(4))
        method = make_method("sampled_operator", subject, strength, generator=seeded())
        x, y = data(subject)
        optimizer = torch.optim.SGD(method.parameter_groups(), 0.1)
        for _ in range(30):
            training_step(method, optimizer, x, y, F.mse_loss)
        residuals.append(float(subject.binding.penalty(2.0).detach()))
    assert residuals[1] < residuals[0] / 4


def test_half_precision_is_summed_in_float32():
    G = iw.Cyclic(4)
    model = nn.Linear(4, 4, bias=False).bfloat16()
    binding = iw.bind(model, {"": (G.regular(), G.regular())})
    sampled = operator_penalty(binding, G.elements(), 1.0)
    assert sampled.dtype == torch.float32
    assert torch.allclose(sampled, binding.penalty(1.0), rtol=1e-5)


def test_pixels_without_an_action_are_refused():
    with pytest.raises(iw.errors.ArgumentError, match=r"action of SO\(2\) on 0\.weight.*turns pixels continuously"):
        SampledOperator(kernels(iw.SO(2)), 0.1)


def test_bad_arguments_are_refused():
    with pytest.raises(iw.errors.ArgumentError, match="num_samples: expected an integer >= 1"):
        SampledOperator(images(), 0.1, num_samples=0)
    with pytest.raises(iw.errors.ArgumentError, match="strength: expected a number >= 0"):
        SampledOperator(images())
    boost = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]], dtype=torch.float64)
    G = iw.MatrixGroup(lie_algebra=boost)
    model = nn.Linear(2, 2, bias=False)
    binding = iw.bind(model, {"": (G.defining(), G.defining())})
    with pytest.raises(iw.errors.ArgumentError, match="subject: expected a compact group"):
        SampledOperator(Subject(model, binding, G, leave, leave), 0.1)
