"""PER: the sum of penalties over tensors and groups, and strengths that follow what the data do."""

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.baselines import Subject, leave
from intertwine.baselines.per import ProjectionBasedRegularizer
from intertwine.errors import ArgumentError
from intertwine.training import training_step

C4, C2 = iw.Cyclic(4), iw.Cyclic(2)


def two_layers() -> tuple[Subject, iw.Binding]:
    """Two linear layers in parallel, typed by C4, and by the C2 inside it."""
    model = nn.ModuleDict({"first": nn.Linear(4, 4, bias=False), "second": nn.Linear(4, 4, bias=False)}).double()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.data = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    halves = C2.permutation([[2, 3, 0, 1]])
    smaller = iw.bind(model, {"first": (halves, halves), "second": (halves, halves)})
    larger = iw.bind(model, {"first": (C4.regular(), C4.regular()), "second": (C4.regular(), C4.regular())})
    return Subject(model, larger, C4, leave, leave), smaller


def test_penalty_is_half_the_squared_residual_by_tensor_and_group() -> None:
    subject, smaller = two_layers()
    method = ProjectionBasedRegularizer(subject, 2.0, others=[smaller])
    generator = torch.Generator().manual_seed(1)
    expected = torch.zeros((), dtype=torch.float64)
    for parameter in subject.model.parameters():
        parameter.data = torch.randn(4, 4, generator=generator, dtype=torch.float64)
    method.strengths[0]["first.weight"] = 5.0
    method.strengths[1]["second.weight"] = 0.25
    strengths = {(0, "first"): 5.0, (0, "second"): 2.0, (1, "first"): 2.0, (1, "second"): 0.25}
    for (number, name), s in strengths.items():
        P = (subject.binding, smaller)[number][f"{name}.weight"].projector
        expected = expected + s / 2 * P.squared_residual(subject.model[name].weight)
    nothing = torch.zeros(0)
    torch.testing.assert_close(method.penalty(nothing, nothing), expected)


def test_strengths_share_out_inversely_to_the_residuals() -> None:
    """``a = 1 / (0.1 + rho / mean rho)`` over both groups and layers, scaled to the mean ``strength``."""
    subject, smaller = two_layers()
    method = ProjectionBasedRegularizer(subject, 0.5, others=[smaller])
    method.after_epoch(0, 1)
    assert set(method.strengths[0].values()) == {0.5}  # nothing to share out by at the start
    generator = torch.Generator().manual_seed(1)
    for scale, parameter in zip((0.1, 1.0), subject.model.parameters(), strict=True):
        parameter.data += scale * torch.randn(4, 4, generator=generator, dtype=torch.float64)
    method.after_epoch(0, 1)
    ratios = []
    for binding in (subject.binding, smaller):
        for entry, W in binding.tensors():
            P = entry.projector
            ratios.append((P.residual(W).norm() / W.norm()).item() / (1 - P.rank / 16) ** 0.5)
    shares = [1 / (0.1 + rho / (sum(ratios) / 4)) for rho in ratios]
    found = [s for strengths in method.strengths for s in strengths.values()]
    assert found == pytest.approx([0.5 * 4 * share / sum(shares) for share in shares])
    assert sum(found) / 4 == pytest.approx(0.5)
    assert found[0] > 2 * found[1]
    subject.model["first"].weight.data[0, 0] = float("nan")
    method.after_epoch(1, 2)
    assert [s for strengths in method.strengths for s in strengths.values()] == found


def trained(target: torch.Tensor, other: torch.Tensor) -> ProjectionBasedRegularizer:
    """Two layers that learn one linear map each."""
    subject, _ = two_layers()
    for parameter in subject.model.parameters():
        parameter.data.zero_()
    method = ProjectionBasedRegularizer(subject, 1.0)
    model = subject.model
    x = torch.randn(200, 4, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    optimizer = torch.optim.SGD(method.parameter_groups(), 0.1)
    for epoch in range(200):
        first, second = model["first"](x) - x @ target.T, model["second"](x) - x @ other.T
        optimizer.zero_grad()
        method.total_loss(0.5 * (first.square() + second.square()).sum(1).mean(), x, x).backward()
        optimizer.step()
        method.after_epoch(epoch, 200)
    return method


def test_finds_the_layer_whose_data_break_the_symmetry() -> None:
    """One layer is to fit a nearly equivariant map, the other not: only the second loses its strength."""
    target = torch.randn(4, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    P = iw.projector(C4.regular(), C4.regular())
    method = trained(P.project(target) + 0.01 * target, target)
    strengths = method.strengths[0]
    assert strengths["first.weight"] > 1.8
    assert strengths["second.weight"] < 0.2
    assert P.relative_residual(method.model["first"].weight).item() < 0.02
    assert P.relative_residual(method.model["second"].weight).item() > 0.3


def test_like_layers_keep_like_strengths() -> None:
    """No runaway: a small difference between two layers stays one."""
    target = torch.randn(4, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    other = iw.projector(C4.regular(), C4.regular()).residual(target) * 0.1 + target
    strengths = trained(target, other).strengths[0]
    assert strengths["second.weight"] < strengths["first.weight"] < 1.1


def test_starts_equivariant_and_runs_in_the_loop() -> None:
    subject, _ = two_layers()
    model = nn.Sequential(subject.model["first"], nn.ReLU(), subject.model["second"])
    binding = iw.bind(model, {"0": (C4.regular(), C4.regular()), "2": (C4.regular(), C4.regular())})
    method = ProjectionBasedRegularizer(Subject(model, binding, C4, leave, leave), 0.1)
    assert binding.penalty().item() < 1e-20
    optimizer = torch.optim.Adam(method.parameter_groups(), 0.01)
    x = torch.randn(20, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    losses = [float(training_step(method, optimizer, x, x, nn.functional.mse_loss)) for _ in range(50)]
    method.after_epoch(0, 1)
    assert losses[-1] < losses[0]
    assert 0 < method.strengths[0]["0.weight"] <= 0.2


def test_refuses_bindings_of_another_model() -> None:
    subject, _ = two_layers()
    _, other = two_layers()
    with pytest.raises(ArgumentError, match=r"others: expected bindings of subject\.model"):
        ProjectionBasedRegularizer(subject, 1.0, others=[other])
