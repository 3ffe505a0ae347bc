"""Kernels: exact on pixels against brute force over all elements, steerable where pixels carry no action."""

import math
import warnings
from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch

import intertwine as iw

Build = Callable[[], tuple[iw.Representation, iw.Representation, tuple[int, ...], iw.Representation | None]]


def randn(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def about_z(group: iw.Group) -> iw.Representation:
    return iw.O(3).standard().restrict(group, axis="z")


def mirror(axis: int, dim: int) -> tuple[iw.Group, iw.Representation]:
    """C2 as the mirror of one axis of space."""
    G = iw.Cyclic(2)
    space = G.trivial() * 0
    for i in range(dim):
        space = space + (G.irrep(1) if i == axis else G.trivial())
    return G, space


def plane(group: iw.Group, kernel: tuple[int, int], mixed: str) -> Build:
    return lambda: (
        group.regular() + 2 * group.trivial() + group.irreps(mixed),
        group.irreps(mixed) + group.regular(),
        kernel,
        None,
    )


EXACT: dict[str, Build] = {
    "C2 3x5": plane(iw.Cyclic(2), (3, 5), "1 + 0"),
    "C4 3x3": plane(iw.Cyclic(4), (3, 3), "1 + 2"),
    "C4 4x4": plane(iw.Cyclic(4), (4, 4), "1"),
    "C4 5x5 grid quotient": lambda: (iw.Cyclic(4).quotient(iw.Cyclic(2)), iw.Cyclic(4).grid(2, 2), (5, 5), None),
    "D1 3x4": plane(iw.Dihedral(1), (3, 4), "0-"),
    "D1 other axis": lambda: (*(2 * (iw.Cyclic(2).regular(),)), (4, 3), mirror(1, 2)[1]),
    "D2 3x2": plane(iw.Dihedral(2), (3, 2), "0- + 1+"),
    "D4 3x3": plane(iw.Dihedral(4), (3, 3), "1 + 0-"),
    "D4 2x2": lambda: (2 * iw.Dihedral(4).regular(), iw.Dihedral(4).quotient(iw.Cyclic(2)), (2, 2), None),
    "reflection 1d": lambda: (*(2 * (iw.Cyclic(2).irreps("2x0 + 1"),)), (5,), iw.Cyclic(2).irrep(1)),
    "time": lambda: (iw.SO(3).irreps("0 + 1"), iw.SO(3).irreps("1 + 2x0"), (3,), iw.SO(3).trivial()),
    "C4 about z": lambda: (iw.Cyclic(4).regular(), iw.Cyclic(4).irreps("0 + 1"), (2, 3, 3), about_z(iw.Cyclic(4))),
    "D4 about z": lambda: (
        iw.Dihedral(4).regular(),
        iw.Dihedral(4).irreps("1 + 0-"),
        (3, 3, 3),
        about_z(iw.Dihedral(4)),
    ),
    "T 3^3": lambda: (iw.Tetrahedral().irreps("A + E + T"), iw.Tetrahedral().irreps("T + E"), (3, 3, 3), None),
    "O 3^3": lambda: (iw.Octahedral().irreps("A1 + T1"), iw.Octahedral().irreps("T1 + E + A2"), (3, 3, 3), None),
    "O 2^3 regular": lambda: (iw.Octahedral().trivial(), iw.Octahedral().regular(), (2, 2, 2), None),
    "Th 3^3": lambda: (
        iw.Tetrahedral(reflections=True).irreps("Ag + Tu"),
        iw.Tetrahedral(reflections=True).irreps("Tu + Eg"),
        (3, 3, 3),
        None,
    ),
    "Oh 3^3": lambda: (
        iw.Octahedral(reflections=True).irreps("A1g + T1u"),
        iw.Octahedral(reflections=True).irreps("T1u + T2g"),
        (3, 3, 3),
        None,
    ),
    "S3 points on a line": lambda: (
        iw.Symmetric(3).defining(),
        iw.Symmetric(3).standard(),
        (3,),
        iw.Symmetric(3).trivial(),
    ),
}


def turned(kernel: torch.Tensor, space: np.ndarray) -> torch.Tensor:
    """``K(g^-1 x)``, pixel by pixel in plain Python: the slow obvious twin."""
    sides = kernel.shape[2:]
    out = torch.zeros_like(kernel)
    for index in np.ndindex(*sides):
        offset = np.array([i - (n - 1) / 2 for i, n in zip(index, sides, strict=True)])
        point = offset[::-1].copy()
        if len(sides) > 1:
            point[1] *= -1
        source = np.linalg.inv(space) @ point
        if len(sides) > 1:
            source[1] *= -1
        back = [round(float(s + (n - 1) / 2)) for s, n in zip(source[::-1], sides, strict=True)]
        out[(slice(None), slice(None), *index)] = kernel[(slice(None), slice(None), *back)]
    return out


def brute_force(
    rep_in: iw.Representation, rep_out: iw.Representation, K: torch.Tensor, space: iw.Representation
) -> torch.Tensor:
    group = rep_in.group
    if not group.is_finite:  # acts trivially on space: the average over a quadrature, entry by entry
        from tests.laws.registry import haar_quadrature

        elements, weights = haar_quadrature(group, 4)
        left, right = rep_out.matrix(elements), rep_in.matrix(elements)
        return torch.einsum("n,nij,jkp,nlk->ilp", torch.from_numpy(weights), left, K, right)
    total = torch.zeros_like(K)
    for g in group.elements():
        moved = turned(K, space.matrix(g).numpy())
        total += torch.einsum("ij,jk...,lk->il...", rep_out.matrix(g), moved, rep_in.matrix(g))
    return total / group.order


@pytest.mark.parametrize("name", EXACT)
def test_pixels_equal_brute_force(name: str) -> None:
    rep_in, rep_out, kernel, space = EXACT[name]()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", iw.RankZeroWarning)
        P = iw.projector(rep_in, rep_out, kernel=kernel, space=space)
    assert P.exact
    assert P.shape == (rep_out.dim, rep_in.dim, *kernel)
    K = randn(*P.shape)
    expected = brute_force(rep_in, rep_out, K, rep_in.group.standard() if space is None else space)
    torch.testing.assert_close(P.project(K), expected, rtol=0, atol=1e-12)
    torch.testing.assert_close(P.project(K) + P.residual(K), K, rtol=0, atol=1e-12)
    torch.testing.assert_close(P.project(expected), expected, rtol=0, atol=1e-12)
    basis = P.basis().reshape(P.rank, -1)
    torch.testing.assert_close(basis.T @ (basis @ K.reshape(-1)), expected.reshape(-1), rtol=0, atol=1e-12)


def test_brute_force_is_rot90_for_scalars() -> None:
    """The oracle's own convention: the quarter turn of a scalar kernel is torch.rot90 over (-2, -1)."""
    K = randn(1, 1, 3, 3)
    G = iw.Cyclic(4)
    mean = sum(torch.rot90(K, n, (-2, -1)) for n in range(4)) / 4
    torch.testing.assert_close(brute_force(G.trivial(), G.trivial(), K, G.standard()), mean)
    torch.testing.assert_close(iw.projector(G.trivial(), G.trivial(), kernel=(3, 3)).project(K), mean)


@pytest.mark.parametrize("name", ["D4 3x3", "O 3^3", "C4 4x4"])
def test_rank_is_the_character_inner_product(name: str) -> None:
    rep_in, rep_out, kernel, _ = EXACT[name]()
    P = iw.projector(rep_in, rep_out, kernel=kernel)
    elements = rep_in.group.elements()
    pixels = rep_in.group.grid(*kernel)
    mean = (rep_in.character(elements) * rep_out.character(elements) * pixels.character(elements)).mean()
    assert P.rank == pytest.approx(float(mean), abs=1e-9)


def test_memory_format_does_not_matter() -> None:
    G = iw.Dihedral(4)
    P = iw.projector(2 * G.regular(), G.regular(), kernel=(3, 3))
    K = randn(*P.shape)
    last = K.contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(P.project(last), P.project(K))
    torch.testing.assert_close(P.residual(last), P.residual(K))
    shrunk = last.clone(memory_format=torch.preserve_format)
    P.shrink_(shrunk, 0.25)
    torch.testing.assert_close(shrunk, P.project(K) + 0.25 * P.residual(K))


def test_gradients_of_kernels() -> None:
    for P in (
        iw.projector(iw.Cyclic(4).regular(), iw.Cyclic(4).irrep(1), kernel=(3, 3)),
        iw.projector(iw.SO(2).irrep(1), iw.SO(2).irrep(1), kernel=(3, 3)),
    ):
        K = randn(*P.shape).requires_grad_()
        (gradient,) = torch.autograd.grad(P.squared_residual(K) / 2, K)
        torch.testing.assert_close(gradient, P.residual(K.detach()))
        assert torch.autograd.gradcheck(P.squared_residual, (K,))
        assert torch.autograd.gradgradcheck(P.squared_residual, (K,))


STEERABLE: dict[str, tuple[Callable[[], iw.Representation], tuple[int, ...]]] = {
    "SO2": (lambda: iw.SO(2).irreps("0 + 2x1 + 2"), (5, 5)),
    "O2": (lambda: iw.O(2).irreps("0+ + 0- + 1"), (5, 5)),
    "C8": (lambda: iw.Cyclic(8).regular(), (5, 5)),
    "D3": (lambda: iw.Dihedral(3).irreps("0+ + 1"), (3, 3)),
    "SO3": (lambda: iw.SO(3).irreps("2x0 + 1 + 2"), (3, 3, 3)),
    "O3": (lambda: iw.O(3).irreps("0e + 1o + 1e"), (3, 3, 3)),
    "I": (lambda: iw.Icosahedral().irreps("A + T1"), (3, 3, 3)),
}


@pytest.mark.parametrize("name", STEERABLE)
def test_steerable_is_an_orthogonal_projector_and_says_so(name: str) -> None:
    build, kernel = STEERABLE[name]
    rep = build()
    P = iw.projector(rep, rep, kernel=kernel)
    assert not P.exact
    assert P.reason
    assert "exact=False" in repr(P)
    K, L = randn(*P.shape), randn(*P.shape, seed=1)
    torch.testing.assert_close(P.project(P.project(K)), P.project(K), rtol=0, atol=1e-10)
    assert float((P.project(K) * L).sum()) == pytest.approx(float((K * P.project(L)).sum()), abs=1e-9)
    assert 0 < P.rank < P.numel
    draws = torch.stack([P.project(randn(*P.shape, seed=i)).flatten() for i in range(3, 3 + min(P.rank + 3, 40))])
    assert int(torch.linalg.matrix_rank(draws)) == min(P.rank, len(draws))


@pytest.mark.parametrize(
    ("group", "label"), [(iw.SO(2), "1"), (iw.O(2), "1"), (iw.SO(3), "1")], ids=["SO2", "O2", "SO3"]
)
def test_steerable_kernels_solve_the_constraint_on_pixels_that_turn_exactly(group: iw.Group, label: str) -> None:
    """At quarter turns pixels move onto pixels, and there a projected kernel is exactly equivariant."""
    rep_in, rep_out = group.irrep(label) + group.trivial(), 2 * group.irrep(label)
    kernel = (5, 5) if group.matrix_dim == 2 else (3, 3, 3)
    K = iw.projector(rep_in, rep_out, kernel=kernel).project(randn(2 * rep_in.segments[0].dim, rep_in.dim, *kernel))
    sub = {"SO(2)": iw.Cyclic(4), "O(2)": iw.Dihedral(4), "SO(3)": iw.Octahedral()}[group.name]
    for g in sub.elements():
        moved = torch.einsum("ij,jk...,lk->il...", rep_out.matrix(g), turned(K, g.numpy()), rep_in.matrix(g))
        torch.testing.assert_close(moved, K, rtol=0, atol=1e-10)


def test_steerable_chains_nest() -> None:
    rep = iw.SO(2).irreps("0 + 1 + 2")
    groups = [iw.SO(2), iw.Cyclic(16), iw.Cyclic(8)]
    projectors = [iw.projector(rep.restrict(H), rep.restrict(H), kernel=(5, 5)) for H in groups]
    smaller = rep.restrict(iw.Cyclic(4))
    projectors.append(iw.projector(smaller, smaller, kernel=(5, 5)))  # exact on pixels, and larger still
    K = randn(*projectors[0].shape)
    for large, small in pairwise(projectors):
        torch.testing.assert_close(small.project(large.project(K)), large.project(K), rtol=0, atol=1e-10)
        torch.testing.assert_close(large.project(small.project(K)), large.project(K), rtol=0, atol=1e-10)
    volume = iw.SO(3).irreps("0 + 1")
    P, Q = (iw.projector(r, r, kernel=(3, 3, 3)) for r in (volume, volume.restrict(iw.Octahedral())))
    K = randn(*P.shape)
    torch.testing.assert_close(Q.project(P.project(K)), P.project(K), rtol=0, atol=1e-10)


def test_a_given_basis_is_the_dense_projection() -> None:
    """``kernel_basis``: our block form equals the dense N x D computation over all copies."""
    G = iw.SO(2)
    basis = randn(3, 2, 2, 3, 3)
    rep_in, rep_out = 2 * G.irrep(1), 3 * G.irrep(1)
    P = iw.projector(rep_in, rep_out, kernel=(3, 3), kernel_basis=basis)
    dense = torch.zeros(3 * 2 * 3, 6, 4, 3, 3, dtype=torch.float64)
    row = 0
    for a in range(3):
        for b in range(2):
            for vector in basis:
                dense[row, 2 * a : 2 * a + 2, 2 * b : 2 * b + 2] = vector
                row += 1
    flat = dense.reshape(row, -1).T
    K = randn(6, 4, 3, 3)
    expected = flat @ torch.linalg.lstsq(flat, K.reshape(-1, 1)).solution
    torch.testing.assert_close(P.project(K).reshape(-1, 1), expected, rtol=0, atol=1e-10)
    assert P.rank == row
    assert not P.exact


def test_kernel_mistakes_are_named() -> None:
    G, H = iw.Cyclic(4), iw.SO(3)
    with pytest.raises(iw.errors.ArgumentError, match=r"space: expected a representation of C4 of dimension 3"):
        iw.projector(G.regular(), G.regular(), kernel=(3, 3, 3))
    with pytest.raises(iw.errors.ArgumentError, match=r"kernel: expected a tuple of one to three positive sides"):
        iw.projector(G.regular(), G.regular(), kernel=3)
    with pytest.raises(iw.errors.ArgumentError, match=r"space: expected None without kernel"):
        iw.projector(G.regular(), G.regular(), space=G.standard())
    with pytest.raises(
        iw.errors.ShapeError, match=r"kernel_basis: expected floating-point, shape \(n, 3, 3, 3, 3, 3\)"
    ):
        iw.projector(H.irrep(1), H.irrep(1), kernel=(3, 3, 3), kernel_basis=torch.zeros(2, 3, 3, 3))
    with pytest.raises(iw.errors.GroupMismatchError, match=r"space: expected a representation of C4"):
        iw.projector(G.regular(), G.regular(), kernel=(3, 3), space=H.irrep(1))
    with pytest.raises(iw.errors.ShapeError, match=r"W: expected shape \(4, 4, 3, 3\)"):
        iw.projector(G.regular(), G.regular(), kernel=(3, 3)).project(torch.zeros(4, 4, 9))


def test_block_form_is_small() -> None:
    """SO(3), l <= 3, 4 -> 8 copies, 3^3: a thousandth of the dense basis' memory."""
    G = iw.SO(3)
    P = iw.projector(4 * G.irreps("0 + 1 + 2 + 3"), 8 * G.irreps("0 + 1 + 2 + 3"), kernel=(3, 3, 3))
    dense = P.numel * P.rank * 8
    assert P.constant_bytes * 1000 <= dense
    assert math.isfinite(P.chance)


@pytest.mark.parametrize("name", ["C4 3x3", "D4 2x2", "T 3^3", "reflection 1d"])
def test_kernels_pass_the_shipped_assertion_and_split_by_irreps(name: str) -> None:
    """Pixels are one axis of the projector and several of the weight: what goes axis by axis must fold them."""
    rep_in, rep_out, kernel, space = EXACT[name]()
    P = iw.projector(rep_in, rep_out, kernel=kernel, space=space)
    iw.testing.assert_projector(P)
    K = randn(*P.shape)
    split = iw.residual_by_irreps(P, K)
    assert sum(entry.squared_residual for entry in split.entries) == pytest.approx(
        float(P.squared_residual(K)), rel=1e-10
    )
    assert split.total == pytest.approx(float(P.squared_residual(K)), rel=1e-10)


@pytest.mark.parametrize("name", ["SO2", "SO3"])
def test_steerable_kernels_split_too(name: str) -> None:
    build, kernel = STEERABLE[name]
    P = iw.projector(build(), build(), kernel=kernel)
    iw.testing.assert_projector(P)
    K = randn(*P.shape)
    split = iw.residual_by_irreps(P, K)
    assert sum(entry.squared_residual for entry in split.entries) == pytest.approx(
        float(P.squared_residual(K)), rel=1e-10
    )
