"""Unification of axes by hand: what is bound, what is refused, what is undone."""

import pytest

import intertwine as iw
from intertwine.tracing.axes import Axis, Carried, Digit, Fixed, Nested, Unknown, fixed, single
from intertwine.tracing.bindings import ConflictError
from intertwine.tracing.normal_form import carried, resolved
from intertwine.tracing.policy import Decisions, quotient_fields
from intertwine.tracing.solver import Solver

D4, SO3 = iw.Dihedral(4), iw.SO(3)
ROWS, COLUMNS = Digit(0, 6), Digit(1, 6)


def text(axis):
    return str(resolved(axis))


def test_an_unknown_takes_what_it_meets_and_its_needs_travel():
    solver = Solver("relu")
    node, other = solver.fresh(8), solver.fresh(8)
    solver.need(node, "pointwise")
    solver.unify(node, other)
    assert resolved(node) == resolved(other)
    assert resolved(other).terms[0][0].needs == {"pointwise": "relu"}
    solver.unify(other, carried(D4.regular()))
    assert text(node) == "[regular]"


def test_sums_are_cut_at_common_boundaries():
    solver = Solver()
    left = Axis((*solver.fresh(10).terms, *fixed(6).terms))
    right = Axis((*fixed(7).terms, *solver.fresh(9).terms))
    solver.unify(left, right)
    assert text(left) == text(right) == "7 + ?3 + 6"


def test_products_are_factored_at_common_sizes():
    solver = Solver()
    heads, fields = solver.fresh(4), solver.fresh(16)
    left = Axis(((heads.terms[0][0], fields.terms[0][0]),))
    right = Axis(((Fixed(2), Carried(4 * D4.regular())),))
    solver.unify(left, right)
    assert text(heads) == "4"
    assert text(fields) == "[2xregular]"


def test_a_field_is_not_cut_and_pixels_are_not_channels():
    solver = Solver("here")
    with pytest.raises(ConflictError, match="goes through what the group mixes"):
        solver.cut(carried(2 * D4.regular()), (4, 12))
    with pytest.raises(ConflictError, match="y:6 meets 6"):
        solver.unify(single(ROWS), fixed(6))
    with pytest.raises(ConflictError, match="meets"):
        solver.unify(carried(SO3.irreps("1")), fixed(3))


def test_a_conflict_names_where_both_came_from():
    solver = Solver("encoder.fc")
    first = solver.fresh(3)
    solver.place = "slices at model.py:40"
    solver.unify(first, carried(SO3.irreps("1")))
    solver.place = "decoder.add"
    with pytest.raises(ConflictError) as caught:
        solver.unify(first, fixed(3))
    assert caught.value.origins == ("encoder.fc", "slices at model.py:40")


def test_what_fails_is_undone():
    solver = Solver()
    node = solver.fresh(12)
    pair = Axis((*node.terms, *single(ROWS).terms))
    wrong = Axis((*carried(SO3.irreps("4x1")).terms, *fixed(6).terms))
    assert not solver.attempt(lambda: solver.unify(pair, wrong))
    assert text(node) == "?12"
    assert not solver.attempt(lambda: solver.factor(Axis((*pair.terms, *fixed(2).terms)), (5, 4)))
    assert text(node) == "?12"
    assert solver.splits == []


def test_windows_are_digits_and_come_back_as_one_coordinate():
    solver = Solver()
    outer, inner = solver.factor(single(Digit(0, 56)), (8, 7))
    assert (text(outer), text(inner)) == ("y:8", "y:7")
    window = Axis(((Nested(outer), Nested(inner)),))
    assert resolved(window) == single(Digit(0, 56))


def test_products_of_channels_and_pixels_keep_their_order():
    solver = Solver()
    flat = Axis(((Fixed(4), ROWS, COLUMNS),))
    assert [text(axis) for axis in solver.factor(flat, (4, 6, 6))] == ["4", "y:6", "x:6"]
    with pytest.raises(ConflictError):
        solver.factor(Axis(((Fixed(1),), (ROWS, COLUMNS))), (1, 36, 2))


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [((4, 16), ("4", "[2xregular]")), ((32, 2), ("[4xregular]", "2")), ((4, 4), ("4", "4 or quotient"))],
)
def test_fields_go_inside_where_there_is_room_and_outside_otherwise(sizes, expected):
    solver = Solver()
    node = solver.fresh(sizes[0] * sizes[1], feature=True)
    first, last = solver.factor(node, sizes)
    Decisions(solver, D4, None).decide([node])
    if sizes == (4, 4):
        assert {text(first), text(last)} >= {"4"}
        return
    assert (text(first), text(last)) == expected


def test_a_factor_that_met_another_unknown_is_open_still():
    """Heads that a linear map mixes are one unknown with its inputs; the fields inside the heads stay."""
    solver = Solver()
    node, mixing = solver.fresh(64, feature=True), solver.fresh(4)
    heads, inner = solver.factor(node, (4, 16))
    solver.unify(heads, mixing)
    other = solver.fresh(16, feature=True)
    solver.unify(inner, other)
    Decisions(solver, D4, None).decide([node])
    assert (text(heads), text(inner)) == ("4", "[2xregular]")


def test_unknowns_of_constants_are_left_alone_and_those_of_features_are_not():
    solver = Solver()
    constant, feature = solver.fresh(16), solver.fresh(16, feature=True)
    Decisions(solver, D4, None).decide([constant, feature])
    assert (text(constant), text(feature)) == ("16", "[2xregular]")


def test_lie_groups_leave_alone_what_meets_a_pointwise_function_and_say_so():
    solver = Solver("1: silu")
    node, other = solver.fresh(16, feature=True), solver.fresh(3, feature=True)
    solver.need(node, "pointwise")
    decisions = Decisions(solver, SO3, None)
    decisions.decide([node, other])
    assert (text(node), text(other)) == ("16", "[1]")
    assert decisions.forced == {("1: silu", "pointwise"): [16]}


@pytest.mark.parametrize(
    ("group", "count"), [(D4, 8), (iw.Cyclic(6), 4), (iw.Octahedral(), 11), (iw.Symmetric(4), 11), (iw.Dihedral(3), 4)]
)
def test_there_is_one_quotient_field_for_each_class_of_subgroups(group, count):
    # Numbers of conjugacy classes of subgroups: D4 8, C6 4, S4 11 (the octahedral group is S4), S3 4.
    fields = quotient_fields(group)
    assert len(fields) == count
    assert (fields[0].dim, fields[-1].dim) == (group.order, 1)
    assert all(rep.is_permutation for rep in fields)


def test_the_octahedral_default_fills_sixty_four_channels():
    from intertwine.tracing.policy import default_policy

    rep = default_policy(iw.Octahedral())(64)
    assert [(segment.mul, segment.field.dim) for segment in rep.segments] == [(2, 24), (1, 12), (1, 4)]
    # The group's share is 1 / 24 = 0.0417; regular fields and 16 invariants would leave 0.102.
    assert iw.projector(rep, rep).rank / 64**2 == pytest.approx(0.0425, abs=1e-4)


def test_an_unknown_cannot_hold_itself():
    solver = Solver()
    node = Unknown(4)
    with pytest.raises(ConflictError, match="which holds it"):
        solver.bind(node, Axis(((node,), (Fixed(0),), (Fixed(1),))))
