"""Laws of every group: axioms, order, membership, words, values."""

import pickle

import numpy as np
import pytest
import torch

import intertwine as iw
from tests.groups.registry import COMPACT, FINITE


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def assert_group_table(elements, index):
    """The elements are distinct, closed under products and inverses, and start with the identity."""
    n = len(elements)
    np.testing.assert_allclose(elements[0], np.eye(elements.shape[-1]), atol=1e-12)
    rows = range(n) if n <= 30 else np.random.default_rng(0).choice(n, 30, replace=False)
    for i in rows:
        assert sorted(index(elements[i] @ elements).tolist()) == list(range(n))
    inverses = index(np.swapaxes(elements, 1, 2))
    assert sorted(inverses.tolist()) == list(range(n))


@pytest.mark.parametrize("name", FINITE)
def test_finite_groups_are_closed_and_have_their_order(name):
    group, order = FINITE[name]
    assert group.order == order == len(group.elements())
    assert_group_table(group.element_matrices(), group.element_indices)


def test_the_group_law_fails_on_a_set_that_is_no_group():
    group = iw.Cyclic(6)
    with pytest.raises((AssertionError, iw.errors.GroupMismatchError)):
        assert_group_table(group.element_matrices()[:5], group.element_indices)


@pytest.mark.parametrize("name", FINITE)
def test_words_multiply_to_the_elements(name):
    group, _ = FINITE[name]
    elements, generators = group.element_matrices(), group.generator_matrices()
    parents, letters = group.word_tree()
    assert parents[0] == letters[0] == -1
    assert (parents[1:] < np.arange(1, len(parents))).all()
    for i in range(1, len(parents)):
        np.testing.assert_allclose(elements[i], generators[letters[i]] @ elements[parents[i]], atol=1e-9)
    assert group.element_indices(elements).tolist() == list(range(group.order))


@pytest.mark.parametrize("name", COMPACT)
def test_elements_are_orthogonal_members(name):
    group = COMPACT[name]
    elements = group.sample(20, generator=generator())
    assert elements.shape == (20, group.matrix_dim, group.matrix_dim)
    assert elements.dtype == torch.float64
    torch.testing.assert_close(
        elements.mT @ elements, torch.eye(group.matrix_dim).double().expand_as(elements), atol=1e-12, rtol=0
    )
    assert group.membership(elements.numpy())[0]
    assert group.membership((elements[:10] @ elements[10:]).numpy())[0]
    ok, reason = group.membership(1.5 * elements.numpy())
    assert not ok
    assert reason


@pytest.mark.parametrize("name", COMPACT)
def test_sampling_obeys_the_generator(name):
    group = COMPACT[name]
    assert group.sample(5, generator=generator(3)).equal(group.sample(5, generator=generator(3)))
    assert group.sample(0).shape == (0, group.matrix_dim, group.matrix_dim)


@pytest.mark.parametrize("name", ["C5", "D4", "S3", "O", "SO(2)", "O(2)", "SO(3)", "O(3)", "SO(3) * S3"])
def test_sampling_is_uniform(name):
    """By Schur's orthogonality the mean of an irrep over the Haar measure is zero, unless it is trivial."""
    group = COMPACT[name]
    elements = group.sample(4000, generator=generator())
    for label in group.irrep_labels(3)[1:]:
        mean = group.irrep(label).matrix(elements).mean(0)
        # A standard deviation of an entry is at most 1 / sqrt(4000) = 0.016.
        assert mean.abs().max() < 0.08, label


@pytest.mark.parametrize("name", COMPACT)
def test_groups_are_values(name):
    group = COMPACT[name]
    twin = pickle.loads(pickle.dumps(group))
    assert twin == group
    assert hash(twin) == hash(group)
    assert str(group) == repr(group) == group.name
    assert all(group != other for key, other in COMPACT.items() if key != name and other.name != group.name)


def test_large_symmetric_groups_need_no_list():
    group = iw.Symmetric(12)
    assert group.order == 479001600
    elements = group.sample(4, generator=generator())
    rep = group.standard()
    torch.testing.assert_close(rep.matrix(elements[0] @ elements[1]), rep.matrix(elements[0]) @ rep.matrix(elements[1]))
    torch.testing.assert_close(rep.character(elements), group.defining().character(elements) - 1)
    with pytest.raises(iw.errors.SizeLimitError, match="at most 20000 elements; got 479001600 in S12"):
        group.elements()


def test_long_words_stay_exact():
    elements = iw.Cyclic(1000).elements()
    torch.testing.assert_close(elements.mT @ elements, torch.eye(2).double().expand_as(elements), atol=1e-15, rtol=0)
    listed = iw.FiniteGroup([elements[1].numpy()])
    assert listed.order == 1000
    listed = listed.elements()
    torch.testing.assert_close(listed.mT @ listed, torch.eye(2).double().expand_as(listed), atol=1e-12, rtol=0)


def test_polyhedral_groups_nest():
    for reflections in (False, True):
        tetrahedral = iw.Tetrahedral(reflections=reflections).element_matrices()
        assert iw.Octahedral(reflections=reflections).membership(tetrahedral)[0]
        assert iw.Icosahedral(reflections=reflections).membership(tetrahedral)[0]
    # Five-fold turns have trace 1 + 2 cos(72 or 144 degrees).
    traces = np.trace(iw.Icosahedral().element_matrices(), axis1=1, axis2=2)
    golden = (1 + 5**0.5) / 2
    assert (np.abs(traces - golden) < 1e-9).sum() == (np.abs(traces - 1 + golden) < 1e-9).sum() == 12
