"""Functions that work in place, keep their memory or differentiate inside: measured right, with nothing left behind."""

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.binding.cases import seeded

REP = 2 * iw.Cyclic(4).regular()
DTYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.complex64, torch.complex128]


def randn(*shape: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(), dtype=torch.promote_types(dtype, torch.float32)).to(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
def test_in_place_first_layers(dtype: torch.dtype) -> None:
    x = randn(4, 8, dtype=dtype)
    kept = x.clone()

    def double(y: torch.Tensor) -> torch.Tensor:
        return y.mul_(2)

    assert float(iw.equivariance_error(double, REP, REP, x)) == 0
    assert torch.equal(x, kept)
    if not dtype.is_complex:
        f = nn.LeakyReLU(0.1, inplace=True)
        assert float(iw.equivariance_error(f, REP, REP, x)) == 0
        assert iw.first_breaker(nn.Sequential(f), {"0": REP}, REP, x) is None
    assert torch.equal(x, kept)


def test_in_place_functions_that_break_are_found() -> None:
    x = randn(4, 8)
    ramp = torch.linspace(1, 2, 8, dtype=x.dtype)
    expected = float(iw.equivariance_error(lambda y: y * ramp, REP, REP, x))
    assert float(iw.equivariance_error(lambda y: y.mul_(ramp), REP, REP, x)) == expected > 0.1


def test_outputs_that_alias_the_input_or_one_another() -> None:
    x = randn(4, 8)
    assert float(iw.equivariance_error(lambda y: y, REP, REP, x)) == 0
    assert float(iw.equivariance_error(lambda y: (y, y.add_(1)), REP, (REP, REP), x)) == 0
    buffer = torch.empty(4, 8, dtype=x.dtype)

    def into_buffer(y: torch.Tensor) -> torch.Tensor:
        return torch.mul(y, 2, out=buffer)

    error = iw.equivariance_error(into_buffer, REP, REP, x)  # f(x) is kept while f(g x) takes its memory
    assert float(error) == 0
    assert error.tested


def test_actions_that_work_in_place() -> None:
    x = randn(4, 8)

    def act(g: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return y.copy_(REP.act(g, y))

    error = iw.equivariance_error(torch.relu, act, act, x, group=REP.group)
    assert float(error) == 0
    assert error.tested
    ramp = torch.linspace(1, 2, 8, dtype=x.dtype)
    wrong = iw.equivariance_error(lambda y: y * ramp, act, act, x, group=REP.group)
    assert float(wrong) == pytest.approx(float(iw.equivariance_error(lambda y: y * ramp, REP, REP, x)), rel=1e-12)


# -- gradients inside -----------------------------------------------------------------------------


class Forces(nn.Module):
    """Minus the gradient of an energy."""

    def __init__(self, broken: bool = False) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor([1.0, 1.0, 2.0 if broken else 1.0], dtype=torch.float64))

    def forward(self, positions: torch.Tensor) -> torch.Tensor:
        positions = positions.detach().requires_grad_(True)
        energy = torch.exp(-torch.cdist(self.scale * positions, self.scale * positions)).sum()
        return -torch.autograd.grad(energy, positions)[0]


V = iw.SO(3).standard()


def test_forces() -> None:
    x = randn(4, 5, 3)
    error = iw.equivariance_error(Forces(), V, V, x, generator=seeded())
    allowed = iw.equivariance_error(torch.enable_grad()(Forces().forward), V, V, x, generator=seeded())
    assert float(error) == float(allowed) < 1e-12
    assert iw.first_breaker(nn.Sequential(Forces()), {"0": V}, V, x) is None
    iw.testing.assert_equivariant(Forces(), V, V, x)
    broken = iw.first_breaker(nn.Sequential(Forces(), Forces(broken=True)), {"0": V, "1": V}, V, x)
    assert broken is not None
    assert (broken.name, broken.after) == ("1", "0")
    model = Forces()
    with torch.inference_mode():
        assert float(iw.equivariance_error(model, V, V, x.clone())) < 1e-12


def test_no_gradients_are_left() -> None:
    model = Forces()
    kept = torch.full_like(model.scale, 7.0)
    model.scale.grad = kept.clone()
    grad = model.scale.grad

    def with_backward(x: torch.Tensor) -> torch.Tensor:
        energy = (model.scale * x).square().sum()
        energy.backward()
        return torch.zeros_like(x) + energy.detach()

    x = randn(6, 3).requires_grad_()
    iw.equivariance_error(with_backward, V, None, x)
    assert model.scale.grad is grad
    assert torch.equal(grad, kept)
    assert x.grad is None
    model.scale.grad = None
    iw.equivariance_error(with_backward, V, None, x)
    assert model.scale.grad is None


def test_inputs_that_ask_for_a_gradient_get_one() -> None:
    x = randn(6, 3).requires_grad_()

    def direction(y: torch.Tensor) -> torch.Tensor:
        return torch.autograd.grad(y.norm(dim=-1).sum(), y)[0]

    assert float(iw.equivariance_error(direction, V, V, x)) < 1e-12
