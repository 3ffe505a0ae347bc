"""Residual pathway priors: the prior's equation, the start, and where it ends beside our penalty."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

import intertwine as iw
from intertwine.baselines import Subject, leave
from intertwine.baselines.rpp import EQUIVARIANT_STRENGTH, FREE_FRACTION, ResidualPathwayPrior
from intertwine.errors import ArgumentError
from intertwine.training import training_step

G = iw.Cyclic(4)


def linear_subject() -> Subject:
    generator = torch.Generator().manual_seed(0)
    layer = nn.Linear(4, 8).double()
    for parameter in layer.parameters():
        parameter.data = torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
    binding = iw.bind(layer, {"": (G.regular(), 2 * G.regular())})
    return Subject(layer, binding, G, leave, leave)


def test_start_is_the_projected_draw_plus_a_small_part_of_the_draw() -> None:
    subject = linear_subject()
    draw = subject.model.weight.detach().clone()
    P = subject.binding["weight"].projector
    reference = linear_subject()
    reference.binding.project_(preserve_norm=True)
    method = ResidualPathwayPrior(subject, 1.0)
    equivariant = reference.model.weight.detach()
    torch.testing.assert_close(method.model.weight, equivariant + FREE_FRACTION * draw)
    assert float(P.relative_residual(method.model.weight)) < 2 * FREE_FRACTION
    assert method.model.weight.norm().item() == pytest.approx(draw.norm().item(), rel=0.05)


def test_penalty_is_the_negative_log_prior_of_both_paths() -> None:
    """``s_a/2 |A|^2 + s/2 |B|^2``; the gradient on B is ``s B``, its equivariant part included."""
    method = ResidualPathwayPrior(linear_subject(), 3.0)
    paths = [(p.original0, p.original1) for p in method.model.parametrizations.values()]
    expected = sum(EQUIVARIANT_STRENGTH / 2 * A.square().sum() + 1.5 * B.square().sum() for A, B in paths)
    term = method.penalty(torch.zeros(0), torch.zeros(0))
    torch.testing.assert_close(term, expected)
    term.backward()
    for A, B in paths:
        torch.testing.assert_close(B.grad, 3.0 * B)
        torch.testing.assert_close(A.grad, EQUIVARIANT_STRENGTH * A)


def test_free_path_takes_what_the_data_break_and_the_optimum_is_that_of_our_penalty() -> None:
    """Minimising out the split leaves ``s/2 |W-PW|^2 + 1/2 (s s_a / (s + s_a)) |PW|^2``: both trainings end alike."""
    s = 0.5
    weak = s * EQUIVARIANT_STRENGTH / (s + EQUIVARIANT_STRENGTH)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(60, 4, generator=generator, dtype=torch.float64)
    y = x @ torch.randn(4, 8, generator=generator, dtype=torch.float64)

    def half_squares(output: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
        return 0.5 * (output - target).square().sum(1).mean()

    method = ResidualPathwayPrior(linear_subject(), s)
    optimizer = torch.optim.SGD(method.parameter_groups(), lr=0.3)
    for _ in range(400):
        training_step(method, optimizer, x, y, half_squares)
    ours = linear_subject()
    plain = torch.optim.SGD(ours.model.parameters(), lr=0.3)
    for _ in range(400):
        plain.zero_grad()
        (half_squares(ours.model(x), y) + ours.binding.penalty(s, weak)).backward()
        plain.step()
    trained = method.finish()
    assert trained is method.subject.model
    # A is charged so little that it is the last to settle.
    torch.testing.assert_close(trained.weight, ours.model.weight, rtol=0, atol=2e-3)
    assert float(ours.binding["weight"].projector.relative_residual(trained.weight)) > 0.1


def test_finish_leaves_plain_weights() -> None:
    method = ResidualPathwayPrior(linear_subject(), 1.0)
    x = torch.randn(5, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    before = method.model(x)
    trained = method.finish()
    torch.testing.assert_close(trained(x), before)
    assert [name for name, _ in trained.named_parameters()] == ["weight", "bias"]
    method.subject.binding.project_()
    assert method.penalty(x, before) is None
    assert method.finish() is trained


def test_counts_the_rank_of_the_equivariant_path() -> None:
    """Weight 32 numbers of rank 8, bias 8 of rank 2: free 40, equivariant 10."""
    method = ResidualPathwayPrior(linear_subject(), 1.0)
    assert method.num_parameters == 50
    assert sum(p.numel() for p in method.model.parameters()) == 80


def test_trains_with_adam_inside_a_network() -> None:
    torch_model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    generator = torch.Generator().manual_seed(3)
    for parameter in torch_model.parameters():
        parameter.data = 0.5 * torch.randn(parameter.shape, generator=generator)
    binding = iw.bind(torch_model, {"0": (G.regular(), 2 * G.regular()), "2": (2 * G.regular(), 2 * G.trivial())})
    method = ResidualPathwayPrior(Subject(torch_model, binding, G, leave, leave), 0.01)
    optimizer = torch.optim.Adam(method.parameter_groups(), 0.02)
    x = torch.randn(64, 4, generator=generator)
    y = torch.stack([x.sum(1), x.square().sum(1)], 1)
    losses = [float(training_step(method, optimizer, x, y, F.mse_loss)) for _ in range(150)]
    assert losses[-1] < 0.2 * losses[0]


def test_refuses_shared_and_parametrised_weights() -> None:
    first, second = nn.Linear(4, 4, bias=False), nn.Linear(4, 4, bias=False)
    second.weight = first.weight
    model = nn.Sequential(first, second)
    subject = Subject(model, iw.bind(model, {"0": (G.regular(), G.regular())}), G, leave, leave)
    with pytest.raises(ArgumentError, match=r"subject: .*0\.weight"):
        ResidualPathwayPrior(subject, 1.0)
    subject = linear_subject()
    ResidualPathwayPrior(subject, 1.0)
    with pytest.raises(ArgumentError, match="parametrisation or shared"):
        ResidualPathwayPrior(subject, 1.0)
