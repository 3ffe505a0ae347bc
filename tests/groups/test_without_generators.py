"""Groups without generators, the control "no symmetry": every construction works, and P is the identity."""

import itertools
import warnings
from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.diagnostics.chains import chain_split, subgroup_chain
from intertwine.diagnostics.splits import residual_by_fields, residual_by_irreps

GROUPS = {
    "Trivial": iw.Trivial,
    "C1": lambda: iw.Cyclic(1),
    "S1": lambda: iw.Symmetric(1),
    "Trivial*C1": lambda: iw.Trivial() * iw.Cyclic(1),
    "(C1*S1)*C1": lambda: iw.Cyclic(1) * iw.Symmetric(1) * iw.Cyclic(1),
    "identity": lambda: iw.FiniteGroup([[0, 1]]),
}
REPRESENTATIONS: dict[str, Callable[[iw.Group], iw.Representation]] = {
    "trivial": lambda G: 2 * G.trivial(),
    "regular": lambda G: G.regular(),
    "irreps": lambda G: G.irreps(f"2x{G.irrep_labels(1)[0]}"),
    "quotient": lambda G: 2 * G.quotient(G),
    "standard": lambda G: G.standard() + G.trivial(),
    "grid": lambda G: G.grid(*(2 for _ in range(G.matrix_dim))) if G.matrix_dim < 4 else G.regular(),
    "tensor": lambda G: (G.regular() + G.trivial()).tensor(2 * G.regular()),
    "dual of tensor": lambda G: G.regular().tensor(G.trivial()).dual(),
    "restricted": lambda G: iw.SO(3).irreps("0 + 1").tensor(iw.SO(3).irrep(1)).restrict(G),
    "zero": lambda G: 0 * G.trivial(),
    "tensor with zero": lambda G: (0 * G.trivial()).tensor(G.regular()),
}
PAIRS = [("trivial", "tensor"), ("tensor", "regular"), ("tensor", "tensor"), ("restricted", "standard")]
PAIRS += [("grid", "dual of tensor"), ("irreps", "quotient"), ("zero", "tensor"), ("regular", "tensor with zero")]


def build(group: str, name: str) -> iw.Representation:
    G = GROUPS[group]()
    if name == "restricted" and G.matrix_dim not in (1, 2):
        pytest.skip("larger matrices than those of SO(3), or as large and another group")
    return REPRESENTATIONS[name](G)


@pytest.fixture(autouse=True)
def _quiet() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", iw.RankZeroWarning)
        yield


@pytest.mark.parametrize(("group", "name"), list(itertools.product(GROUPS, REPRESENTATIONS)))
def test_representations(group: str, name: str) -> None:
    rep = build(group, name)
    G = rep.group
    assert G.generator_matrices().size == 0 or np.allclose(G.generator_matrices(), np.eye(G.matrix_dim))
    iw.testing.assert_representation(rep)
    eye, x = torch.eye(rep.dim, dtype=torch.float64), torch.randn(2, rep.dim)
    assert rep.matrix(G.elements()).equal(eye[None])
    assert rep.matrix(G.elements()[:0]).shape == (0, rep.dim, rep.dim)
    assert rep.act(G.elements()[0], x).equal(x)
    assert rep.is_permutation
    assert rep.restrict(iw.Cyclic(1)).dim == rep.dual().dim == rep.dim
    split = iw.decompose(rep)
    assert sum(split.multiplicities.values()) == rep.dim
    for method in (None, "orbit", "block", "nullspace"):
        bias = iw.projector(rep, method=method)
        assert bias.rank == rep.dim
        iw.testing.assert_projector(bias)
    assert iw.diagonal_projector(rep).project(x[0]).equal(x[0])


@pytest.mark.parametrize(("group", "pair"), list(itertools.product(GROUPS, PAIRS)))
def test_projectors_are_the_identity(group: str, pair: tuple[str, str]) -> None:
    first, second = build(group, pair[0]), build(group, pair[1])
    shape = (second.dim, first.dim)
    W = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    irreps = all(s.field.irrep is not None for s in first.segments + second.segments)
    for method in (None, "orbit", "block", "nullspace", *(("schur",) if irreps else ())):
        P = iw.projector(first, second, method=method)
        assert (P.rank, P.chance) == (W.numel(), 0.0)
        torch.testing.assert_close(P.project(W), W, rtol=0, atol=1e-14)
        assert float(P.relative_residual(W)) < 1e-14
        assert P.basis().shape == (W.numel(), *shape)
        shrunk = W.clone()
        P.shrink_(shrunk, 0.0)
        torch.testing.assert_close(shrunk, W, rtol=0, atol=1e-14)
        for split in (residual_by_irreps(P, W), residual_by_fields(P, W)):
            assert split.total < 1e-26
    assert iw.projector(axes=(second, first, second)).rank == W.numel() * second.dim
    shares = chain_split(W, subgroup_chain(first, second, [first.group, iw.Cyclic(1)])).squared_norms
    assert sum(shares[1:]) < 1e-26
    space = 2 * first.group.trivial()
    kernel = torch.randn(*shape, 3, 3, dtype=torch.float64)
    torch.testing.assert_close(iw.projector(first, second, kernel=(3, 3), space=space).project(kernel), kernel)
    for signals, rank in (("real", 21), ("complex", 12)):
        waves = iw.spectral_projector(first, second, (4, 3), space=space, signals=signals)
        assert waves.rank == rank * W.numel()
        assert waves.basis().shape == (waves.rank, *waves.shape)


@pytest.mark.parametrize(("group", "pair"), list(itertools.product(GROUPS, PAIRS)))
@pytest.mark.filterwarnings("ignore:Initializing zero-element tensors")  # torch, of layers without features
def test_bindings_and_diagnostics(group: str, pair: tuple[str, str]) -> None:
    first, second = build(group, pair[0]), build(group, pair[1])
    G = first.group
    layer = nn.Linear(first.dim, second.dim)
    before = layer.weight.detach().clone()
    binding = iw.bind(layer, {"": (first, second)})
    binding.project_()
    torch.testing.assert_close(layer.weight.detach(), before)
    binding.initialize_(generator=torch.Generator().manual_seed(0))
    assert float(binding.penalty(strength=1.0).detach()) < 1e-10
    report = iw.report(binding)
    assert report.chance == 0
    assert str(report)
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=1.0)
    layer(torch.randn(2, first.dim)).sum().backward()
    optimizer.step()
    if first.dim == 0 or second.dim == 0:
        return
    x = torch.randn(3, first.dim)
    assert float(iw.equivariance_error(layer, first, second, x)) == 0
    iw.testing.assert_equivariant(layer, first, second, x)
    space = 2 * G.trivial()
    conv = nn.Conv2d(first.dim, second.dim, 3, stride=2)
    images, on_in, on_out = torch.randn(1, first.dim, 6, 6), *(iw.on_grid(rep, space=space) for rep in (first, second))
    iw.bind(conv, {"": iw.Typed(first, second, space=space)}).project_()
    assert float(iw.equivariance_error(conv, on_in, on_out, images)) < 1e-5
    assert iw.geometry(nn.Sequential(conv), images, group=G, space=space).breaking == ()
    assert iw.first_breaker(nn.Sequential(layer), {"0": second}, first, x) is None


@pytest.mark.parametrize("group", GROUPS)
def test_kernel_basis_of_zero_vectors(group: str) -> None:
    G = GROUPS[group]()
    with pytest.warns(iw.RankZeroWarning):
        P = iw.projector(G.regular(), G.trivial(), kernel=(3, 3), kernel_basis=torch.zeros(0, 1, 1, 3, 3))
    W = torch.randn(*P.shape)
    assert P.rank == 0
    assert P.basis().shape == (0, *P.shape)
    assert float(P.project(W).abs().max()) == 0
    assert float(P.relative_residual(W)) == 1


def test_ends_of_chains_need_no_axis() -> None:
    """The subgroup without turns turns about no axis."""
    for G in (iw.SO(3), iw.O(3), iw.Octahedral(), iw.Cyclic(4) * iw.SO(2), iw.Dihedral(4), iw.SO(2), iw.Symmetric(3)):
        vector = G.standard()
        for H in (iw.Cyclic(1), iw.Trivial()):
            chain = subgroup_chain(vector, vector.tensor(vector), [G, H])
            assert [P.rank for P in chain] == [chain[0].rank, vector.dim**3]
    with pytest.raises(iw.errors.ArgumentError, match=r"axis: expected 'x', 'y' or 'z'"):
        iw.SO(3).standard().restrict(iw.Cyclic(2))


def test_matrix_groups_without_lie_algebra() -> None:
    G = iw.MatrixGroup(discrete=[torch.diag(torch.tensor([2.0, 1.0]))])
    rep = G.representation([[[2.0]]])
    assert rep.tensor(rep).matrix(G.generators[0]).tolist() == [[4.0]]
    assert rep.matrix(torch.eye(2, dtype=torch.float64)).tolist() == [[1.0]]


def test_filters_of_nothing_have_an_empty_basis() -> None:
    P = iw.relaxed_projector((1, 2), (1,), filters=[[[0.0, 0.0]]], bank=0)
    assert (P.rank, P.basis().shape) == (0, (0, 1, 2))
