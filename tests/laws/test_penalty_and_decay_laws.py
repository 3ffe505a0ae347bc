"""Penalty, its gradient, the decay's step and the stationary points of both, for every kind of projector."""

import math

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine._numerics import TOLERANCES
from tests.laws.kinds import KINDS, as_real, example, like, matrix_of, penalty_matrix

EXACT = TOLERANCES[torch.float64]
LR = 0.125


@pytest.fixture(params=KINDS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


class Holder(nn.Module):
    """A model of one parameter."""

    def __init__(self, W: torch.Tensor) -> None:
        super().__init__()
        self.w = nn.Parameter(W.detach().clone())


def close(a: torch.Tensor, b: torch.Tensor, scale: float = 1.0) -> None:
    assert a.shape == b.shape
    assert float((a - b).norm()) <= EXACT * max(scale, float(b.norm()))


def gradient(P: iw.Projector, W: torch.Tensor) -> torch.Tensor:
    """Of ``|W - P W|^2 / 2`` in the norm of P."""
    X = W.detach().clone().requires_grad_()
    return torch.autograd.grad(P.squared_residual(X) / 2, X)[0]


def decayed(P: iw.Projector, W: torch.Tensor, strength: float, slope: torch.Tensor | None = None) -> torch.Tensor:
    """One step of SGD with gradient ``slope`` (0 if None) and of the decay behind it."""
    model = Holder(W)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    decay = iw.EquivarianceDecay(optimizer, iw.bind(model, {"w": P}), strength=strength)
    assert decay.exact
    model.w.grad = torch.zeros_like(W) if slope is None else slope.clone()
    optimizer.step()
    return model.w.detach()


def test_gradient_is_that_of_the_norm(name: str) -> None:
    P, W = example(name)
    A, w = penalty_matrix(P, W), as_real(W)
    close(P.squared_residual(W).double(), w @ A @ w)
    close(as_real(gradient(P, W)), A @ w)
    if not P.has_own_norm:
        close(gradient(P, W), P.residual(W))


def test_residuals_of_equivariant_weights_cost_nothing(name: str) -> None:
    P, W = example(name)
    close(as_real(gradient(P, P.project(W))), torch.zeros_like(as_real(W)))
    assert float(P.relative_residual(P.project(W))) <= EXACT


@pytest.mark.parametrize("strength", [1e-9, 0.5, 8.0, 1e4])
def test_step_is_the_proximal_step_of_the_penalty(name: str, strength: float) -> None:
    """``X - W + lr s grad = 0`` at X, and X is what the dense solution of ``(1 + lr s A) X = W`` is."""
    P, W = example(name)
    X, A = decayed(P, W, strength), penalty_matrix(P, W)
    close(as_real(X), torch.linalg.solve(torch.eye(len(A)).double() + LR * strength * A, as_real(W)))
    moved = X - W
    off = moved + LR * strength * gradient(P, X)
    # A step far below the weights is known to their rounding only, and so is s times a residual that is 0 but for it.
    rounding = 1e-15 * (1 + LR * strength * float(torch.linalg.matrix_norm(A, 2))) * float(W.norm())
    assert float(off.norm()) <= EXACT * float(moved.norm()) + rounding


def test_infinite_strength_is_the_limit(name: str) -> None:
    """The equivariant weights nearest to W: nothing along them is left of the difference."""
    P, W = example(name)
    X = decayed(P, W, math.inf)
    assert float(P.squared_residual(X)) <= EXACT**2 * float(W.norm()) ** 2
    A = penalty_matrix(P, W)
    values, vectors = torch.linalg.eigh(A)
    kept = vectors[:, values < 1e-10]
    close(as_real(X), kept @ (kept.T @ as_real(W)))
    close(as_real(decayed(P, W, 1e12)), as_real(X), scale=1e3 * float(W.norm()))


def test_penalty_and_decay_share_their_stationary_point(name: str) -> None:
    """Of ``sum_i a_i |w_i - t_i|^2 / 2`` plus the penalty, solved densely: neither SGD moves away from it."""
    P, T = example(name, seed=2)
    target, strength = as_real(T), 3.0
    a = 0.5 + torch.rand(len(target), generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    A = penalty_matrix(P, T)
    W = like(torch.linalg.solve(torch.diag(a) + strength * A, a * target), T)
    slope = like(a * (as_real(W) - target), T)
    close(as_real(slope + strength * gradient(P, W)), torch.zeros_like(target), scale=float(T.norm()))
    close(as_real(decayed(P, W, strength, slope)), as_real(W))


def test_shrink_agrees_with_the_decay(name: str) -> None:
    P, W = example(name)
    shrunk = W.clone()
    P.shrink_(shrunk, 1 / (1 + LR * 2.0))
    close(as_real(shrunk), as_real(decayed(P, W, 2.0)))
    same = W.clone()
    P.shrink_(same, 1)
    assert torch.equal(same, W)
    by_tensor = W.clone()
    P.shrink_(by_tensor, torch.tensor(1 / (1 + LR * 2.0), dtype=torch.float64))
    close(as_real(by_tensor), as_real(shrunk))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_shrink_in_other_precisions(name: str, dtype: torch.dtype) -> None:
    if example(name)[1].is_complex() and dtype != torch.float32:
        pytest.skip("torch has no complex numbers in half precision to speak of")
    P, W = example(name, dtype=dtype)
    wide, shrunk = W.to(torch.promote_types(W.dtype, torch.float64)), W.clone()
    P.shrink_(shrunk, 0.25)
    P.shrink_(wide, 0.25)
    assert shrunk.dtype == W.dtype
    assert float((as_real(shrunk).double() - as_real(wide)).norm()) <= TOLERANCES[dtype] * float(as_real(wide).norm())


def test_several_groups_with_a_norm_of_their_own_go_in_turn() -> None:
    C4, C2 = iw.Cyclic(4), iw.Cyclic(2)
    by_4, by_2 = (iw.spectral_projector(G.trivial(), G.trivial(), (3, 2)) for G in (C4, C2))
    model = Holder(example("spectral")[1])
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)
    bindings = [iw.bind(model, {"w": P}) for P in (by_4, by_2)]
    decay = iw.EquivarianceDecay(optimizer, bindings, strength=[2.0, 4.0])
    assert not decay.exact
    assert "has a norm of its own" in decay.reason
    expected = model.w.detach().clone()
    by_4.shrink_(expected, 1 / (1 + LR * 2.0))
    by_2.shrink_(expected, 1 / (1 + LR * 4.0))
    model.w.grad = torch.zeros_like(model.w)
    optimizer.step()
    close(as_real(model.w.detach()), as_real(expected))


def test_matrix_of_writes_a_map_out() -> None:
    W = example("orbit")[1]
    assert torch.equal(matrix_of(lambda V: 3 * V, W), 3 * torch.eye(W.numel(), dtype=torch.float64))
