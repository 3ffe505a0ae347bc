"""A field in another orthonormal basis."""

import numpy as np
import pytest
import torch

import intertwine as iw
from intertwine.representations.changed_basis import ChangedBasisField, changed_basis, irreps_field, matching_basis


def orthogonal(dim, seed=0):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(dim, dim)))[0]


def field(rep):
    return rep.as_field()


CASES = [
    iw.SO(3).irrep(2),
    iw.O(3).irreps("1o + 2x0e"),
    iw.O(2).irreps("0- + 2"),
    iw.Dihedral(4).regular(),
    iw.Cyclic(5).irrep(1),
]


@pytest.mark.parametrize("rep", CASES, ids=str)
def test_matrices_turn(rep):
    Q = orthogonal(rep.dim)
    turned = iw.Representation.of(changed_basis(field(rep), Q, "turned"))
    iw.testing.assert_representation(turned)
    g = rep.group.sample(4, generator=torch.Generator().manual_seed(0))
    expected = torch.from_numpy(Q) @ rep.matrix(g) @ torch.from_numpy(Q.T)
    torch.testing.assert_close(turned.matrix(g), expected, rtol=0, atol=1e-12)
    assert str(turned) == "turned"


@pytest.mark.parametrize("rep", CASES, ids=str)
def test_projector_turns(rep):
    # P' W = Q P(Q^T W): the change of basis is an isometry, so it carries one projector into the other.
    Q = torch.from_numpy(orthogonal(rep.dim, 1))
    turned = iw.Representation.of(changed_basis(field(rep), Q.numpy(), "turned"))
    P, other = iw.projector(rep, rep), iw.projector(rep, turned)
    assert P.rank == other.rank
    W = torch.randn(rep.dim, rep.dim, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(other.project(W), Q @ P.project(Q.T @ W), rtol=0, atol=1e-10)


def test_values():
    rho, Q = field(iw.SO(3).irrep(2)), orthogonal(5)
    assert changed_basis(rho, Q, "a") == changed_basis(rho, Q.copy(), "a")
    assert hash(changed_basis(rho, Q, "a")) == hash(changed_basis(rho, Q.copy(), "a"))
    assert changed_basis(rho, Q, "a") != changed_basis(rho, orthogonal(5, 1), "a")


def test_a_basis_change_that_commutes_changes_nothing():
    rho = field(iw.SO(2).irrep(2))
    assert changed_basis(rho, -np.eye(2), "minus") is rho
    assert changed_basis(rho, rho.matrices(iw.SO(2).sample(1).numpy())[0], "turned") is rho


def test_a_basis_in_which_it_permutes_is_noticed():
    G = iw.Cyclic(2)
    turned = changed_basis(field(G.irreps("0 + 1")), np.array([[1.0, 1.0], [1.0, -1.0]]) / np.sqrt(2), "swap")
    images, signs = turned.generator_permutations()
    assert images.tolist() == [[1, 0]]
    assert (signs == 1).all()


def test_refusals():
    rho = field(iw.SO(3).irrep(1))
    with pytest.raises(iw.errors.ShapeError, match=r"Q: expected shape \(3, 3\), as 1 has; got shape \(2, 2\)"):
        changed_basis(rho, np.eye(2), "x")
    with pytest.raises(iw.errors.NotOrthogonalError, match=r"Q: expected an orthogonal matrix; got \|Q\^T Q - 1\| = 3"):
        changed_basis(rho, 2 * np.eye(3), "x")


def test_like_neighbours_are_counted():
    one, two = field(iw.SO(3).irrep(1)), field(iw.SO(3).irrep(2))
    assert irreps_field((one,)) is one
    assert irreps_field((one, one, two)).name == "(2x1 + 2)"


@pytest.mark.parametrize(("group", "label"), [(iw.SO(3), 3), (iw.O(3), "2o"), (iw.O(2), 2), (iw.SO(2), 3)])
def test_the_basis_is_found_again(group, label):
    rho = field(group.irrep(label))
    Q = orthogonal(rho.dim)
    elements = group.sample(5, generator=torch.Generator().manual_seed(0)).numpy()
    ours = rho.matrices(elements)
    theirs = Q @ ours @ Q.T
    found = matching_basis(ours, theirs, "irrep")
    np.testing.assert_allclose(found @ found.T, np.eye(rho.dim), atol=1e-12)
    np.testing.assert_allclose(found @ ours @ found.T, theirs, atol=1e-10)
    # One more element, which had no say in finding it.
    other = group.sample(1, generator=torch.Generator().manual_seed(9)).numpy()
    turned = changed_basis(rho, found, "x")
    assert isinstance(turned, ChangedBasisField)
    np.testing.assert_allclose(turned.matrices(other), Q @ rho.matrices(other) @ Q.T, atol=1e-10)


def test_no_basis_is_an_error():
    elements = iw.SO(3).sample(3, generator=torch.Generator().manual_seed(0)).numpy()
    ours = field(iw.SO(3).irrep(1)).matrices(elements)
    message = r"irrep 1: expected a change of basis to our irrep of dimension 3, to 1e-09; got none"
    with pytest.raises(iw.errors.NotARepresentationError, match=message):
        matching_basis(ours, np.swapaxes(ours, -1, -2), "irrep 1")
    with pytest.raises(iw.errors.NotARepresentationError, match=message):
        matching_basis(ours, np.ones((3, 2, 2)), "irrep 1")
