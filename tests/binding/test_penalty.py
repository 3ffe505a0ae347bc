import math

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.binding.cases import c4_mlp, dense, so3_linear

FORMS = ("squared", "norm", "relative")


def by_definition(W, P, s, s_equivariant, form):
    """The penalty of one tensor with P as a dense matrix."""
    flat = W.flatten()
    kept = dense(P) @ flat
    rest = flat - kept
    if form == "squared":
        return s / 2 * rest.square().sum() + s_equivariant / 2 * kept.square().sum()
    if form == "norm":
        return s * rest.norm() + s_equivariant * kept.norm()
    return s / 2 * rest.square().sum() / flat.square().sum()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", [c4_mlp, so3_linear])
def test_against_the_definition(case, form):
    model, binding = case()
    s_equivariant = 0.0 if form == "relative" else 0.3
    value = binding.penalty(0.7, s_equivariant, form)
    expected = sum(by_definition(W, entry.projector, 0.7, s_equivariant, form) for entry, W in binding.tensors())
    assert value.shape == ()
    assert value.item() == pytest.approx(expected.item(), rel=1e-12)
    for parameter, a, b in zip(
        model.parameters(),
        torch.autograd.grad(value, list(model.parameters())),
        torch.autograd.grad(expected, list(model.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-10, msg=str(parameter.shape))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("case", [c4_mlp, so3_linear])
def test_first_and_second_derivatives(case, form):
    model, binding = case()
    names = [entry.name for entry in binding][:2]
    s_equivariant = 0.0 if form == "relative" else 0.3

    def value(*tensors):
        class Call(nn.Module):
            def __init__(self):
                super().__init__()
                self.model = model

            def forward(self):
                return binding.penalty(0.7, s_equivariant, form)

        named = {f"model.{name}": tensor for name, tensor in zip(names, tensors, strict=True)}
        return torch.func.functional_call(Call(), named, ())

    inputs = tuple(binding[name].tensor(model).detach().clone().requires_grad_() for name in names)
    assert torch.autograd.gradcheck(value, inputs)
    assert torch.autograd.gradgradcheck(value, inputs)


def test_strength_is_weight_decay():
    model, binding = so3_linear()
    total = sum(parameter.square().sum() for parameter in model.parameters())
    torch.testing.assert_close(binding.penalty(0.4, 0.4), 0.2 * total, rtol=1e-12, atol=0)


@pytest.mark.parametrize("form", FORMS)
def test_gradient_is_zero_at_equivariant_and_at_zero_weights(form):
    model, binding = c4_mlp()
    binding.project_()
    binding.penalty(1.0, form=form).backward()
    assert all(bool((p.grad.abs() < 1e-7).all()) for p in model.parameters())
    # The root's derivative is infinite at an exact zero, the ratio is 0 / 0.
    model.zero_grad()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    value = binding.penalty(1.0, 0.0 if form == "relative" else 1.0, form)
    value.backward()
    assert value == 0
    assert all(bool((p.grad == 0).all()) for p in model.parameters())


def test_relative_form_does_not_depend_on_scale():
    model, binding = so3_linear()
    before = binding.penalty(form="relative").item()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(1e-3)
    assert binding.penalty(form="relative").item() == pytest.approx(before, rel=1e-12)


def test_strengths_by_name():
    _, binding = c4_mlp()
    alone = {name: r.squared_residual / 2 for name, r in binding.residuals().items()}
    value = binding.penalty({"0": 1.0, "0.bias": 10.0, "4.weight": 100.0})
    assert value.item() == pytest.approx(alone["0.weight"] + 10 * alone["0.bias"] + 100 * alone["4.weight"], rel=1e-12)
    everything = binding.penalty({"": 2.0, "2": 0.0})
    expected = 2 * sum(v for name, v in alone.items() if not name.startswith("2."))
    assert everything.item() == pytest.approx(expected, rel=1e-12)
    with pytest.raises(iw.errors.UnknownNameError, match=r"strength: expected names of typed .*'0', .*; got '1'"):
        binding.penalty({"1": 1.0})


@pytest.mark.parametrize("strength", [math.nan, -1.0, math.inf, "1", None, True, torch.ones(2)])
def test_bad_strengths(strength):
    _, binding = c4_mlp()
    with pytest.raises(iw.errors.ArgumentError, match=r"^strength: expected a number >= 0"):
        binding.penalty(strength)
    with pytest.raises(iw.errors.ArgumentError, match=r"^equivariant_strength: expected a number >= 0"):
        binding.penalty(1.0, strength)
    with pytest.raises(iw.errors.ArgumentError, match=r"strength\['0'\]: expected a number >= 0"):
        binding.penalty({"0": strength})


def test_bad_forms():
    _, binding = c4_mlp()
    with pytest.raises(iw.errors.ArgumentError, match="form: expected one of 'squared', 'norm', 'relative'; got 'l1'"):
        binding.penalty(form="l1")
    with pytest.raises(iw.errors.ArgumentError, match="equivariant_strength: expected 0 for form='relative'"):
        binding.penalty(1.0, 1.0, form="relative")


def test_zero_strength_is_a_zero():
    model, binding = c4_mlp(torch.float16)
    value = binding.penalty(0.0)
    assert value == 0
    assert value.dtype == torch.float32
    (next(model.parameters()).float().sum() + value).backward()


def test_half_precision_accumulates_in_float32():
    model, binding = c4_mlp(torch.float16)
    with torch.no_grad():
        model[0].weight.mul_(1000)  # squares beyond 65504
    value = binding.penalty(0.1)
    assert value.dtype == torch.float32
    assert torch.isfinite(value)
    value.backward()
    assert all(p.grad.dtype == torch.float16 for p in model.parameters())


def test_buffers_have_no_part():
    model = nn.BatchNorm1d(4)
    R = iw.Cyclic(4).regular()
    binding = iw.bind(model, {"running_mean": R, "weight": R})
    model.running_mean.copy_(torch.arange(4.0))
    assert binding.penalty() == 0
    assert binding.residuals()["running_mean"].squared_residual == pytest.approx(5.0)
    binding.project_()
    assert torch.equal(model.running_mean, torch.full((4,), 1.5))


def test_several_bindings_add_up():
    layer = nn.Linear(4, 4, bias=False)
    R = iw.Cyclic(4).regular()
    half = R.restrict(iw.Cyclic(2))
    by_4, by_2 = iw.bind(layer, {"": (R, R)}), iw.bind(layer, {"": (half, half)})
    total = iw.penalty([(by_4, 0.1), (by_2, {"weight": 1.0})])
    torch.testing.assert_close(total, by_4.penalty(0.1) + by_2.penalty(1.0))
    # The chain: what breaks C2 is what breaks C4 without what breaks C4 alone.
    W = layer.weight.detach()
    P4, P2 = by_4["weight"].projector, by_2["weight"].projector
    torch.testing.assert_close(
        P4.squared_residual(W), P2.squared_residual(W) + (P2.project(W) - P4.project(W)).square().sum()
    )
    for terms in ([], by_4, [by_4], [(by_4, 0.1, 0.2)], 3):
        with pytest.raises(iw.errors.ArgumentError, match=r"terms: expected pairs \(binding, strength\)"):
            iw.penalty(terms)


def test_spreads_over_a_training_step():
    model, binding = c4_mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    before = binding.penalty().item()
    for _ in range(20):
        optimizer.zero_grad()
        binding.penalty(strength=1.0).backward()
        optimizer.step()
    assert binding.penalty().item() == pytest.approx(before * 0.9**40, rel=1e-9)


def test_complex_weights():
    turn = iw.Cyclic(4).representation(torch.tensor([[[1j]]], dtype=torch.complex128))
    layer = nn.Linear(2, 3, bias=False, dtype=torch.complex128)
    rep_in, rep_out = turn + iw.Cyclic(4).trivial(), 2 * turn + iw.Cyclic(4).trivial()
    binding = iw.bind(layer, {"": (rep_in, rep_out)})
    W = layer.weight.detach().clone()
    kept = W * torch.tensor([[1, 0], [1, 0], [0, 1]])
    value = binding.penalty(0.5)
    assert value.item() == pytest.approx(0.25 * float((W - kept).abs().square().sum()), rel=1e-12)
    value.backward()
    torch.testing.assert_close(layer.weight.grad, 0.5 * (W - kept))
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    iw.EquivarianceDecay(optimizer, binding, strength=1.0)
    layer.weight.grad.zero_()
    optimizer.step()
    torch.testing.assert_close(layer.weight.detach(), (W + kept) / 2)
    with pytest.raises(iw.errors.DtypeError, match=r"weight to be complex, as a representation is; got torch\.float32"):
        iw.bind(nn.Linear(2, 3, bias=False), {"": (rep_in, rep_out)})
