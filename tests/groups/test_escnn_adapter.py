"""escnn's representations as ours, on stand-ins: escnn itself is not installed where the tests run.

The stand-ins (escnn_stand_in.py) replay what a real escnn 1.0.11 answered; tests/data/record_escnn.py made the record
and says with which versions.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch

import intertwine as iw
from intertwine.groups.adapters.notation import as_representation
from tests.groups.escnn_stand_in import StandInGroup, StandInRepresentation, names, replay

KLEIN = iw.Cyclic(2) * iw.Cyclic(2)


@pytest.mark.parametrize("name", names())
def test_matrices_are_escnns(name):
    case = replay(name)
    rep = as_representation(case.value)
    assert rep.dim == case.value.size
    torch.testing.assert_close(rep.matrix(case.ours), torch.from_numpy(case.theirs), rtol=0, atol=1e-9)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("C4 regular", iw.Cyclic(4).regular()),
        ("C4 field type", 2 * iw.Cyclic(4).regular() + iw.Cyclic(4).irreps("0 + 1")),
        ("D4 irreps", iw.Dihedral(4).irreps("0+ + 0- + 1 + 2- + 2+")),
        ("SO(2) irreps", iw.SO(2).irreps("0 + 2x2 + 1")),
        ("O(2) irreps", iw.O(2).irreps("0+ + 0- + 1 + 2 + 3")),
        ("SO(3) standard", iw.SO(3).standard()),
        ("O(3) standard", iw.O(3).standard()),
        ("Octahedral standard", iw.Octahedral().standard()),
        ("Klein4 field type", KLEIN.regular() + KLEIN.irreps("0*0 + 0*0 + 0*1 + 1*0 + 1*1")),
        ("C3 X D3 regular", (iw.Cyclic(3) * iw.Dihedral(3)).regular()),
    ],
)
def test_equal_matrices_are_equal_values(name, expected):
    assert as_representation(replay(name).value) == expected


@pytest.mark.parametrize("name", names())
def test_escnns_own_linear_layer_is_a_fixed_point(name):
    case = replay(name)
    P = iw.projector(case.value, case.value)
    assert P.rank == case.parameters
    W = torch.from_numpy(case.weight).double()
    # escnn expands its weights in float32.
    torch.testing.assert_close(P.project(W), W, rtol=0, atol=1e-5 * float(W.norm()))
    assert W.norm() > 0.1


def test_a_mirror_acts_as_on_the_base_space():
    # escnn's flipRot2dOnR2 mirrors at the y axis, our D4 at the x axis: elements are matched by what they do to (x, y).
    case = replay("D4 field type, mirror axis y")
    rep = as_representation(case.value)
    assert rep.group == iw.Dihedral(4)
    assert not np.allclose(
        case.value.representations[0](case.value.fibergroup.generators[1]), rep.matrix(rep.group.generators[1])[:8, :8]
    )


def test_a_mirror_that_escnn_calls_c2_becomes_the_group_of_that_mirror():
    rep = as_representation(replay("mirror field type").value)
    assert rep.group.order == 2
    assert rep.group.generators[0].tolist() == [[-1.0, 0.0], [0.0, 1.0]]


def test_irreps_in_another_basis_keep_their_equivariant_maps():
    theirs, ours = as_representation(replay("SO(3) irreps").value), iw.SO(3).irreps("0 + 2x1 + 2 + 3")
    P = iw.projector(theirs, ours)
    assert P.rank == iw.projector(ours, ours).rank == 1 + 2 * 2 + 1 + 1
    W = P.project(torch.randn(ours.dim, theirs.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    for g in ours.group.sample(3, generator=torch.Generator().manual_seed(1)):
        torch.testing.assert_close(ours.matrix(g) @ W, W @ theirs.matrix(g), rtol=0, atol=1e-10)


def test_weights_between_field_types():
    case = replay("D4 field type, mirror axis y")
    P = iw.projector(case.value, case.value)
    W = P.project(torch.randn(*P.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    for matrix in torch.from_numpy(case.theirs):
        torch.testing.assert_close(matrix @ W, W @ matrix, rtol=0, atol=1e-10)


@pytest.mark.parametrize(
    ("name", "group", "rank"),
    [
        ("Klein4 field type", KLEIN, 3**2 + 3 * 2**2),
        ("C3 X C3 irreps", iw.Cyclic(3) * iw.Cyclic(3), 1 + 4 * 2),
        ("C3 X D3 regular", iw.Cyclic(3) * iw.Dihedral(3), 18),
        ("(C2 X C3) X C2 irreps", (iw.Cyclic(2) * iw.Cyclic(3)) * iw.Cyclic(2), 4 + 4 * 2),
    ],
)
def test_direct_products_without_a_base_space(name, group, rank):
    case = replay(name)
    rep = as_representation(case.value)
    assert rep.group == group
    P = iw.projector(rep, rep)
    assert P.rank == case.parameters == rank
    W = P.project(torch.randn(*P.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0)))
    for matrix in torch.from_numpy(case.theirs):
        torch.testing.assert_close(matrix @ W, W @ matrix, rtol=0, atol=1e-10)
    iw.testing.assert_representation(rep, generator=torch.Generator().manual_seed(1))


def test_an_unknown_group_is_refused():
    group = StandInGroup(
        {"group": "Klein4", "continuous": False, "asked": [None], "int": None, "MAT": None, "generators": []}
    )
    rep = StandInRepresentation("trivial", group, 1, [(0,)], np.eye(1), np.ones((1, 1, 1)))
    with pytest.raises(
        iw.errors.ArgumentError,
        match=r"rep_in: expected an escnn representation of C_n, D_n.*got one of the group Klein4.*G\.representation",
    ):
        as_representation(rep, "rep_in")
    group.continuous, group.name = True, "SU(2)"
    with pytest.raises(iw.errors.ArgumentError, match=r"got one of the group SU\(2\)"):
        as_representation(rep)


def test_a_slanted_basis_is_refused():
    rep = replace(replay("C4 regular").value, change_of_basis=np.array([[1.0, 1.0], [0.0, 1.0]]))
    with pytest.raises(
        iw.errors.NotOrthogonalError, match=r"expected an orthogonal change of basis; got .* in regular.*orthonormal"
    ):
        as_representation(rep)


def test_matrices_that_contradict_the_irreps_are_refused():
    rep = replay("SO(3) regular to degree 1").value
    broken = replace(rep, matrices=rep.matrices[:, ::-1, ::-1])
    with pytest.raises(iw.errors.NotARepresentationError, match=r"off by .*G\.representation\(\.\.\.\)"):
        as_representation(broken)
    rep.group.irrep(1).matrices = rep.group.irrep(1).matrices + 1e-6 * np.arange(9).reshape(3, 3)
    with pytest.raises((iw.errors.NotARepresentationError, iw.errors.SeparationError)):
        as_representation(rep)
