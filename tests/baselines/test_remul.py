import pytest
import torch
import torch.nn.functional as F

import intertwine as iw
from intertwine.baselines import make_method, training_step
from intertwine.baselines.per_sample import draw_per_sample
from intertwine.baselines.remul import Remul
from intertwine.baselines.remul_balanced import BalancedRemul, balanced
from tests.baselines.subjects import data, images, seeded, vectors


def moved(subject, x, seed):
    drawn = draw_per_sample(subject.group, len(x), seeded(seed))
    return drawn, subject.model(drawn.act(subject.act_in, x))


def test_the_loss_is_the_task_plus_beta_times_the_loss_on_moved_samples():
    subject = images(invariant=False)
    method = Remul(subject, 0.7, generator=seeded(2))
    x, y = method.batch(*data(subject))
    output = method.model(x)
    loss = method.total_loss(F.mse_loss(output, y), x, output)
    drawn, predicted = moved(subject, x, 2)
    expected = F.mse_loss(output, y) + 0.7 * F.mse_loss(predicted, drawn.act(subject.act_out, y))
    assert torch.allclose(loss, expected, atol=1e-12)


def test_alone_it_is_augmentation():
    subject = images(invariant=False)
    x, y = data(subject)
    method, augmentation = (
        Remul(subject, 1.0, generator=seeded(2)),
        make_method("augmentation", subject, generator=seeded(2)),
    )
    method.batch(x, y)
    augmented_x, augmented_y = augmentation.batch(x, y)
    assert torch.allclose(method.penalty(x, None), F.mse_loss(subject.model(augmented_x), augmented_y), atol=1e-12)


def test_labels_take_the_cross_entropy_and_a_criterion_the_place_of_either():
    subject = images()
    x, labels = data(subject, labels=True)
    for criterion, expected in ((None, F.cross_entropy), (F.multi_margin_loss, F.multi_margin_loss)):
        method = Remul(subject, 1.0, generator=seeded(2), criterion=criterion)
        method.batch(x, labels)
        _, predicted = moved(subject, x, 2)
        assert torch.allclose(method.penalty(x, None), expected(predicted, labels))


def test_against_outputs_it_is_the_equivariance_of_the_network_alone():
    subject = vectors(iw.SO(3))
    x, _ = data(subject)
    method = Remul(subject, 2.0, generator=seeded(2), against="outputs")
    output = method.model(x)
    drawn, predicted = moved(subject, x, 2)
    value = method.penalty(x, output)
    assert torch.allclose(value, 2 * F.mse_loss(predicted, drawn.act(subject.act_out, output)), atol=1e-12)
    assert float(value.detach()) > 1e-3
    subject.binding.project_()
    assert float(method.penalty(x, method.model(x)).detach()) < 1e-24


def test_inputs_that_no_batch_brought_are_refused():
    subject = images()
    x, y = data(subject)
    method = Remul(subject, 1.0)
    with pytest.raises(iw.errors.ArgumentError, match=r"x: expected the inputs that batch\(x, y\) returned"):
        method.penalty(x, None)
    method.batch(x, y)
    with pytest.raises(iw.errors.ArgumentError, match=r"x: expected the inputs that batch\(x, y\) returned"):
        method.penalty(x[:3], None)
    with pytest.raises(iw.errors.ArgumentError, match="against: expected 'targets' or 'outputs'"):
        Remul(subject, 1.0, against="labels")


# -- balanced -------------------------------------------------------------------------------------


def gradnorm(weights, norms, ratios, asymmetry, rate):
    """The update with the gradient that autograd finds, written from the definition of L_grad."""
    w = weights.clone().requires_grad_()
    scaled = w * norms
    mean = scaled.mean().detach()
    target = mean * (ratios / ratios.mean()) ** asymmetry
    (scaled - target).abs().sum().backward()
    new = w.detach() - rate * w.grad / mean
    return new * len(new) / new.sum()


@pytest.mark.parametrize("asymmetry", [0.0, 1.5])
def test_an_update_is_the_gradient_step_of_gradnorm(asymmetry):
    generator = seeded()
    for _ in range(20):
        weights, norms, ratios = (0.5 + torch.rand(2, dtype=torch.float64, generator=generator) for _ in range(3))
        new = balanced(weights, norms, ratios, asymmetry, 0.025)
        assert torch.allclose(new, gradnorm(weights, norms, ratios, asymmetry, 0.025), atol=1e-12)


def test_with_asymmetry_0_gradient_norms_become_equal():
    weights, norms = torch.ones(2, dtype=torch.float64), torch.tensor([4.0, 1.0], dtype=torch.float64)
    for _ in range(200):
        weights = balanced(weights, norms, torch.ones(2, dtype=torch.float64), 0.0, 0.01)
    assert weights.tolist() == pytest.approx([0.4, 1.6], abs=0.05)


def test_the_slower_loss_gets_the_larger_gradient():
    weights, ratios = torch.ones(2, dtype=torch.float64), torch.tensor([0.5, 1.5], dtype=torch.float64)
    for _ in range(200):
        weights = balanced(weights, torch.ones(2, dtype=torch.float64), ratios, 1.0, 0.01)
    assert weights.tolist() == pytest.approx([0.5, 1.5], abs=0.05)


def test_weights_stay_positive_and_finite():
    two = torch.ones(2, dtype=torch.float64)
    loud = torch.tensor([1e9, 1e-9], dtype=torch.float64)
    weights = two
    for _ in range(200):
        weights = balanced(weights, loud, two, 1.5, 0.025)
        assert bool((weights > 0).all())
        assert float(weights.sum()) == pytest.approx(2)
    assert balanced(two, 0 * two, two, 1.5, 0.025).equal(two)
    assert balanced(two, two, torch.tensor([torch.nan, 1.0]), 1.5, 0.025).equal(two)


def test_a_step_uses_the_weights_from_before_its_update():
    subject = images(invariant=False)
    method = BalancedRemul(subject, generator=seeded(2))
    x, y = method.batch(*data(subject))
    for step in range(3):
        weights = method.weights.clone()
        state = method.generator.get_state()
        output = method.model(x)
        task = F.mse_loss(output, y)
        loss = method.total_loss(task, x, output)
        method.generator.set_state(state)
        equivariance = method.equivariance_loss(x, output)
        assert torch.allclose(loss, weights[0] * task + weights[1] * equivariance, atol=1e-12)
        norms = torch.stack([
            torch.autograd.grad(each, subject.model[2].weight, retain_graph=True)[0].norm()
            for each in (task, equivariance)
        ])  # fmt: skip
        if step == 0:
            first = torch.stack([task, equivariance]).detach()
        ratios = torch.stack([task, equivariance]).detach() / first
        assert torch.allclose(method.weights, gradnorm(weights, norms, ratios, 1.5, 0.025), atol=1e-9)
    assert not method.weights.equal(torch.ones(2))


def test_balanced_training_runs_and_has_no_strength():
    subject = images(invariant=False)
    method = BalancedRemul(subject, generator=seeded(2))
    x, y = data(subject)
    optimizer = torch.optim.SGD(method.parameter_groups(), 0.05)
    losses = [training_step(method, optimizer, x, y, F.mse_loss) for _ in range(20)]
    assert losses[-1] < losses[0]
    with pytest.raises(iw.errors.ArgumentError, match="strength: expected None"):
        BalancedRemul(subject, 0.1)
