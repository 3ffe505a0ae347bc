import numpy as np
import pytest
import torch

import intertwine as iw
from intertwine.diagnostics import splits
from intertwine.diagnostics.chains import chain_split, subgroup_chain
from intertwine.diagnostics.splits import residual_by_fields, residual_by_irreps
from intertwine.errors import ArgumentError, GroupMismatchError, NonFiniteError, ShapeError
from intertwine.representations import Representation, Segment, decomposition, isometries


def normal(*shape, dtype=torch.float64, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def pairs():
    C4, D4, O, SO3, S4, T = iw.Cyclic(4), iw.Dihedral(4), iw.Octahedral(), iw.SO(3), iw.Symmetric(4), iw.Tetrahedral()
    vector = SO3.irreps("1")
    yield "irreps", SO3.irreps("3x0 + 2x1 + 2"), SO3.irreps("2 + 4x1 + 0")
    yield "regular", 2 * C4.regular(), 3 * C4.regular()
    yield "grid", D4.grid(4, 4), D4.regular() + 2 * D4.trivial()
    yield "octahedral", O.regular(), O.grid(2, 2, 2)
    yield "complex type", T.regular(), T.standard() + 2 * T.regular()
    yield "defining", 2 * S4.defining(), S4.regular()
    yield "tensor", vector.tensor(vector), vector
    signed = D4.permutation([[1, 2, 3, 0, 4, 5], [1, 0, 3, 2, 5, 4]], signs=[[1] * 4 + [-1] * 2, [-1] * 4 + [1] * 2])
    yield "signed orbits", signed + D4.standard(), 2 * signed
    yield "vectors on pixels", D4.standard().tensor(D4.grid(4, 4)), D4.grid(3, 3).tensor(D4.standard() + D4.trivial())
    yield "sums in tensors", vector.tensor(SO3.irreps("0 + 1")), SO3.irreps("2x1 + 0").tensor(vector)
    yield "product", (C4 * iw.Cyclic(2)).regular(), (C4 * iw.Cyclic(2)).regular()


PAIRS = list(pairs())


@pytest.mark.parametrize("split", [residual_by_irreps, residual_by_fields])
@pytest.mark.parametrize(("rep_in", "rep_out"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
def test_blocks_sum_to_the_whole(rep_in, rep_out, split):
    P = iw.projector(rep_in, rep_out)
    W = normal(rep_out.dim, rep_in.dim)
    found = split(P, W)
    total = float(P.squared_residual(W))
    assert sum(entry.squared_residual for entry in found.entries) == pytest.approx(total, rel=1e-10)
    assert sum(entry.squared_norm for entry in found.entries) == pytest.approx(float(W.square().sum()), rel=1e-10)
    assert sum(entry.numel for entry in found.entries) == W.numel()
    assert found.total == pytest.approx(total, rel=1e-10)
    sizes = [entry.squared_residual for entry in found.entries]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(("rep_in", "rep_out"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
def test_blocks_equal_the_definition(rep_in, rep_out):
    """Both axes turned by the whole Q of decompose, then cut by label."""
    P = iw.projector(rep_in, rep_out)
    W = normal(rep_out.dim, rep_in.dim)
    a, b = iw.decompose(rep_out), iw.decompose(rep_in)
    R = a.basis.T @ P.residual(W) @ b.basis
    expected = {}
    for s, rows in zip(a.rep_irreps.segments, a.rep_irreps.slices, strict=True):
        for t, columns in zip(b.rep_irreps.segments, b.rep_irreps.slices, strict=True):
            key = (s.field.name, t.field.name)
            expected[key] = expected.get(key, 0.0) + float(R[rows, columns].square().sum())
    found = residual_by_irreps(P, W)
    assert {entry.irreps: entry.squared_residual for entry in found.entries} == pytest.approx(
        expected, rel=1e-10, abs=1e-20
    )


@pytest.mark.parametrize(("rep_in", "rep_out"), [pair[1:] for pair in PAIRS], ids=[pair[0] for pair in PAIRS])
def test_unlike_irreps_keep_nothing(rep_in, rep_out):
    found = residual_by_irreps(iw.projector(rep_in, rep_out), normal(rep_out.dim, rep_in.dim))
    for entry in found.entries:
        if entry.irreps[0] != entry.irreps[1]:
            assert entry.relative_residual == pytest.approx(1.0, abs=1e-10)
        else:
            assert entry.relative_residual < 1


def test_bias_and_free_axes_and_layouts():
    G = iw.Octahedral()
    rep = G.regular()
    bias = residual_by_irreps(iw.projector(rep), normal(24))
    assert bias["A1"] == pytest.approx(0, abs=1e-25)
    assert bias["T1"] > 0
    P = iw.projector(axes=(None, rep))
    W = normal(5, 24)
    found = residual_by_irreps(P, W)
    assert found["-", "E"] > 0
    assert found.total == pytest.approx(float(P.squared_residual(W)), rel=1e-10)


def test_three_axes():
    G = iw.SO(3)
    rep = G.irreps("0 + 1")
    P = iw.projector(axes=(rep, rep, rep))
    found = residual_by_irreps(P, normal(4, 4, 4))
    assert len(found.entries) == 8
    # The volume form is the one equivariant tensor of three vectors.
    assert found["1", "1", "1"] < 27 * 3
    assert found["0", "0", "0"] == pytest.approx(0, abs=1e-25)


def test_complex_fields_keep_their_names():
    G = iw.Cyclic(3)
    rep = G.representation(np.array([[[np.exp(2j * np.pi / 3)]]])) + G.representation(np.array([[[1.0 + 0j]]]))
    P = iw.projector(rep, rep)
    W = normal(2, 2, dtype=torch.complex128)
    found = residual_by_irreps(P, W)
    assert sum(entry.squared_residual for entry in found.entries) == pytest.approx(
        float(P.squared_residual(W)), rel=1e-10
    )


def test_split_prints_its_largest_blocks_first():
    G = iw.SO(3)
    P = iw.projector(G.irreps("0 + 1"), G.irreps("0 + 1"))
    text = str(residual_by_irreps(P, torch.ones(4, 4)))
    assert text.splitlines()[0].startswith("|W - P W|^2 = ")
    assert "1 <- 1" in text.splitlines()[1]
    assert residual_by_irreps(P, torch.eye(4)).worst() == ()
    assert residual_by_irreps(P, torch.eye(4))["0", "nothing"] == 0


@pytest.mark.parametrize("split", [residual_by_irreps, lambda P, W: chain_split(W, [P])])
@pytest.mark.parametrize(
    ("W", "error", "message"),
    [
        (torch.ones(3, 4), ShapeError, r"W: expected shape \(4, 4\)"),
        ([1.0], ShapeError, "W: expected a torch tensor"),
        (torch.full((4, 4), float("nan")), NonFiniteError, "W: expected finite numbers"),
    ],
)
def test_bad_weights_are_refused(split, W, error, message):
    G = iw.Cyclic(4)
    with pytest.raises(error, match=message):
        split(iw.projector(G.regular(), G.regular()), W)


# -- chains ---------------------------------------------------------------------------------------


def chains():
    SO2, SO3, O3 = iw.SO(2), iw.SO(3), iw.O(3)
    C = iw.Cyclic
    yield SO2.irreps("4x0 + 2x1 + 2x2 + 5"), [SO2, C(8), C(4), C(2)], None
    yield iw.O(2).irreps("2x0+ + 0- + 2x1 + 4"), [iw.O(2), iw.Dihedral(4), C(4)], None
    yield SO3.irreps("2x0 + 1 + 2 + 4"), [SO3, iw.Octahedral(), iw.Tetrahedral()], None
    yield O3.irreps("0e + 1o + 2e"), [O3, SO3, SO2, C(6), C(3)], "y"
    yield iw.Octahedral().regular(), [iw.Octahedral(), iw.Tetrahedral(), iw.Trivial()], None


@pytest.mark.parametrize(("rep", "groups", "axis"), list(chains()), ids=lambda value: str(value)[:40])
def test_chain_adds_up_and_equals_differences_of_residuals(rep, groups, axis):
    chain = subgroup_chain(rep, rep, groups, axis=axis)
    W = normal(rep.dim, rep.dim)
    split = chain_split(W, chain)
    assert split.groups == tuple(map(str, groups))
    assert split.total == pytest.approx(float(W.square().sum()), rel=1e-10)
    assert sum(split.shares) == pytest.approx(1, rel=1e-10)
    residuals = [float(P.squared_residual(W)) for P in chain]
    assert split.squared_norms[0] == pytest.approx(float(chain[0].project(W).square().sum()), rel=1e-10)
    for step, (large, small) in zip(
        split.squared_norms[1:], zip(residuals, [*residuals[1:], 0], strict=True), strict=True
    ):
        assert step == pytest.approx(large - small, rel=1e-10, abs=1e-10 * split.total)
    assert split.relative_residuals == pytest.approx(
        [float(P.relative_residual(W)) for P in chain], rel=1e-8, abs=1e-12
    )
    assert sum(split.chance) == pytest.approx(1)
    assert all(name in str(split) for name in split.names)


def test_chain_tells_which_symmetry_is_kept():
    G = iw.SO(2)
    rep = G.irreps("2x0 + 1 + 2 + 3 + 7")
    chain = subgroup_chain(rep, rep, [G, iw.Cyclic(8), iw.Cyclic(4), iw.Cyclic(2)])
    for kept in range(4):
        W = chain[kept].project(normal(rep.dim, rep.dim))
        relative = chain_split(W, chain).relative_residuals
        assert [r < 1e-10 for r in relative] == [i >= kept for i in range(4)]


def test_chain_of_one_group_and_zero_weights():
    rep = iw.Cyclic(4).regular()
    (P,) = subgroup_chain(rep, None, [iw.Cyclic(4)])
    split = chain_split(torch.zeros(4), [P])
    assert split.squared_norms == (0, 0)
    assert (split.shares, split.relative_residuals) == ((0, 0), (0,))
    assert split.names == ("C4", "not C4")


def test_ranks_without_equivariant_maps_do_not_warn():
    rep = iw.SO(2).irreps("1")
    assert [P.rank for P in subgroup_chain(rep, None, [iw.SO(2), iw.Trivial()])] == [0, 2]


def test_chains_that_do_not_nest_are_refused():
    G = iw.SO(2)
    rep = G.irreps("2x0 + 1 + 2")
    chain = subgroup_chain(rep, rep, [G, iw.Cyclic(4), iw.Cyclic(2)])
    with pytest.raises(ArgumentError, match=r"projectors: expected nested projectors.*C2 and C4"):
        chain_split(normal(6, 6), [chain[0], chain[2], chain[1]])
    other = iw.projector(
        iw.Cyclic(3).regular() + 3 * iw.Cyclic(3).trivial(), iw.Cyclic(3).regular() + 3 * iw.Cyclic(3).trivial()
    )
    with pytest.raises(ArgumentError, match="subgroup_chain"):
        chain_split(normal(6, 6), [chain[1], other])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda rep: chain_split(torch.ones(4), []), ArgumentError, "projectors: expected at least one"),
        (lambda rep: chain_split(torch.ones(4), iw.projector(rep)), ArgumentError, "projectors: expected at least one"),
        (
            lambda rep: chain_split(torch.ones(4), [iw.projector(rep), iw.projector(rep, rep)]),
            ShapeError,
            "of one shape",
        ),
        (lambda rep: subgroup_chain(rep, None, []), ArgumentError, "groups: expected groups"),
        (lambda rep: subgroup_chain(rep, None, [iw.SO(2)]), ArgumentError, "a chain that starts at C4"),
        (lambda rep: subgroup_chain(rep, None, [iw.Cyclic(4), iw.Cyclic(3)]), GroupMismatchError, "a subgroup of C4"),
        (lambda rep: subgroup_chain("regular", None, [iw.Cyclic(4)]), ArgumentError, "rep_in"),
    ],
)
def test_bad_chains_are_named(call, error, message):
    with pytest.raises(error, match=message):
        call(iw.Cyclic(4).regular())


def policy_heads():
    """Readings of a 722 x 362 weight: two planes of a 19 x 19 board, to its points and the pass."""
    G = iw.Dihedral(4)
    board = G.grid(19, 19)
    images = board.segments[0].field.generator_permutations()[0]
    planes, points = np.concatenate([images, images + 361], 1), np.pad(images, ((0, 0), (0, 1)), constant_values=361)
    signs = np.ones((2, 722))
    signs[1, 361:] = -1
    yield "planes by board", (2 * G.trivial()).tensor(board), board + G.trivial()
    yield "permutations", G.permutation(planes), G.permutation(points)
    yield "signed permutations", G.permutation(planes, signs=signs), board + G.trivial()
    yield "vectors on a board", G.standard().tensor(board), board + G.trivial()
    yield "regular", 90 * G.regular() + 2 * G.trivial(), 45 * G.regular() + 2 * G.trivial()


HEADS = list(policy_heads())


@pytest.mark.parametrize(("rep_in", "rep_out"), [head[1:] for head in HEADS], ids=[head[0] for head in HEADS])
def test_large_permutations_are_decomposed_orbit_by_orbit(rep_in, rep_out, monkeypatch):
    """Work per kind of orbit: no field above the group's order is decomposed, and none of them twice."""
    seen = []
    average = isometries._by_average

    def counted(field, irrep):
        seen.append((field, irrep.label))
        return average(field, irrep)

    monkeypatch.setattr(isometries, "_by_average", counted)
    decomposition.field_decomposition.cache_clear()
    splits._cut_by_irreps.cache_clear()
    layer = torch.nn.Linear(rep_in.dim, rep_out.dim)
    binding = iw.bind(layer, {"": (rep_in, rep_out)})
    worst = iw.report(binding).parameters[0].worst
    assert len(worst) == 3
    bases = [basis for rep in (rep_in, rep_out) for _, basis in splits._cut_by_irreps(rep).blocks if basis is not None]
    assert max(len(basis) for basis in bases) <= 16  # two components on an orbit of eight
    iw.decompose(rep_in)
    iw.report(binding)
    assert len(seen) == len(set(seen)) <= 60
    assert max(field.dim for field, _ in seen) <= 16


def test_a_large_permutation_is_decomposed_as_its_orbits_are():
    G = iw.Dihedral(4)
    rep = G.standard().tensor(G.grid(9, 9)) + 2 * G.grid(5, 5)
    found = iw.decompose(rep)
    eye = torch.eye(rep.dim, dtype=torch.float64)
    torch.testing.assert_close(found.basis.T @ found.basis, eye, rtol=0, atol=1e-12)
    for g in G.generators:
        turned = found.basis @ found.rep_irreps.matrix(g) @ found.basis.T
        torch.testing.assert_close(turned, rep.matrix(g), rtol=0, atol=1e-12)
    characters = {label: int(mul) for label, mul in found.multiplicities.items()}
    for label, mul in characters.items():
        irrep, elements = G.irrep(label), G.elements()
        assert mul == round(float((rep.character(elements) * irrep.character(elements)).mean()))


def test_splits_at_extreme_scales():
    rep = iw.SO(3).irreps("3x0 + 2x1 + 2")
    P = iw.projector(rep, rep)
    W = normal(rep.dim, rep.dim)
    expected = [entry.relative_residual for entry in residual_by_irreps(P, W).entries]
    for scale in (1e-150, 1e150):
        found = [entry.relative_residual for entry in residual_by_irreps(P, W * scale).entries]
        assert found == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("split", [residual_by_irreps, residual_by_fields])
def test_copies_may_lie_innermost(split):
    """The split does not depend on how copies lie in memory."""
    G = iw.Dihedral(4)
    field = G.grid(3, 3).segments[0].field
    outer, inner = (
        Representation(G, (Segment(3, field, layout), Segment(2, G.irrep(1).segments[0].field)))
        for layout in ("mul_ir", "ir_mul")
    )
    order = np.concatenate([np.arange(27).reshape(3, 9).T.reshape(-1), np.arange(27, 31)])
    W = normal(31, 31)
    first = split(iw.projector(outer, outer), W)
    second = split(iw.projector(inner, inner), W[order][:, order])
    for entry in first.entries:
        assert second[entry.irreps] == pytest.approx(entry.squared_residual, rel=1e-10)
