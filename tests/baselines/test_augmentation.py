import pytest
import torch
import torch.nn.functional as F

import intertwine as iw
from intertwine.baselines import Subject, leave, make_method
from intertwine.baselines.augmentation import Augmentation
from intertwine.baselines.per_sample import PerSample, draw_per_sample
from tests.baselines.subjects import data, images, seeded, vectors


def test_each_sample_and_its_target_are_moved_by_one_element():
    subject = images(invariant=False)
    x, y = data(subject, 64)
    method = Augmentation(subject, generator=seeded(3))
    moved_x, moved_y = method.batch(x, y)
    drawn = draw_per_sample(subject.group, 64, seeded(3))
    assert len(drawn.which.unique()) > 4
    for i, number in enumerate(drawn.which.tolist()):
        g = drawn.elements[number]
        assert torch.allclose(moved_x[i], subject.act_in(g, x[i]))
        assert torch.allclose(moved_y[i], subject.act_out(g, y[i]))


def test_infinite_groups_draw_an_element_a_sample():
    subject = vectors(iw.SO(3))
    x, y = data(subject, 10)
    moved_x, moved_y = Augmentation(subject, generator=seeded(3)).batch(x, y)
    elements = subject.group.sample(10, generator=seeded(3))
    assert torch.allclose(moved_x, torch.einsum("nij,nj->ni", elements, x))
    assert torch.allclose(moved_y, torch.einsum("nij,nj->ni", elements, y))


def test_over_all_elements_its_gradient_is_that_of_the_orbit_average():
    subject = images(invariant=False)
    x, y = data(subject, 5)
    elements = subject.group.elements()
    weight = subject.model[0].weight
    # Every sample once with every element: the expectation of the augmented loss.
    drawn = PerSample(elements, torch.arange(len(elements)).repeat(len(x)))
    repeated_x, repeated_y = x.repeat_interleave(len(elements), 0), y.repeat_interleave(len(elements), 0)
    loss = F.mse_loss(subject.model(drawn.act(subject.act_in, repeated_x)), drawn.act(subject.act_out, repeated_y))
    (augmented,) = torch.autograd.grad(loss, weight)
    orbit = torch.stack([
        F.mse_loss(subject.act_out(g.mT, subject.model(subject.act_in(g, x))), y) for g in elements
    ]).mean()  # fmt: skip
    (averaged,) = torch.autograd.grad(orbit, weight)
    assert torch.allclose(augmented, averaged, atol=1e-12)
    (plain,) = torch.autograd.grad(F.mse_loss(subject.model(x), y), weight)
    assert not torch.allclose(augmented, plain, atol=1e-3)


def test_the_mean_over_draws_is_the_mean_over_the_group():
    subject = images(iw.Cyclic(4))
    x = torch.eye(9, dtype=torch.float64)[:1].repeat(4000, 1)  # a corner, which visits all four
    moved, labels = Augmentation(subject, generator=seeded()).batch(x, torch.arange(4000))
    assert torch.allclose(moved.mean(0)[[0, 2, 6, 8]], torch.full((4,), 0.25, dtype=torch.float64), atol=0.03)
    assert labels.equal(torch.arange(4000))


def test_draws_depend_on_the_generator_alone():
    first, second, third = (draw_per_sample(iw.Octahedral(), 20, seeded(s)) for s in (0, 0, 1))
    assert first.which.equal(second.which)
    assert not first.which.equal(third.which)


def test_an_empty_batch_stays_empty():
    drawn = draw_per_sample(iw.Cyclic(4), 0)
    assert drawn.act(leave, torch.zeros(0, 3)).shape == (0, 3)


def test_non_compact_groups_are_refused():
    boost = torch.tensor([[[0.0, 1.0], [1.0, 0.0]]], dtype=torch.float64)
    with pytest.raises(iw.errors.ArgumentError, match="group: expected a compact group"):
        draw_per_sample(iw.MatrixGroup(lie_algebra=boost), 3)


def test_a_batch_of_another_size_is_refused():
    with pytest.raises(iw.errors.ArgumentError, match="batch: expected 3 samples"):
        draw_per_sample(iw.Cyclic(4), 3).act(leave, torch.zeros(2, 4))


def test_it_has_no_strength():
    subject: Subject = images()
    with pytest.raises(iw.errors.ArgumentError, match="strength: expected None"):
        make_method("augmentation", subject, 0.1)
