import pytest
import torch
from torch.nn.utils import parametrize

import intertwine as iw
from intertwine.baselines import Subject, leave, training_step
from intertwine.baselines.penalty import Penalty
from intertwine.baselines.plain import Plain
from intertwine.baselines.weight_decay import WeightDecay
from tests.baselines.subjects import data, images, network


def test_a_step_is_that_of_the_penalty_with_the_same_strength_on_both_parts():
    decayed, penalised = images(), images()
    penalised.binding.project_(preserve_norm=True)
    decayed.binding.project_(preserve_norm=True)  # the penalty's start
    x, y = data(decayed)
    for subject, method in (
        (decayed, WeightDecay(decayed, 0.3)),
        (penalised, Penalty(penalised, 0.3, equivariant_strength=0.3)),
    ):
        optimizer = torch.optim.SGD(method.parameter_groups(), 0.1)
        for _ in range(3):
            training_step(method, optimizer, x, y, torch.nn.functional.mse_loss)
        assert subject.model is method.model
    for one, two in zip(decayed.model.parameters(), penalised.model.parameters(), strict=True):
        assert torch.allclose(one, two, atol=1e-12)


def test_what_is_not_typed_does_not_decay():
    G = iw.Cyclic(4)
    model = network(4, 4, 4)
    binding = iw.bind(model, {"0": (G.regular(), G.regular())})
    subject = Subject(model, binding, G, G.regular().act, leave)
    optimizer = torch.optim.SGD(WeightDecay(subject, 0.5).parameter_groups(), 0.1)
    before = [p.detach().clone() for p in model.parameters()]
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    factors = [float((p / b).mean().detach()) for p, b in zip(model.parameters(), before, strict=True)]
    assert factors == pytest.approx([0.95, 0.95, 1.0, 1.0])


def test_computed_weights_are_refused():
    subject = images()
    parametrize.register_parametrization(subject.model[0], "weight", torch.nn.Identity())
    with pytest.raises(iw.errors.ArgumentError, match=r"0\.weight, computed by a parametrisation"):
        WeightDecay(subject, 0.1).parameter_groups()


def test_plain_changes_nothing():
    subject = images()
    before = [p.detach().clone() for p in subject.model.parameters()]
    x, y = data(subject)
    method = Plain(subject)
    assert method.penalty(x, y) is None
    assert method.batch(x, y) == (x, y)
    assert method.finish() is subject.model
    assert all(torch.equal(p, b) for p, b in zip(subject.model.parameters(), before, strict=True))
    (group,) = method.parameter_groups()
    assert "weight_decay" not in group
