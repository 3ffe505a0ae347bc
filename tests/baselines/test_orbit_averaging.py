from dataclasses import replace

import pytest
import torch

import intertwine as iw
from intertwine.baselines import Subject
from intertwine.baselines.orbit_averaging import OrbitAveraging
from tests.baselines.subjects import data, images, seeded, vectors


@pytest.mark.parametrize("invariant", [True, False])
def test_the_average_over_a_finite_group_is_equivariant(invariant):
    subject = images(invariant=invariant)
    x, _ = data(subject)
    method = OrbitAveraging(subject)
    averaged = method.finish()
    assert averaged is not method.model
    for g in subject.group.elements():
        expected = subject.act_out(g, averaged(x))
        assert torch.allclose(averaged(subject.act_in(g, x)), expected, atol=1e-12)
    g = subject.group.generators[0]
    with torch.no_grad():
        assert float((subject.model(subject.act_in(g, x)) - subject.act_out(g, subject.model(x))).norm()) > 0.1


def test_in_float32_its_error_is_rounding():
    subject = images(iw.Cyclic(4))
    x, _ = data(subject)
    subject.model.float()
    ends = subject.group.grid(3, 3), 3 * subject.group.trivial()
    assert iw.equivariance_error(subject.model, *ends, x.float()).relative_worst > 0.1
    averaged = OrbitAveraging(subject).finish()
    assert iw.equivariance_error(averaged, *ends, x.float()).relative_worst < 2e-6


def test_a_linear_map_becomes_its_projection():
    subject = images(iw.Cyclic(4))
    x, _ = data(subject)
    linear, hidden = subject.model[0], 2 * subject.group.regular()
    binding = iw.bind(linear, {"": (subject.group.grid(3, 3), hidden)})
    averaged = OrbitAveraging(replace(subject, model=linear, binding=binding, act_out=hidden.act, hidden={})).finish()
    P = {entry.attribute: entry.projector.project(tensor) for entry, tensor in binding.tensors()}
    assert torch.allclose(averaged(x), x @ P["weight"].T + P["bias"], atol=1e-12)


def test_infinite_groups_are_sampled_with_a_fixed_seed():
    subject = vectors()
    first, again = OrbitAveraging(subject, num_samples=5), OrbitAveraging(subject, num_samples=5)
    assert first.elements.shape == (5, 2, 2)
    assert first.elements.equal(again.elements)
    x, _ = data(subject)
    by_hand = sum(subject.model(x @ g.T) @ g for g in first.elements) / 5
    assert torch.allclose(first.finish()(x), by_hand, atol=1e-12)


def test_more_samples_are_more_equivariant():
    subject = vectors(iw.SO(3))
    x, _ = data(subject)
    g = subject.group.sample(1, generator=seeded(7))[0]

    def error(count):
        averaged = OrbitAveraging(subject, num_samples=count).finish()
        with torch.no_grad():
            return float((averaged(subject.act_in(g, x)) - subject.act_out(g, averaged(x))).norm())

    assert error(400) < error(4) / 3


def test_large_groups_are_sampled():
    subject = images(iw.Cyclic(4))
    assert len(OrbitAveraging(subject).elements) == 4
    G = iw.Symmetric(5)
    rep = G.defining()
    model = torch.nn.Linear(5, 5).double()
    other = Subject(model, iw.bind(model, {"": (rep, rep)}), G, rep.act, rep.act)
    assert len(OrbitAveraging(other, num_samples=7).elements) == 7
