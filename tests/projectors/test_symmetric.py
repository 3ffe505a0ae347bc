"""Tensors applied to equal inputs: brute force over the group and the permutations, laws, recorded ranks, use."""

import itertools
import math
from collections.abc import Callable

import pytest
import torch

import intertwine as iw
from intertwine.projectors.symmetric import SymmetricProjector
from tests.laws.registry import average_matrix, projector_matrix
from tests.projectors.closed_form_laws import assert_chance, assert_laws, randn

# torch's own forward mode still scripts its decompositions.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
F64 = torch.float64


def o3(text: str) -> iw.Representation:
    return iw.O(3).irreps(text)


def complex_rep() -> iw.Representation:
    return iw.Cyclic(3).representation([[[complex(math.cos(2.0943951023931953), math.sin(2.0943951023931953))]]])


# axes, symmetric, method, frequencies for the quadrature
Case = tuple[Callable[[], tuple[iw.Representation, ...]], object, str | None, int]
CASES: dict[str, Case] = {
    "bilinear irreps": (lambda: (iw.SO(3).irreps("2x0 + 1"),) * 2, (0, 1), "schur", 2),
    "symmetric matrix of C4": (lambda: (2 * iw.Cyclic(4).irreps("1 + 0"),) * 2, (0, 1), "schur", 0),
    "regular": (lambda: (iw.Cyclic(3).regular(),) * 3, (0, 1, 2), "orbit", 0),
    "regular, some": (lambda: (iw.Dihedral(3).trivial(), *(iw.Dihedral(3).regular(),) * 2), (1, 2), "orbit", 0),
    "regular, copies": (lambda: (2 * iw.Cyclic(2).regular() + iw.Cyclic(2).trivial(),) * 3, (2, 0, 1), "orbit", 0),
    "points": (lambda: (iw.Symmetric(4).defining(),) * 3, (0, 1, 2), None, 0),
    "irreps": (lambda: (o3("1o"), *(o3("0e + 1o"),) * 3), (1, 2, 3), "block", 4),
    "irreps, copies": (lambda: (o3("1o + 0e"), *(o3("2x0e + 1o"),) * 2), (-1, -2), "block", 3),
    "four": (lambda: (iw.SO(2).irreps("0 + 1"),) * 4, (0, 1, 2, 3), "block", 4),
    "null space": (lambda: (iw.SO(3).irreps("1"), *(iw.SO(3).irreps("0 + 1"),) * 2), (1, 2), "nullspace", 3),
    "two sets": (
        lambda: (*(iw.Cyclic(4).irreps("0 + 1"),) * 2, *(iw.Cyclic(4).regular(),) * 2),
        ((0, 1), (2, 3)),
        None,
        0,
    ),
    "complex": (lambda: (complex_rep() + 2 * iw.Cyclic(3).trivial(),) * 3, (0, 1, 2), None, 0),
    "complex type": (lambda: (iw.Tetrahedral().irreps("E + A"),) * 3, (0, 1, 2), None, 0),
}


def build(name: str) -> tuple[tuple[iw.Representation, ...], iw.Projector]:
    axes, symmetric, method, _ = CASES[name]
    reps = axes()
    return reps, iw.projector(axes=reps, symmetric=symmetric, method=method)


def permutation_average(P: iw.Projector) -> torch.Tensor:
    """The mean over all products of permutations of the sets, shape (numel, numel)."""
    units, total, count = torch.eye(P.numel, dtype=F64).reshape(P.numel, *P.shape), 0, 0
    for images in itertools.product(*(itertools.permutations(axes) for axes in P.symmetric)):
        order = list(range(1 + len(P.shape)))
        for axes, image in zip(P.symmetric, images, strict=True):
            for axis, target in zip(axes, image, strict=True):
                order[1 + axis] = 1 + target
        total, count = total + units.permute(order).reshape(P.numel, P.numel).T, count + 1
    return total / count


@pytest.mark.parametrize("name", CASES)
def test_brute_force(name: str) -> None:
    reps, P = build(name)
    expected = average_matrix(reps, CASES[name][3])
    expected = permutation_average(P).to(expected.dtype) @ expected
    found = projector_matrix(P, expected.dtype)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-10)
    assert P.rank == round(float(expected.trace().real))
    assert P.rank < iw.projector(axes=reps).rank
    if P.group.is_finite:
        assert P.rank == P._mean_character()


@pytest.mark.parametrize("name", CASES)
def test_laws(name: str) -> None:
    reps, P = build(name)
    dtype = torch.complex128 if any(rep.is_complex for rep in reps) else F64
    assert_laws(P, dtype)
    W = randn(*P.shape, dtype=dtype)
    half = P.project(W.to(torch.complex64 if W.is_complex() else torch.bfloat16))
    torch.testing.assert_close(half.to(dtype), P.project(W), rtol=0, atol=2e-2 * float(W.norm()))
    _, tangent = torch.func.jvp(P.project, (W,), (W,))
    torch.testing.assert_close(tangent, P.project(W), rtol=0, atol=1e-12)
    for axes in P.symmetric:
        torch.testing.assert_close(P.project(W.transpose(*axes[:2])), P.project(W), rtol=0, atol=1e-12)


def test_chance() -> None:
    _, P = build("irreps")
    assert_chance(P, F64)
    with pytest.raises(AssertionError):
        assert_laws(P, F64, lambda W: 2 * W)


def test_ranks_recorded_with_mace() -> None:
    """mace-torch 0.3.16, inputs 0e + 1o + 2e + 3o: paths of e3nn's code, and how many of them act on equal inputs."""
    V = o3("0e + 1o + 2e + 3o")
    recorded = {("0e", 1): (1, 1), ("0e", 2): (4, 4), ("0e", 3): (23, 8)}
    recorded |= {("1o", 1): (1, 1), ("1o", 2): (6, 3), ("1o", 3): (51, 12)}
    for (out, order), (paths, rank) in recorded.items():
        axes = (o3(out), *(V,) * order)
        assert iw.projector(axes=axes).rank == paths
        if order > 1:
            assert iw.projector(axes=axes, symmetric=tuple(range(1, order + 1))).rank == rank
    assert iw.projector(axes=(V,) * 3, symmetric=(0, 1, 2)).rank == 8


def test_only_the_projection_acts_on_equal_inputs() -> None:
    """``W(x, x, x)`` of an equivariant W is that of its symmetric part, which ``P`` keeps."""
    V, out = o3("0e + 1o"), o3("1o")
    plain = iw.projector(axes=(out, V, V, V))
    P = iw.projector(axes=(out, V, V, V), symmetric=(1, 2, 3))
    W, x = plain.project(randn(*P.shape)), randn(4)
    for tensor in (W, P.project(W)):
        torch.testing.assert_close(
            torch.einsum("oabc,a,b,c->o", tensor, x, x, x), torch.einsum("oabc,a,b,c->o", W, x, x, x)
        )
    assert float(P.relative_residual(W)) > 0.1
    assert isinstance(P, SymmetricProjector)


def test_a_group_average_counts_by_characters() -> None:
    O = iw.Octahedral()
    V = 2 * O.regular() + O.standard()
    P = iw.projector(axes=(O.standard(), V, V), symmetric=(1, 2))
    W = randn(*P.shape)
    torch.testing.assert_close(P.project(P.project(W)), P.project(W), rtol=0, atol=1e-12)
    torch.testing.assert_close(
        P.project(W), iw.projector(axes=P.axes).project((W + W.transpose(1, 2)) / 2), rtol=0, atol=1e-12
    )
    assert P.rank == P._mean_character()


def test_bound_by_name_it_is_penalised_projected_and_reported() -> None:
    V = o3("0e + 1o")
    P = iw.projector(axes=(V, None, V, V), symmetric=(2, 3))
    model = torch.nn.Module()
    model.weight = torch.nn.Parameter(randn(4, 5, 4, 4))
    W = model.weight.detach().clone()
    binding = iw.bind(model, {"weight": P})
    penalty = binding.penalty(strength=2.0)
    torch.testing.assert_close(penalty.detach(), P.squared_residual(W))
    penalty.backward()
    torch.testing.assert_close(model.weight.grad, 2 * P.residual(W))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    iw.EquivarianceDecay(optimizer, binding, strength=2.0)
    model.weight.grad.zero_()
    optimizer.step()
    torch.testing.assert_close(model.weight.detach(), P.project(W) + P.residual(W) / 2)
    report = iw.report(binding)
    assert report.parameters[0].rank == 5 * P.rank
    assert report.chance == pytest.approx(P.chance)
    binding.project_()
    assert float(P.relative_residual(model.weight.detach())) < 1e-14
    with pytest.raises(iw.errors.ArgumentError, match="a representation on every axis"):
        P.basis()


def test_prints_and_copies() -> None:
    import copy

    _, P = build("irreps")
    assert repr(P).endswith("method='block', symmetric=(1, 2, 3))")
    assert repr(build("two sets")[1]).endswith("symmetric=((0, 1), (2, 3)))")
    W = randn(*P.shape)
    assert copy.deepcopy(P).project(W).equal(P.project(W))
    G = iw.Cyclic(2)
    folded = iw.projector(axes=(G.grid(2, 2),) * 2, shape=(2, 2, 4), symmetric=(0, 1))
    flat = iw.projector(axes=(G.grid(2, 2),) * 2, symmetric=(0, 1))
    V = randn(2, 2, 4)
    torch.testing.assert_close(folded.project(V), flat.project(V.reshape(4, 4)).reshape(2, 2, 4))


def test_refusals() -> None:
    V, out = o3("0e + 1o"), o3("1o")
    with pytest.raises(
        iw.errors.ArgumentError,
        match=r"symmetric: expected axes of one and the same .* axes\[0\] = 1o and axes\[1\] = 0e \+ 1o",
    ):
        iw.projector(axes=(out, V, V), symmetric=(0, 1))
    with pytest.raises(iw.errors.ArgumentError, match=r"symmetric: expected axes of one .* axes\[1\] = None"):
        iw.projector(axes=(V, None, None), symmetric=(1, 2))
    for wrong in ((1,), (1, 1), (1, 3), (), 3, "12", ((1, 2), (2, 0)), (1, 2.0), ((1, 2), 0), (True, 2)):
        with pytest.raises(iw.errors.ArgumentError, match=r"symmetric: expected two or more different axes of 3"):
            iw.projector(axes=(out, V, V), symmetric=wrong)
    with pytest.raises(iw.errors.ArgumentError, match=r"symmetric: expected None with kernel"):
        iw.projector(V, V, kernel=(3, 3, 3), symmetric=(0, 1))
    with pytest.warns(iw.RankZeroWarning):
        P = iw.projector(axes=(iw.O(3).irrep("1o"),) * 3, symmetric=(0, 1, 2))  # epsilon is odd, and antisymmetric
    assert P.basis().shape == (0, 3, 3, 3)
