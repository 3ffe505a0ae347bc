import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

import intertwine as iw
from intertwine.baselines import Subject, leave, training_step
from intertwine.baselines.exact import Exact
from tests.baselines.subjects import data, images, network, seeded, vectors

GRIDS = (iw.Cyclic(4), iw.Dihedral(4))


def mixed():
    """Vectors to a regular field: an equivariant weight has entries 1 and -1/2, which Adam's steps do not keep."""
    G = iw.Dihedral(3)
    model = network(2, 6)
    return Subject(model, iw.bind(model, {"0": (G.standard(), G.regular())}), G, G.standard().act, G.regular().act)


@pytest.mark.parametrize("make", [torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop, torch.optim.SGD])
@pytest.mark.parametrize("fields", ["regular", "irreps", "mixed"])
def test_it_stays_equivariant_under_any_optimiser(make, fields):
    subject = {"regular": lambda: images(invariant=False), "irreps": lambda: vectors(iw.SO(3)), "mixed": mixed}[
        fields
    ]()
    method = Exact(subject)
    x, y = data(subject)
    optimizer = make(method.parameter_groups(), 0.05)
    method.attach(optimizer)
    before = [p.detach().clone() for p in subject.model.parameters()]
    for _ in range(5):
        training_step(method, optimizer, x, y, F.mse_loss)
        assert float(subject.binding.penalty(2.0).detach()) < 1e-24
    assert not any(torch.allclose(p, b) for p, b in zip(subject.model.parameters(), before, strict=True))
    for g in subject.group.sample(4, generator=seeded()):
        with torch.no_grad():
            difference = subject.model(subject.act_in(g, x)) - subject.act_out(g, subject.model(x))
        assert float(difference.abs().max()) < 1e-12


@pytest.mark.parametrize("group", GRIDS, ids=str)
def test_under_sgd_it_trains_the_coefficients_of_an_orthonormal_basis(group):
    subject = images(group, invariant=False)
    method = Exact(subject)
    settings = {"lr": 0.2, "momentum": 0.9, "weight_decay": 0.01}
    bases = {entry.name: entry.projector.basis() for entry in subject.binding}
    coefficients = {
        name: torch.tensordot(bases[name], W.detach(), W.ndim).requires_grad_()
        for name, W in subject.model.named_parameters()
    }
    optimizer = torch.optim.SGD(method.parameter_groups(), **settings)
    method.attach(optimizer)
    other = torch.optim.SGD(coefficients.values(), **settings)
    x, y = data(subject)

    def weights():
        return {name: torch.tensordot(c, bases[name], 1) for name, c in coefficients.items()}

    for _ in range(8):
        training_step(method, optimizer, x, y, F.mse_loss)
        other.zero_grad()
        F.mse_loss(functional_call(subject.model, weights(), (x,)), y).backward()
        other.step()
    for name, W in weights().items():
        assert torch.allclose(subject.model.get_parameter(name), W, atol=1e-10)


def test_gradients_are_projected_so_that_adam_scales_by_what_counts():
    subject = vectors()
    method = Exact(subject)
    x, y = data(subject)
    F.mse_loss(method.model(x), y).backward()
    gradient = subject.model.linear.weight.grad.clone()
    method.before_step()
    P = subject.binding["linear.weight"].projector
    assert float(P.relative_residual(gradient)) > 0.1
    assert torch.allclose(subject.model.linear.weight.grad, P.project(gradient))


def test_frozen_parameters_are_left_alone():
    subject = images()
    subject.model[0].weight.requires_grad_(False)
    method = Exact(subject)
    x, y = data(subject)
    optimizer = torch.optim.SGD(method.parameter_groups(), 0.1)
    method.attach(optimizer)
    before = subject.model[0].weight.clone()
    with pytest.warns(iw.DecayWarning, match=r"frozen, and left as they are: 0\.weight"):
        training_step(method, optimizer, x, y, F.mse_loss)
    assert subject.model[0].weight.equal(before)


def test_running_statistics_are_projected():
    G = iw.Cyclic(4)
    rep = 2 * G.regular()
    model = nn.Sequential(nn.BatchNorm1d(8), nn.Linear(8, 4)).double()
    subject = Subject(model, iw.bind(model, {"0": rep, "1": (rep, G.regular())}), G, rep.act, G.regular().act)
    method = Exact(subject)
    x, y = data(subject, 20)
    optimizer = torch.optim.SGD(method.parameter_groups(), 0.1)
    method.attach(optimizer)
    training_step(method, optimizer, x * torch.arange(1.0, 9.0), y, F.mse_loss)
    g = G.generators[0]

    def error():
        with torch.no_grad():
            return float((model.eval()(rep.act(g, x)) - G.regular().act(g, model(x))).abs().max())

    assert error() < 1e-12
    model.train()(x * torch.arange(1.0, 9.0))  # a pass that no step follows
    assert error() > 1e-3
    assert method.finish() is model
    assert error() < 1e-12


def test_the_start_keeps_norms():
    subject = images(iw.Cyclic(4))
    norm = float(subject.model[0].weight.detach().norm())
    Exact(subject)
    assert float(subject.model[0].weight.detach().norm()) == pytest.approx(norm)


def test_leave_is_the_action_on_labels():
    assert leave(torch.eye(2), torch.tensor([1])).tolist() == [1]


def test_parametrised_weights_are_refused():
    subject = images()
    method = Exact(subject)
    nn.utils.parametrizations.weight_norm(subject.model[0])
    with pytest.raises(iw.errors.ArgumentError, match="typed tensors whose gradients can be projected; got"):
        method.attach(torch.optim.SGD(method.parameter_groups(), 0.1))
