from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import intertwine as iw
from intertwine.baselines import make_method, training_step
from intertwine.baselines.lie_derivative import LieDerivative, lie_action, no_motion, unit_element
from tests.baselines.subjects import data, images, network, seeded, vectors

GROUPS = (iw.SO(2), iw.SO(3))


def linear(group, seed=0):
    """``x -> W x`` on the standard representation."""
    subject = vectors(group)
    model = network(group.standard().dim, group.standard().dim, seed=seed)[0]
    model.bias = None
    binding = iw.bind(model, {"": (group.standard(), group.standard())})
    return replace(subject, model=model, binding=binding)


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_of_a_linear_map_it_is_the_commutator(group):
    subject = linear(group)
    method, W = LieDerivative(subject, 1.0), subject.model.weight
    x, _ = data(subject)
    for A in group.lie_algebra:
        assert torch.allclose(method.derivative(A, x), x @ (W @ A - A @ W).T, atol=1e-12)


@pytest.mark.parametrize("group", GROUPS, ids=str)
def test_of_an_equivariant_network_it_is_zero(group):
    subject = vectors(group)
    x, _ = data(subject)
    method = LieDerivative(subject, 1.0, generator=seeded(), num_samples=3)
    assert float(method.penalty(x, method.model(x)).detach()) > 1e-3
    subject.binding.project_()
    assert float(method.penalty(x, method.model(x)).detach()) < 1e-24


def test_it_is_the_derivative_of_the_moved_network():
    subject = vectors(iw.SO(3))
    method = LieDerivative(subject, 1.0)
    x, _ = data(subject)
    A = unit_element(subject.group, seeded())
    t = 1e-5

    def along(t):
        g = torch.matrix_exp(t * A)
        return subject.model(x @ g.T) @ g  # g^-1 f(g x)

    with torch.no_grad():
        quotient = (along(t) - along(-t)) / (2 * t)
    assert torch.allclose(method.derivative(A, x), quotient, atol=1e-8)


def test_of_an_invariant_it_is_the_directional_derivative():
    G = iw.SO(2)
    model = network(2, 6, 3)
    binding = iw.bind(model, {"2": (6 * G.trivial(), 3 * G.trivial())})
    subject = replace(vectors(G), model=model, binding=binding, act_out=lambda _, y: y, lie_out=no_motion)
    x, _ = data(subject)
    turned = torch.stack([-x[:, 1], x[:, 0]], 1)
    jacobians = torch.stack([torch.autograd.functional.jacobian(model, row) for row in x])
    expected = torch.einsum("noi,ni->no", jacobians, turned)
    assert torch.allclose(LieDerivative(subject, 1.0).derivative(G.lie_algebra[0], x), expected, atol=1e-12)


def test_the_penalty_is_half_the_strength_times_the_mean_square_and_trains():
    subject = linear(iw.SO(3))
    W = subject.model.weight
    x, _ = data(subject)
    method = LieDerivative(subject, 0.6, generator=seeded(3), num_samples=2)
    value = method.penalty(x, method.model(x))
    generator = seeded(3)
    elements = [unit_element(subject.group, generator) for _ in range(2)]
    expected = 0.3 * torch.stack([(x @ (W @ A - A @ W).T).square().mean() for A in elements]).mean()
    assert torch.allclose(value, expected, atol=1e-12)
    for one, two in zip(torch.autograd.grad(value, W), torch.autograd.grad(expected, W), strict=True):
        assert torch.allclose(one, two, atol=1e-12)


def test_its_expectation_is_the_mean_over_the_basis():
    subject = linear(iw.SO(3))
    x, _ = data(subject)
    method = LieDerivative(subject, 2.0, generator=seeded(), num_samples=2000)
    with torch.no_grad():
        basis = torch.stack([method.derivative(A, x).square().mean() for A in subject.group.lie_algebra]).mean()
        assert float(method.penalty(x, method.model(x))) == pytest.approx(float(basis), rel=0.05)


def test_it_passes_through_convolutions_norm_layers_and_pooling():
    G = iw.SO(2)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ELU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(16, 3)
    ).double()
    binding = iw.bind(model, {"0": (G.trivial(), 4 * G.trivial())})

    def lie_in(A, x):  # the derivative of a turn by differences of pixels
        down, right = torch.gradient(x, dim=(-2, -1))
        place = torch.arange(4, dtype=x.dtype) - 1.5
        return A[1, 0].item() * (right * place[:, None] - down * place[None, :])

    subject = replace(vectors(G), model=model, binding=binding, lie_in=lie_in, lie_out=no_motion)
    method = make_method("lie_derivative", subject, 5.0, generator=seeded())
    x = torch.randn(6, 1, 4, 4, dtype=torch.float64, generator=seeded())
    optimizer = torch.optim.SGD(method.parameter_groups(), 0.01)
    training_step(method, optimizer, x, torch.arange(6) % 3, F.cross_entropy)
    method.penalty(x, model(x)).backward()
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in model.parameters())
    assert float(model[0].weight.grad.norm()) > 0


def test_unit_elements_are_uniform_on_the_sphere():
    G, generator = iw.SO(3), seeded()
    flat = G.lie_algebra.reshape(3, 9)
    samples = torch.stack([unit_element(G, generator).flatten() for _ in range(3000)])
    coefficients = torch.linalg.lstsq(flat.T, samples.T).solution.T
    assert torch.allclose(coefficients.norm(dim=1), torch.ones(3000, dtype=torch.float64))
    second = coefficients.T @ coefficients / 3000
    assert torch.allclose(second, torch.eye(3, dtype=torch.float64) / 3, atol=0.02)


@pytest.mark.parametrize("rep", [iw.SO(3).irreps("2x0 + 1 + 2"), iw.SO(2).irreps("0 + 2x3"), iw.O(3).irreps("1e + 2o")])
def test_lie_action_is_the_derivative_of_the_action(rep):
    A, x = unit_element(rep.group, seeded()), torch.randn(4, rep.dim, dtype=torch.float64, generator=seeded())
    t = 1e-5
    quotient = (rep.act(torch.matrix_exp(t * A), x) - rep.act(torch.matrix_exp(-t * A), x)) / (2 * t)
    assert torch.allclose(lie_action(rep)(A, x), quotient, atol=1e-8)


def test_matrices_outside_the_algebra_are_refused():
    act = lie_action(iw.SO(2).standard())
    with pytest.raises(iw.errors.GroupMismatchError, match=r"A: expected an element of the Lie algebra of SO\(2\)"):
        act(torch.eye(2), torch.zeros(1, 2))


def test_finite_groups_and_missing_actions_are_refused():
    with pytest.raises(iw.errors.ArgumentError, match=r"a group with a Lie algebra.*Finite groups have no derivative"):
        LieDerivative(images(), 1.0)
    with pytest.raises(iw.errors.ArgumentError, match="expected lie_in and lie_out"):
        LieDerivative(replace(vectors(), lie_out=None), 1.0)
    with pytest.raises(iw.errors.ArgumentError, match="num_samples"):
        LieDerivative(vectors(), 1.0, num_samples=0)
