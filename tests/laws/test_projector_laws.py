"""The laws of P, for every case of the registry: one set of laws, one list of cases, the product of both."""

import functools
import warnings

import numpy as np
import pytest
import torch

import intertwine as iw
from intertwine._numerics import TOLERANCES
from tests.laws.registry import CASES, Case, average_matrix, haar_quadrature, projector_matrix

EXACT = TOLERANCES[torch.float64]


@functools.cache
def built(case: Case) -> tuple[iw.Representation, iw.Representation, iw.Projector]:
    rep_in, rep_out = case.build()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", iw.RankZeroWarning)
        return rep_in, rep_out, iw.projector(rep_in, rep_out)


@pytest.fixture(params=CASES, ids=str)
def case(request: pytest.FixtureRequest) -> Case:
    return request.param


def random_weight(P: iw.Projector, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(P.shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def some_elements(group: iw.Group) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return group.elements() if group.is_finite and group.order <= 24 else group.sample(12, generator=generator)


def close(a: torch.Tensor, b: torch.Tensor, dtype: torch.dtype = torch.float64, scale: float = 1.0) -> None:
    """Equal relative to the norm of the operand, by the table of tolerances."""
    assert a.shape == b.shape
    error = float(torch.linalg.vector_norm((a - b).double())) if a.numel() else 0.0
    assert error <= TOLERANCES[dtype] * max(scale, float(torch.linalg.vector_norm(b.double())) if b.numel() else 0.0)


def test_p_equals_the_average_written_out(case: Case) -> None:
    rep_in, rep_out, P = built(case)
    close(projector_matrix(P), average_matrix((rep_out, rep_in.dual()), case.band))


def test_p_is_idempotent_and_self_adjoint(case: Case) -> None:
    P = built(case)[2]
    A, B = random_weight(P), random_weight(P, seed=2)
    close(P.project(P.project(A)), P.project(A))
    assert float((P.project(A) * B).sum()) == pytest.approx(
        float((A * P.project(B)).sum()), abs=EXACT * float(A.norm() * B.norm()) + 1e-14
    )


def test_pw_commutes_with_the_action_and_forgets_it(case: Case) -> None:
    rep_in, rep_out, P = built(case)
    W = random_weight(P)
    image = P.project(W)
    for g in some_elements(rep_in.group):
        left, right = rep_out.matrix(g), rep_in.matrix(g)
        close(left @ image, image @ right)
        close(P.project(left @ W @ torch.linalg.inv(right)), image)


def test_known_equivariant_weights_are_fixed(case: Case) -> None:
    rep_in, rep_out, P = built(case)
    elements, weights = haar_quadrature(rep_in.group, case.band)
    W = random_weight(P, seed=3)
    left, right = rep_out.matrix(elements), rep_in.matrix(elements)
    known = torch.einsum(
        "n,nij,jk,nlk->il", torch.from_numpy(weights), left, W, torch.linalg.inv(right).transpose(-1, -2)
    )
    close(P.project(known), known, scale=float(W.norm()))


def test_rank_is_trace_is_character_inner_product(case: Case) -> None:
    rep_in, rep_out, P = built(case)
    elements, weights = haar_quadrature(rep_in.group, case.band)
    characters = rep_out.character(elements).numpy() * rep_in.dual().character(elements).numpy()
    assert P.rank == pytest.approx(float(np.sum(weights * characters)), abs=1e-8)
    assert P.rank == pytest.approx(float(torch.trace(projector_matrix(P))), abs=1e-8)


def test_rank_is_the_sum_over_irreps(case: Case) -> None:
    """Fact 5: sum over irreps of m_out m_in c with c = 1, 2, 4 by type."""
    from intertwine.representations.decomposition import decompose
    from intertwine.representations.intertwiners import commutant

    rep_in, rep_out, P = built(case)
    counts: list[dict] = []
    for rep in (rep_in, rep_out):
        found: dict = {}
        for segment in decompose(rep).rep_irreps.segments:
            found[segment.field] = found.get(segment.field, 0) + segment.mul
        counts.append(found)
    total = sum(counts[0][field] * counts[1].get(field, 0) * len(commutant(field)) for field in counts[0])
    assert P.rank == total


def test_methods_agree_with_the_nullspace(case: Case) -> None:
    rep_in, rep_out, P = built(case)
    W = random_weight(P, seed=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", iw.RankZeroWarning)
        for method in ("nullspace", "block"):
            close(iw.projector(rep_in, rep_out, method=method).project(W), P.project(W), scale=float(W.norm()))


def test_basis_is_orthonormal_and_spans(case: Case) -> None:
    P = built(case)[2]
    basis = P.basis().reshape(P.rank, P.numel)
    close(basis @ basis.T, torch.eye(P.rank, dtype=torch.float64))
    close(basis.T @ basis, projector_matrix(P))


def test_project_and_residual_split_the_norm(case: Case) -> None:
    P = built(case)[2]
    W = random_weight(P, seed=5)
    close(P.project(W) + P.residual(W), W)
    squared = float(P.squared_residual(W))
    assert squared >= 0
    assert squared + float(P.squared_projection(W)) == pytest.approx(float(W.pow(2).sum()), rel=1e-12)
    assert float(P.relative_residual(W)) == pytest.approx(
        (squared / float(W.pow(2).sum())) ** 0.5 if W.numel() else 0.0, abs=1e-12
    )


def test_penalty_gradient_is_the_residual(case: Case) -> None:
    """Fact 2, and derivatives of first and second order against finite differences."""
    P = built(case)[2]
    W = random_weight(P, seed=6).requires_grad_()
    (gradient,) = torch.autograd.grad(P.squared_residual(W) / 2, W)
    close(gradient, P.residual(W.detach()))
    if P.numel <= 60:
        assert torch.autograd.gradcheck(P.squared_residual, (W,))
        assert torch.autograd.gradgradcheck(P.squared_residual, (W,))
        assert torch.autograd.gradcheck(P.project, (W,))
        assert torch.autograd.gradcheck(P.residual, (W,))


def test_sampled_operator_penalty_is_twice_ours(case: Case) -> None:
    """Fact 3, ``E |g.W - W|^2 = 2 |W - PW|^2``, and fact 4, the bounds by the largest g."""
    rep_in, rep_out, P = built(case)
    W = random_weight(P, seed=7)
    elements, weights = haar_quadrature(rep_in.group, case.band)
    moved = rep_out.matrix(elements) @ W @ rep_in.matrix(elements).transpose(-1, -2)
    distances = (moved - W).flatten(1).norm(dim=1).numpy()
    assert float(np.sum(weights * distances**2)) == pytest.approx(
        2 * float(P.squared_residual(W)), rel=1e-10, abs=1e-12
    )
    residual = float(P.residual(W).norm())
    assert distances.max(initial=0.0) <= 2 * residual * (1 + 1e-10) + 1e-12
    if rep_in.group.is_finite:
        assert residual <= distances.max(initial=0.0) * (1 + 1e-10) + 1e-12


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_precisions_agree(case: Case, dtype: torch.dtype) -> None:
    P = built(case)[2]
    W = random_weight(P, seed=8, dtype=torch.float64).to(dtype)
    for ours, exact in ((P.project(W), P.project(W.double())), (P.residual(W), P.residual(W.double()))):
        assert ours.dtype == dtype
        close(ours, exact.to(dtype), dtype, scale=float(W.double().norm()))
    assert float(P.squared_residual(W)) == pytest.approx(float(P.squared_residual(W.double())), rel=1e-4, abs=1e-6)


def test_complex_weights_are_real_and_imaginary_part(case: Case) -> None:
    P = built(case)[2]
    W = torch.complex(random_weight(P, seed=9), random_weight(P, seed=10))
    close(torch.view_as_real(P.project(W)), torch.stack([P.project(W.real), P.project(W.imag)], -1))
    assert float(P.squared_residual(W)) == pytest.approx(
        float(P.squared_residual(W.real) + P.squared_residual(W.imag)), rel=1e-12, abs=1e-14
    )


def test_bias_is_fixed_by_the_group(case: Case) -> None:
    rep = built(case)[0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", iw.RankZeroWarning)
        P = iw.projector(rep)
    close(projector_matrix(P), average_matrix((rep,), case.band))


def test_chance_is_what_random_weights_show(case: Case) -> None:
    """Fact 6: ``E |W-PW|^2 / |W|^2 = 1 - rank / numel`` for Gaussian W; 400 draws, within 5 standard errors."""
    P = built(case)[2]
    generator = torch.Generator().manual_seed(11)
    shares = []
    for _ in range(400):
        W = torch.randn(P.shape, generator=generator, dtype=torch.float64)
        shares.append(float(P.relative_residual(W)) ** 2)
    error = np.std(shares) / 20
    assert abs(np.mean(shares) - P.chance**2) <= 5 * error + 1e-12


def test_representations_are_orthogonal_homomorphisms(case: Case) -> None:
    for rep in built(case)[:2]:
        iw.testing.assert_representation(rep)
        g, h = rep.group.sample(2, generator=torch.Generator().manual_seed(12))
        close(rep.matrix(g @ h), rep.matrix(g) @ rep.matrix(h))
        close(rep.matrix(g) @ rep.matrix(g).T, torch.eye(rep.dim, dtype=torch.float64))
        x = torch.randn(3, rep.dim, generator=torch.Generator().manual_seed(13), dtype=torch.float64)
        close(rep.act(g, x), x @ rep.matrix(g).T)
