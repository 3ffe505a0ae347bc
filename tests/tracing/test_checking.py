"""What the check of calls goes by: the elements that it moves arguments with."""

import numpy as np
import pytest
import torch

import intertwine as iw
from intertwine.tracing.acting import Acting, Motion
from intertwine.tracing.axes import Axis, Carried, Digit, Fixed, fixed, single
from intertwine.tracing.checking.distance import Scale, distance
from intertwine.tracing.checking.elements import generating_elements
from intertwine.tracing.judging.alike import _level
from intertwine.tracing.judging.moves import _rows_and_columns, move_of
from intertwine.tracing.normal_form import carried

D4 = iw.Dihedral(4)
R = D4.regular()
WINDOW = Axis(((Digit(0, 2, (1,)), Digit(1, 2, (1,))),))


def pixel(coordinate, size):
    return single(Digit(coordinate, size))


GROUPS = {
    "D4": (iw.Dihedral(4), 2, lambda G: G.regular()),
    "SO(2)": (iw.SO(2), 1, lambda G: G.irreps("2x0 + 1 + 2x2")),
    "O(2)": (iw.O(2), 2, lambda G: sum((G.irrep(label) for label in G.irrep_labels(2)[1:4]), G.trivial())),
    "SO(3)": (iw.SO(3), 2, lambda G: G.irreps("0 + 2x1 + 2")),
    "O(3)": (iw.O(3), 2, lambda G: G.irreps("0e + 0o + 1e + 2x1o")),
    "C4 x SO(3)": (iw.Cyclic(4) * iw.SO(3), 2, lambda G: G.standard()),
}


@pytest.mark.parametrize("name", GROUPS)
def test_what_commutes_with_the_elements_commutes_with_the_group(name):
    G, count, representation = GROUPS[name]
    rep = representation(G)
    elements = generating_elements(G)
    assert len(elements) == count
    eye = np.eye(rep.dim)
    rows = [np.kron(eye, rep.matrix(g).numpy()) - np.kron(rep.matrix(g).numpy().T, eye) for g in elements]
    left = rep.dim**2 - np.linalg.matrix_rank(np.concatenate(rows), tol=1e-6)
    assert left == iw.projector(rep, rep).rank
    assert all(torch.equal(a, b) for a, b in zip(elements, generating_elements(G), strict=True))


C4, O3 = iw.Cyclic(4), iw.O(3)
ACTING = {
    "images": (Acting(D4, D4.standard()), [fixed(2), carried(2 * R), pixel(0, 5), pixel(1, 5)]),
    "tokens behind a class token": (
        Acting(D4, D4.standard()),
        [fixed(2), Axis(((Fixed(1),), (Digit(0, 3), Digit(1, 3)))), carried(3 * R)],
    ),
    "windows": (
        Acting(D4, D4.standard()),
        [Axis(((Fixed(2), Digit(0, 3, (0,)), Digit(1, 3, (0,))),)), fixed(3), WINDOW, carried(R)],
    ),
    "attention of pixels": (
        Acting(D4, D4.standard()),
        [fixed(2), fixed(3), *2 * [Axis(((Digit(0, 3), Digit(1, 3)),))]],
    ),
    "attention in windows, by head": (
        Acting(D4, D4.standard()),
        [
            Axis(((Fixed(2), Digit(0, 2, (0,)), Digit(1, 2, (0,))),)),
            fixed(3),
            *2 * [Axis(((Digit(0, 3, (1,)), Digit(1, 3, (1,))),))],
        ],
    ),
    "attention of a class token and pixels": (
        Acting(D4, D4.standard()),
        [fixed(2), fixed(3), *2 * [Axis(((Fixed(1),), (Digit(0, 3), Digit(1, 3))))]],
    ),
    "images of long sides": (Acting(D4, D4.standard()), [fixed(2), carried(R), pixel(0, 17), pixel(1, 17)]),
    "long unequal sides": (Acting(D4, D4.standard()), [fixed(2), carried(R), pixel(0, 17), pixel(1, 18)]),
    "rows and columns apart": (
        Acting(D4, D4.standard()),
        [pixel(0, 3), fixed(4), pixel(1, 3), pixel(0, 3), pixel(1, 3)],
    ),
    "unequal sides": (Acting(D4, D4.standard()), [fixed(2), carried(D4.irreps("0+ + 2x1")), pixel(0, 3), pixel(1, 4)]),
    "channels of a flattened map": (
        Acting(D4, D4.standard()),
        [fixed(3), Axis(((Carried(2 * R), Digit(0, 3), Digit(1, 3)),))],
    ),
    "a short run behind": (Acting(C4), [fixed(2), carried(C4.regular()), fixed(3)]),
    "signs": (Acting(iw.Cyclic(2)), [fixed(2), carried(iw.Cyclic(2).irreps("2x0 + 3x1"))]),
    "vectors": (Acting(O3), [fixed(2), carried(O3.irreps("3x0e + 2x1o + 1x2e")), fixed(4)]),
    "many vectors": (Acting(O3), [fixed(2), carried(O3.irreps("30x0e + 32x1o"))]),
    "copies of vectors": (Acting(O3), [fixed(2), Axis(((Fixed(5), Carried(O3.irreps("1o"))),))]),
}


@pytest.mark.parametrize("name", ACTING)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.int64])
def test_moves_of_a_type_are_the_action(name, dtype):
    acting, axes = ACTING[name]
    x = (8 * torch.randn([axis.size for axis in axes], dtype=torch.float64)).to(dtype)
    for g in generating_elements(acting.group):
        motion = Motion(acting, g)
        wanted, found = motion(x, axes), move_of(motion, axes)(x)
        assert found.dtype == dtype
        assert found.shape == wanted.shape
        torch.testing.assert_close(found, wanted)
        strided = x.transpose(0, 1).contiguous().transpose(0, 1)
        torch.testing.assert_close(move_of(motion, axes)(strided), wanted)


def test_rows_of_logits_are_moved_as_wholes():
    """By two indices of as many entries as there are rows and columns, not by one of all logits."""
    _, axes = ACTING["attention in windows, by head"]
    acting, g = Acting(D4, D4.standard()), D4.generators[0]
    rows, columns = _rows_and_columns(Motion(acting, g), axes[1:])
    assert (len(rows), len(columns)) == (3 * 9, 9)
    assert _rows_and_columns(Motion(acting, g), [pixel(0, 3), pixel(1, 3)]) is None


SCALE = Scale([torch.full((4,), 2.0), torch.arange(3)])


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.complex64])
def test_distances_are_measured_against_results_or_a_share_of_what_goes_in(dtype):
    one = torch.tensor([3.0, 4.0], dtype=dtype)
    assert distance(one, one.clone(), SCALE) == 0
    assert distance(2 * one, one, SCALE) == pytest.approx(1)
    # A sum that ought to be zero: 1e-3 of the arguments' root mean square, over sqrt(4 / 2) of whose entries it goes.
    zero, rounding = torch.zeros(2, dtype=dtype), torch.full((2,), 1e-4, dtype=dtype)
    assert distance(rounding, zero, SCALE) == pytest.approx(1e-4 / (1e-3 * 2 * 2**0.5), rel=1e-2)
    assert distance(rounding, zero, list(SCALE)) == distance(rounding, zero, SCALE)


def test_infinities_in_the_same_places_are_equal():
    one = torch.tensor([1.0, torch.inf, torch.nan, 2.0])
    assert distance(one, one.clone(), SCALE) == 0
    assert 0.1 < distance(one, torch.tensor([1.0, torch.inf, torch.nan, 3.0]), SCALE) < 1
    assert distance(torch.tensor([1, 2]), torch.tensor([1, 3]), SCALE) == 0.5


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.int64, torch.bool, torch.float8_e4m3fn])
def test_tensors_of_one_value_are_told_from_others(dtype):
    ones = torch.ones(20, 30).to(dtype)
    assert _level(ones) == _level(ones.t()) == 1
    for place in ((0, 0), (7, 11), (19, 29)):
        other = torch.ones(20, 30)
        other[place] = 0
        assert _level(other.to(dtype)) is None
        assert _level(other.to(dtype).t()) is None
    assert _level(torch.tensor([torch.nan])) is None
    assert _level(torch.full((3,), 2 + 0j)) is None
