import pytest
import torch
import torch.nn.functional as F

from intertwine.baselines import make_method, training_step
from intertwine.baselines.penalty import Penalty
from tests.baselines.subjects import data, images


def test_the_penalty_adds_half_the_strength_times_the_squared_residual():
    subject = images()
    method = make_method("penalty", subject, 0.7)
    assert float(method.penalty(None, None).detach()) < 1e-24  # an equivariant start
    with torch.no_grad():
        subject.model[0].weight += torch.arange(144.0).reshape(16, 9) / 100
    squared = sum(entry.projector.squared_residual(W) for entry, W in subject.binding.tensors())
    assert torch.allclose(method.total_loss(torch.tensor(2.0), None, None), 2 + 0.35 * squared)


def test_the_penalty_has_the_other_forms_and_the_equivariant_strength():
    subject = images()
    method = Penalty(subject, 0.7, equivariant_strength=0.2, form="norm")
    expected = subject.binding.penalty(0.7, 0.2, "norm")
    assert torch.allclose(method.penalty(None, None), expected)


def test_the_decay_divides_the_residual_after_each_step():
    decayed, plain = images(), images()
    method = make_method("decay", decayed, 3.0)
    plain.binding.project_(preserve_norm=True)
    x, y = data(decayed)
    optimizer = torch.optim.SGD(method.parameter_groups(), 0.1)
    method.attach(optimizer)
    training_step(method, optimizer, x, y, F.mse_loss)
    reference = make_method("plain", plain)
    training_step(reference, torch.optim.SGD(reference.parameter_groups(), 0.1), x, y, F.mse_loss)
    for entry, W in plain.binding.tensors():
        P = entry.projector
        expected = P.project(W.detach()) + P.residual(W.detach()) / 1.3
        assert torch.allclose(decayed.model.get_parameter(entry.name), expected, atol=1e-12)


@pytest.mark.parametrize("name", ["penalty", "decay"])
def test_a_larger_strength_ends_nearer_to_equivariance(name):
    residuals = []
    for strength in (0.0, 0.1, 1.0):
        subject = images()
        method = make_method(name, subject, strength)
        x, y = data(subject)
        optimizer = torch.optim.SGD(method.parameter_groups(), 0.1)
        method.attach(optimizer)
        for _ in range(30):
            training_step(method, optimizer, x, y, F.mse_loss)
        residuals.append(float(subject.binding.penalty(2.0).detach()))
    assert residuals[0] > residuals[1] > 2 * residuals[2] > 0
