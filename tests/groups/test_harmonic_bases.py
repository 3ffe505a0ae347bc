"""Irreps of SO(3) and O(3) in the bases of other packages: laws of the named bases, and what typing sees of them."""

import itertools

import numpy as np
import pytest
import torch

import intertwine as iw

BASES = ("e3nn", "z-axis", "e3x")
CYCLE = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]], dtype=torch.float64)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def weight(*shape, seed=0):
    return torch.randn(*shape, dtype=torch.float64, generator=generator(seed))


@pytest.mark.parametrize("basis", BASES)
@pytest.mark.parametrize("layout", ["mul_ir", "ir_mul"])
@pytest.mark.parametrize(
    ("group", "text"), [(iw.SO(3), "3x0 + 2x1 + 2x2 + 4 + 2x3"), (iw.O(3), "2x0e + 0o + 3x1o + 1e + 2x2e + 2x3e")]
)
def test_every_basis_and_layout_is_a_representation(group, text, basis, layout):
    rep = group.irreps(text, basis=basis, layout=layout)
    iw.testing.assert_representation(rep, generator=generator())
    x = weight(5, rep.dim)
    for g in group.sample(3, generator=generator(1)):
        torch.testing.assert_close(rep.act(g, x), x @ rep.matrix(g).T, rtol=0, atol=1e-12)
    split = iw.decompose(rep)
    assert split.multiplicities == iw.decompose(group.irreps(text)).multiplicities
    g = group.sample(1, generator=generator(2))[0]
    rebuilt = split.basis @ split.rep_irreps.matrix(g) @ split.basis.T
    torch.testing.assert_close(rebuilt, rep.matrix(g), rtol=0, atol=1e-12)


def test_the_z_axis_order_is_the_turn_of_ours():
    for l in range(9):
        Q = iw.SO(3).irrep(l).matrix(CYCLE)
        for g in iw.SO(3).sample(3, generator=generator(l)):
            turned = iw.SO(3).irrep(l, basis="z-axis").matrix(g)
            torch.testing.assert_close(turned, Q @ iw.SO(3).irrep(l).matrix(g) @ Q.T, rtol=0, atol=1e-11)
    # Degree 1 is (y, z, x), and turns about z mix the components +m and -m alone.
    g = iw.SO(3).sample(1, generator=generator())[0]
    assert torch.equal(iw.SO(3).irrep(1, basis="z-axis").matrix(g), CYCLE @ g @ CYCLE.T)
    c, s = np.cos(0.3), np.sin(0.3)
    turn = iw.SO(3).irrep(3, basis="z-axis").matrix([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    pattern = torch.eye(7) + torch.eye(7).flip(0) > 0
    assert turn[~pattern].abs().max() < 1e-12
    torch.testing.assert_close(turn.diagonal(), torch.cos(0.3 * torch.arange(-3, 4, dtype=torch.float64)))


def test_e3x_pairs_the_orders_and_ends_with_zero():
    c, s = np.cos(0.3), np.sin(0.3)
    turn = iw.SO(3).irrep(2, basis="e3x").matrix([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    expected = torch.block_diag(
        *(torch.tensor([[np.cos(m * 0.3), -np.sin(m * 0.3)], [np.sin(m * 0.3), np.cos(m * 0.3)]]) for m in (2, 1)),
        torch.ones(1, 1, dtype=torch.float64),
    )
    torch.testing.assert_close(turn, expected, rtol=0, atol=1e-12)
    # x, y, z at degree 1: the very irrep of e3nn, and the same value.
    assert iw.SO(3).irrep(1, basis="e3x") == iw.SO(3).irrep(1)
    assert iw.O(3).irreps("3x0o + 1e", basis="e3x") == iw.O(3).irreps("3x0o + 1e")


@pytest.mark.parametrize(("first", "second"), list(itertools.product(BASES, BASES)))
def test_linear_maps_between_any_two_bases(first, second):
    rep_in = iw.SO(3).irreps("4x0 + 3x1 + 2x2", basis=first)
    rep_out = iw.SO(3).irreps("2x2 + 1 + 3x0", basis=second, layout="ir_mul")
    P = iw.projector(rep_in, rep_out)
    reference = iw.projector(rep_in, rep_out, method="nullspace")
    W = weight(*P.shape)
    assert P.rank == reference.rank == 4 * 3 + 3 * 1 + 2 * 2
    torch.testing.assert_close(P.project(W), reference.project(W), rtol=0, atol=1e-12)
    assert P.method == ("schur" if first == second else "block")


@pytest.mark.parametrize("basis", BASES)
def test_a_shared_basis_is_invisible_to_linear_maps_and_invariants(basis):
    text = "4x0 + 3x1 + 2x2"
    foreign, ours = iw.SO(3).irreps(text, basis=basis), iw.SO(3).irreps(text)
    W = weight(ours.dim, ours.dim)
    torch.testing.assert_close(iw.projector(foreign, foreign).project(W), iw.projector(ours, ours).project(W))
    torch.testing.assert_close(iw.projector(foreign).project(W[0]), iw.projector(ours).project(W[0]))
    shares = [iw.residual_by_irreps(iw.projector(rep, rep), W) for rep in (foreign, ours)]
    for pair in itertools.product("012", "012"):
        assert shares[0][pair] == pytest.approx(shares[1][pair], abs=1e-9)


def coupling(bases):
    """The coupling of two vectors to degree 2, weight (5, 9), each axis in the basis of that name."""
    out, first, second = (iw.SO(3).irrep(l, basis=b) for l, b in zip((2, 1, 1), bases, strict=True))
    P = iw.projector(first.tensor(second), out)
    assert P.rank == 1
    return P.basis()[0]


@pytest.mark.parametrize(
    ("bases", "typed_as_ours"),
    [
        (("e3nn", "e3nn", "e3nn"), 0.0),
        (("z-axis", "z-axis", "z-axis"), 0.0),  # a rotation of ours on all axes: nothing to say
        (("z-axis", "e3nn", "e3nn"), 0.9798),  # positions (x, y, z) meet foreign harmonics
        (("e3x", "e3x", "e3x"), 0.8185),  # no rotation gives this order
    ],
)
def test_couplings_see_the_basis_only_where_axes_do_not_share_a_rotation_of_ours(bases, typed_as_ours):
    W = coupling(bases)
    assert float(iw.projector(*_pair(bases)).relative_residual(W)) < 1e-12
    assert float(iw.projector(*_pair(("e3nn",) * 3)).relative_residual(W)) == pytest.approx(typed_as_ours, abs=1e-3)


def _pair(bases):
    out, first, second = (iw.SO(3).irrep(l, basis=b) for l, b in zip((2, 1, 1), bases, strict=True))
    return first.tensor(second), out


def test_a_foreign_irrep_is_judged_as_the_irrep_it_is():
    rep = iw.SO(3).irreps("3x2", basis="e3x")
    assert iw.diagonal_projector(rep).rank == iw.diagonal_projector(iw.SO(3).irreps("3x2")).rank == 3
    layer = torch.nn.Linear(rep.dim, rep.dim, bias=False)
    binding = iw.bind(torch.nn.Sequential(layer), {"0": (rep, rep)})
    binding.project_()
    g = iw.SO(3).sample(1, generator=generator())[0]
    x = torch.randn(4, rep.dim, generator=generator(1))
    torch.testing.assert_close(layer(rep.act(g, x)), rep.act(g, layer(x)), rtol=0, atol=1e-5)


@pytest.mark.parametrize("basis", ["E3NN", "z", "", 3, ["e3x"], {}])
def test_unknown_bases_are_refused(basis):
    with pytest.raises(iw.errors.ArgumentError, match=r"basis: expected 'e3nn' or 'z-axis' or 'e3x'; got"):
        iw.SO(3).irreps("2", basis=basis)
    with pytest.raises(iw.errors.ArgumentError, match=r"basis: expected 'e3nn' or 'z-axis' or 'e3x'; got"):
        iw.O(3).irrep("2e", basis=basis)


def test_other_groups_have_one_basis_and_layouts_are_named():
    with pytest.raises(iw.errors.ArgumentError, match=r"basis: expected None, as irreps of D4 have one basis; got"):
        iw.Dihedral(4).irreps("1", basis="e3x")
    with pytest.raises(iw.errors.ArgumentError, match=r"layout: expected 'mul_ir' or 'ir_mul'; got 'mulir'"):
        iw.SO(2).irreps("4x1", layout="mulir")
