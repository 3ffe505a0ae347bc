"""What every projector written as a formula must obey, in the norm that it says; raises where one does not."""

from collections.abc import Callable

import torch

import intertwine as iw

Metric = Callable[[torch.Tensor], torch.Tensor]


def randn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def inner(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """``Re <a, b>``, to which real-linear maps are adjoint."""
    return (a.conj() * b).real.sum() if a.is_complex() else (a * b).sum()


def plain(W: torch.Tensor) -> torch.Tensor:
    return W


def assert_laws(P: iw.Projector, dtype: torch.dtype, metric: Metric = plain, *, real_linear: bool = False) -> None:
    """Idempotent, self-adjoint, Pythagoras, basis, rank, gradients, shrinking; ``metric(W) = D W``."""
    shape = [3 if n is None else n for n in P.shape]
    A, B = randn(*shape, dtype=dtype), randn(*shape, seed=1, dtype=dtype)
    PA, PB, close = P.project(A), P.project(B), torch.testing.assert_close
    close(P.project(PA), PA, rtol=0, atol=1e-10)
    close(PA + P.residual(A), A, rtol=0, atol=1e-10)
    close(inner(metric(PA), B), inner(metric(A), PB), rtol=1e-10, atol=1e-10)
    squared = P.squared_residual(A)
    close(squared, inner(metric(P.residual(A)), P.residual(A)), rtol=1e-10, atol=1e-10)
    close(P.squared_projection(A), inner(metric(PA), PA), rtol=1e-10, atol=1e-10)
    close(squared + P.squared_projection(A), inner(metric(A), A), rtol=1e-10, atol=1e-10)
    close(P.relative_residual(A), (squared / inner(metric(A), A)).sqrt(), rtol=1e-10, atol=1e-12)
    W = A.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(P.squared_residual(W), W)
    close(gradient, 2 * metric(P.residual(A)), rtol=0, atol=1e-9)
    small = A.clone().requires_grad_()
    assert torch.autograd.gradcheck(P.squared_residual, (small,), fast_mode=True)
    assert torch.autograd.gradgradcheck(P.squared_residual, (small,), fast_mode=True)
    assert torch.autograd.gradcheck(P.project, (small,), fast_mode=True)
    shrunk = A.clone()
    P.shrink_(shrunk, 0.25)  # the proximal step of 3 times the penalty
    close(shrunk + 3 * metric(P.residual(shrunk)), A, rtol=0, atol=1e-10)
    single = P.project(A.to(torch.complex64 if A.is_complex() else torch.float32))
    close(single.to(dtype), PA, rtol=0, atol=1e-5)
    assert float(P.relative_residual(torch.zeros_like(A))) == 0
    if None in P.shape:
        return
    Q = P.basis().to(dtype)
    assert Q.shape == (P.rank, *P.shape)
    gram = torch.tensor([[float(inner(metric(a), b)) for b in Q] for a in Q]).reshape(len(Q), len(Q))
    close(gram, torch.eye(len(Q)), rtol=0, atol=1e-5)
    expanded = torch.zeros_like(A)
    for q in Q:
        coefficient = inner(metric(q), A) if real_linear or not A.is_complex() else (q.conj() * metric(A)).sum()
        expanded = expanded + coefficient * q
    close(expanded, PA, rtol=0, atol=1e-9)


def assert_chance(P: iw.Projector, dtype: torch.dtype, metric: Metric = plain) -> None:
    """``chance^2`` is the ratio of the mean squares over random weights, to three per cent."""
    shape = [1 if n is None else n for n in P.shape]
    residual, total = 0.0, 0.0
    for seed in range(120):
        W = randn(*shape, seed=seed, dtype=dtype)
        residual += float(P.squared_residual(W))
        total += float(inner(metric(W), W))
    torch.testing.assert_close(residual / total, P.chance**2, rtol=0, atol=0.03)
