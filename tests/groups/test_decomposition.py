"""decompose: rho(g) = Q rho_irreps(g) Q^T with Q orthogonal."""

from dataclasses import replace

import pytest
import torch

import intertwine as iw
from intertwine.representations import Representation
from intertwine.representations.decomposition import decompose
from tests.groups.registry import LIE, QUATERNION, SMALL


def assert_decomposed(rep):
    split = decompose(rep)
    basis = split.basis
    g = rep.group.sample(6, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(basis.T @ basis, torch.eye(rep.dim, dtype=torch.float64), atol=1e-10, rtol=0)
    torch.testing.assert_close(basis @ split.rep_irreps.matrix(g) @ basis.T, rep.matrix(g), atol=1e-10, rtol=0)
    assert all(segment.field.irrep is not None for segment in split.rep_irreps.segments)
    return split


@pytest.mark.parametrize("name", SMALL)
def test_regular_representations_contain_each_irrep_dim_over_type_times(name):
    group = SMALL[name]
    split = assert_decomposed(group.regular())
    labels = group.irrep_labels(group.order)
    assert split.multiplicities == {label: group.irrep_dim(label) // group.commutant_dim(label) for label in labels}


@pytest.mark.parametrize("name", LIE)
def test_tensor_squares(name):
    group = LIE[name]
    assert_decomposed(group.standard().tensor(group.standard()))


def test_clebsch_gordan_series():
    group = iw.SO(3)
    split = assert_decomposed(group.irrep(3).tensor(group.irrep(2)))
    assert str(split.rep_irreps) == "1 + 2 + 3 + 4 + 5"
    parity = assert_decomposed(iw.O(3).irrep("1o").tensor(iw.O(3).irrep("2o")))
    assert str(parity.rep_irreps) == "1e + 2e + 3e"


def test_multiplicities_and_order_are_kept():
    group = iw.Dihedral(4)
    split = assert_decomposed(3 * group.regular() + 2 * group.standard() + 5 * group.trivial())
    assert split.multiplicities == {"0+": 8, "0-": 3, "1": 8, "2+": 3, "2-": 3}
    assert str(split.rep_irreps).endswith("2x1 + 5x0+")
    assert repr(split).startswith("Decomposition(D4: 3xregular + 2x1 + 5x0+ = ")


def test_named_irreps_keep_the_identity_basis():
    rep = iw.SO(3).irreps("2x0 + 3x1")
    split = decompose(rep)
    assert split.rep_irreps == rep
    assert split.basis.equal(torch.eye(rep.dim, dtype=torch.float64))


def test_ir_mul_layout():
    for base in (3 * iw.Octahedral().quotient(iw.Cyclic(4), axis="z"), iw.SO(3).irreps("4x1")):
        rep = Representation(base.group, tuple(replace(segment, layout="ir_mul") for segment in base.segments))
        assert rep != base
        split = assert_decomposed(rep)
        assert split.multiplicities == decompose(base).multiplicities


@pytest.mark.parametrize(
    ("rep", "subgroup", "axis", "text"),
    [
        (iw.SO(3).irrep(2), iw.Octahedral(), None, "E + T2"),
        (iw.SO(3).irrep(3), iw.Octahedral(), None, "A2 + T1 + T2"),
        (iw.SO(3).irrep(3), iw.Icosahedral(), None, "T2 + G"),
        (iw.O(3).irrep("2e"), iw.SO(2), "y", "0 + 1 + 2"),
        (iw.O(3).irrep("1o"), iw.O(2), "z", "0+ + 1"),
        (iw.SO(3).irrep(1), iw.O(2), "z", "0- + 1"),
        (iw.SO(2).irrep(100), iw.Cyclic(8), None, "2x4"),
        (iw.O(2).irrep(4), iw.Dihedral(4), None, "0+ + 0-"),
    ],
    ids=str,
)
def test_branching(rep, subgroup, axis, text):
    split = assert_decomposed(rep.restrict(subgroup, axis=axis))
    assert str(split.rep_irreps) == text


def test_high_frequencies_are_found():
    rep = iw.SO(2).irrep(40).tensor(iw.SO(2).irrep(7))
    assert decompose(rep).multiplicities == {"33": 1, "47": 1}


def test_quaternionic_copies():
    split = assert_decomposed(QUATERNION.defining().tensor(3 * QUATERNION.irrep(1)))
    assert split.multiplicities == {"4": 3}


def test_signed_permutations_and_given_images():
    group = iw.Cyclic(8)
    assert assert_decomposed(group.permutation([[1, 2, 3, 0]], signs=[[1, 1, 1, -1]])).multiplicities == {
        "1": 1,
        "3": 1,
    }
    images = iw.O(2).irreps("0- + 2").as_field()
    change = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64))[
        0
    ].numpy()
    turned = iw.O(2).representation(change @ images.generator_images() @ change.T, change @ images.algebra() @ change.T)
    assert assert_decomposed(turned).multiplicities == {"0-": 1, "2": 1}


def test_what_is_refused():
    with pytest.raises(iw.errors.ArgumentError, match="rep: expected a Representation; got 'x'"):
        decompose("x")
    lorentz = iw.MatrixGroup.lorentz()
    with pytest.raises(iw.errors.ArgumentError, match="a compact group"):
        decompose(lorentz.standard())
    with pytest.raises(iw.errors.DtypeError, match="a real representation; got complex"):
        decompose(iw.Cyclic(4).representation([[[1j]]]))
    with pytest.raises(iw.errors.SizeLimitError, match="at most 2000 dimensions"):
        decompose(iw.Cyclic(4).grid(50, 50))
    compact = iw.MatrixGroup(iw.SO(3).lie_algebra, compact=True)
    with pytest.raises(iw.errors.SeparationError, match="3 dimensions short"):
        decompose(compact.standard())
