"""MatrixGroup: Lorentz, symplectic, translations, compact ones."""

import numpy as np
import pytest
import torch

import intertwine as iw

ETA = np.diag([-1.0, 1.0, 1.0, 1.0])
SHEARS = [[[0, 1], [0, 0]], [[0, 0], [1, 0]], [[1, 0], [0, -1]]]


def sample(group, n=6):
    return group.sample(n, generator=torch.Generator().manual_seed(0))


def test_lorentz_preserves_the_metric():
    group = iw.MatrixGroup.lorentz()
    elements = sample(group).numpy()
    np.testing.assert_allclose(
        np.swapaxes(elements, 1, 2) @ ETA @ elements, np.broadcast_to(ETA, elements.shape), atol=1e-10
    )
    assert group.membership(elements)[0]
    ok, reason = group.membership(1.1 * elements)
    assert not ok
    assert "metric" in reason
    assert not group.is_compact


def test_lorentz_images():
    group = iw.MatrixGroup.lorentz()
    vector = group.standard()
    tensor = vector.tensor(vector)
    given = group.representation(lie_images=tensor.as_field().algebra())
    g = sample(group)
    torch.testing.assert_close(given.matrix(g), tensor.matrix(g), atol=1e-8, rtol=1e-8)
    covector = vector.dual()
    assert covector != vector
    torch.testing.assert_close(
        covector.matrix(g).mT @ vector.matrix(g), torch.eye(4).double().expand(6, 4, 4), atol=1e-9, rtol=0
    )
    with pytest.raises(iw.errors.NotARepresentationError, match=r"bracket"):
        group.representation(lie_images=group.lie_algebra * 2)


def test_discrete_generators_and_words():
    reflection = np.diag([1.0, -1.0, -1.0, -1.0])
    group = iw.MatrixGroup(iw.MatrixGroup.lorentz().lie_algebra, [reflection], name="orthochronous")
    g = sample(group, 8)
    numbers, words = group.coordinates(g.numpy())
    assert {len(word) for word in words} == {0, 1}
    assert numbers.shape == (8, 6)
    parity = group.representation([[[-1.0]]], torch.zeros(6, 1, 1))
    torch.testing.assert_close(parity.matrix(g).flatten(), torch.linalg.det(g))


def test_elements_without_a_logarithm_say_so():
    group = iw.MatrixGroup(SHEARS, name="SL(2)")
    given = group.representation(lie_images=group.lie_algebra)
    parabolic = np.array([[-1.0, 1.0], [0.0, -1.0]])
    with pytest.raises(iw.errors.GroupMismatchError, match="exp of the Lie algebra of SL"):
        given.matrix(parabolic)
    assert group.membership(parabolic[None])[0]


def test_compact_groups_match_the_closed_forms():
    turns = iw.MatrixGroup(iw.SO(3).lie_algebra, [-np.eye(3)], compact=True)
    g = sample(turns)
    assert iw.O(3).membership(g.numpy())[0]
    given = turns.representation([-np.eye(3)], iw.O(3).irrep("1o").as_field().algebra())
    torch.testing.assert_close(given.matrix(g), g, atol=1e-9, rtol=0)
    assert turns.trivial().matrix(g).equal(torch.ones(6, 1, 1).double())


def test_unitary_group_in_real_form():
    group = iw.MatrixGroup([[[0, -1.0], [1.0, 0]]], compact=True)
    assert group == iw.MatrixGroup(torch.tensor([[[0, -1.0], [1.0, 0]]]), compact=True)
    assert group != iw.MatrixGroup([[[0, -1.0], [1.0, 0]]])


REFUSED = [
    ({}, iw.errors.ArgumentError, "at least one generator"),
    ({"lie_algebra": SHEARS[:2]}, iw.errors.ArgumentError, "closed under brackets"),
    ({"lie_algebra": [SHEARS[0], SHEARS[0]]}, iw.errors.ArgumentError, "linearly independent"),
    (
        {"lie_algebra": [SHEARS[0]], "compact": True},
        iw.errors.NotOrthogonalError,
        "lie_algebra: expected skew matrices",
    ),
    (
        {"discrete": [SHEARS[2]], "lie_algebra": [[[0, 0, 1], [0, 0, 0], [0, 0, 0]]]},
        iw.errors.ShapeError,
        "matrices of size 3",
    ),
    (
        {"discrete": [np.diag([1.0, 2.0])], "compact": True},
        iw.errors.NotOrthogonalError,
        "discrete: expected orthogonal",
    ),
    ({"discrete": [np.zeros((2, 2))]}, iw.errors.ArgumentError, "invertible"),
    ({"lie_algebra": [SHEARS[0]], "discrete": [[[0, -1], [1, 0]]]}, iw.errors.ArgumentError, "moves it elsewhere"),
    ({"lie_algebra": "x"}, iw.errors.ArgumentError, "got str"),
    ({"lie_algebra": [[[float("inf")]]]}, iw.errors.NonFiniteError, "NaN or infinity"),
    ({"lie_algebra": [SHEARS[0]], "compact": 1}, iw.errors.ArgumentError, "True or False"),
]


@pytest.mark.parametrize(("arguments", "error", "text"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_refused(arguments, error, text):
    with pytest.raises(error, match=text):
        iw.MatrixGroup(**arguments)


def test_only_the_trivial_irrep_has_a_name():
    with pytest.raises(iw.errors.UnknownNameError, match="'0', the only irrep of"):
        iw.MatrixGroup.lorentz().irrep(1)
