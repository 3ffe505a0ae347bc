"""FiniteGroup: what generators may be, what is refused, and the numerical irreps."""

import numpy as np
import pytest
import torch

import intertwine as iw
from tests.groups.registry import I_UNIT, J_UNIT, dicyclic, turn


def test_lists_tensors_and_arrays_are_the_same_group():
    as_tensor = iw.FiniteGroup(torch.tensor([I_UNIT, J_UNIT]))
    assert (
        as_tensor
        == iw.FiniteGroup([I_UNIT, J_UNIT])
        == iw.FiniteGroup(np.array([I_UNIT, J_UNIT], dtype=float), name="Q")
    )
    assert hash(as_tensor) == hash(iw.FiniteGroup([I_UNIT, J_UNIT]))


@pytest.mark.parametrize("n", [3, 7, 40])
def test_rounded_generators_are_refined(n):
    group = iw.FiniteGroup(torch.from_numpy(turn(2 * np.pi / n)).float()[None])
    assert group.order == n
    elements = group.element_matrices()
    np.testing.assert_allclose(np.linalg.matrix_power(group.generator_matrices()[0], n), np.eye(2), atol=1e-12)
    np.testing.assert_allclose(
        np.swapaxes(elements, 1, 2) @ elements, np.broadcast_to(np.eye(2), elements.shape), atol=1e-14
    )


def test_rounded_generators_of_a_nonabelian_group_are_refined():
    change = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    rounded = (change @ iw.Icosahedral().generator_matrices() @ change.T).astype(np.float32)
    group = iw.FiniteGroup(rounded)
    assert group.order == 60
    assert [group.irrep_dim(label) for label in group.irrep_labels(5)] == [1, 3, 3, 4, 5]
    elements = group.element_matrices()
    products = elements[:, None] @ elements
    nearest = elements[group.element_indices(products.reshape(-1, 3, 3))]
    np.testing.assert_allclose(products.reshape(-1, 3, 3), nearest, atol=1e-13)


def test_numerical_irreps_are_those_of_the_named_family():
    named = iw.Octahedral()
    numerical = iw.FiniteGroup(named.generator_matrices())
    elements = numerical.element_matrices()
    ours = {
        tuple(np.round(np.trace(numerical.irrep_matrices(label, elements), axis1=1, axis2=2), 6) + 0.0)
        for label in numerical.irrep_labels(9)
    }
    theirs = {
        tuple(np.round(np.trace(named.irrep_matrices(label, elements), axis1=1, axis2=2), 6) + 0.0)
        for label in named.irrep_labels(9)
    }
    assert ours == theirs


@pytest.mark.parametrize("n", [2, 3, 5, 8])
def test_dicyclic_groups_have_quaternionic_irreps(n):
    group = dicyclic(n)
    assert group.order == 4 * n
    labels = group.irrep_labels(4)
    assert sum(group.irrep_dim(label) ** 2 // group.commutant_dim(label) for label in labels) == 4 * n
    assert 4 in [group.commutant_dim(label) for label in labels]


def test_large_groups_have_no_irreps_but_restrict():
    group = iw.FiniteGroup([turn(2 * np.pi / 600)])
    with pytest.raises(iw.errors.SizeLimitError, match="at most 512 elements for its irreps; got 600"):
        group.irrep_labels(2)
    assert group.trivial().dim == 1
    assert iw.SO(2).irrep(1).restrict(group).dim == 2


REFUSED = [
    ([turn(1.0)], iw.errors.SizeLimitError, "at most 20000 elements; got more .* MatrixGroup"),
    (
        [[[1, 1], [0, -1]]],
        iw.errors.NotOrthogonalError,
        r"In the basis where the group is orthogonal they are: \[\[\[ 0.894",
    ),
    ([[[1, 1], [0, 1]]], iw.errors.NotOrthogonalError, "generate no finite group"),
    ([[[0.0, 0.0], [0.0, 0.0]]], iw.errors.NotOrthogonalError, "singular"),
    ([[[float("nan"), 0], [0, 1]]], iw.errors.NonFiniteError, "got NaN or infinity"),
    ([[[1, 0, 0], [0, 1, 0]]], iw.errors.ShapeError, r"got shape \(1, 2, 3\)"),
    ("C4", iw.errors.ArgumentError, "or permutations, .* got str"),
    (None, iw.errors.ArgumentError, "got NoneType"),
    ([[1, 2, 2]], iw.errors.ArgumentError, r"expected permutations .* got \[1, 2, 2\]"),
    ([[1, 0], [0, 1, 2]], iw.errors.ShapeError, "different shapes"),
    ([[[1j]]], iw.errors.ArgumentError, "complex numbers"),
    ([], iw.errors.ShapeError, "Wrap a single matrix in a list"),
]


@pytest.mark.parametrize(("generators", "error", "text"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused(generators, error, text):
    with pytest.raises(error, match=text):
        iw.FiniteGroup(generators)
