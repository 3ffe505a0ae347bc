"""Errors name the argument, what was expected, what came and what to do."""

import contextlib

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import intertwine as iw
from intertwine.errors import (
    ArgumentError,
    GroupMismatchError,
    IntertwineError,
    NonFiniteError,
    NotARepresentationError,
    NotOrthogonalError,
    ShapeError,
    SizeLimitError,
    UnknownNameError,
)

CASES = [
    (lambda: iw.Cyclic(0), ArgumentError, r"n: expected an integer >= 1; got 0"),
    (lambda: iw.Cyclic("4"), ArgumentError, r"n: expected an integer >= 1; got '4'"),
    (lambda: iw.Dihedral(2.0), ArgumentError, r"n: expected an integer >= 1; got 2.0"),
    (lambda: iw.Symmetric(-3), ArgumentError, r"n: expected an integer >= 1; got -3"),
    (lambda: iw.SO(4), ArgumentError, r"n: expected 2 or 3; got 4. Use MatrixGroup"),
    (lambda: iw.O("3"), ArgumentError, r"n: expected 2 or 3; got '3'"),
    (lambda: iw.Octahedral("yes"), ArgumentError, r"reflections: expected True or False; got 'yes'"),
    (lambda: iw.Cyclic(4) * 3, ArgumentError, r"Multiples are of representations"),
    (lambda: iw.SO(3).irrep("1o"), UnknownNameError, r"an irrep of SO\(3\): the degrees .* got '1o'"),
    (lambda: iw.SO(3).irrep(-1), UnknownNameError, r"got -1"),
    (lambda: iw.O(3).irrep(1), UnknownNameError, r"'0e', '0o', '1e', '1o', ...; got 1"),
    (lambda: iw.O(2).irrep(0), UnknownNameError, r"'0\+', '0-' and the frequencies .* got 0"),
    (lambda: iw.Cyclic(4).irrep(3), UnknownNameError, r"the frequencies '0' to '2'; got 3"),
    (lambda: iw.Dihedral(4).irrep("1+"), UnknownNameError, r"0\+, 0-, 1, 2\+, 2-; got '1\+'"),
    (lambda: iw.Symmetric(4).irrep("[2,1]"), UnknownNameError, r"a partition of 4: \[4\].* got '\[2,1\]'"),
    (lambda: iw.Octahedral().irrep("T3"), UnknownNameError, r"A1, A2, E, T1, T2; got 'T3'"),
    (lambda: iw.Trivial().irrep(1), UnknownNameError, r"the only irrep of Trivial; got 1"),
    (lambda: iw.FiniteGroup([[1, 0]]).irrep(2), UnknownNameError, r"'0' \(dimension 1\), '1' \(dimension 1\); got 2"),
    (lambda: iw.SO(3).irreps("2x0 + + 1"), UnknownNameError, r"an irrep of SO\(3\)"),
    (lambda: iw.SO(3).irreps(3), ArgumentError, r"text: expected a string such as '16x0 \+ 8x1'; got 3"),
    (lambda: iw.SO(3).regular(), ArgumentError, r"a finite group, to have a regular representation; got SO\(3\)"),
    (lambda: iw.Symmetric(8).regular(), SizeLimitError, r"at most 20000 elements; got 40320 in S8"),
    (lambda: iw.SO(3).elements(), SizeLimitError, r"Use sample\(n\)"),
    (lambda: iw.SO(3).order, ArgumentError, r"expected a finite group; got SO\(3\)"),
    (lambda: iw.Cyclic(4).sample(-1), ArgumentError, r"n: expected an integer >= 0; got -1"),
    (lambda: iw.Cyclic(4).sample(2, generator=0), ArgumentError, r"generator: expected a torch.Generator"),
    (lambda: iw.Cyclic(4).quotient(iw.SO(2)), ArgumentError, r"subgroup: expected a finite group"),
    (lambda: iw.Cyclic(4).quotient(3), ArgumentError, r"subgroup: expected a group; got 3"),
    (lambda: iw.Cyclic(4).quotient(iw.Cyclic(3)), GroupMismatchError, r"a subgroup of C4; got C3, with the matrix"),
    (lambda: iw.Octahedral().quotient(iw.Cyclic(4)), ArgumentError, r"axis: expected 'x', 'y' or 'z'"),
    (lambda: iw.SO(3).irrep(1).restrict(iw.O(3)), GroupMismatchError, r"a subgroup of SO\(3\); got O\(3\), with"),
    (lambda: iw.Cyclic(8).grid(5, 5), GroupMismatchError, r"maps pixels onto pixels .* got C8"),
    (lambda: iw.Cyclic(4).grid(4, 6), GroupMismatchError, r"a grid that C4 maps onto itself; got 4 x 6"),
    (lambda: iw.Cyclic(4).grid(4, 5), GroupMismatchError, r"got 4 x 5, which the generator"),
    (lambda: iw.SO(2).grid(5, 5), ArgumentError, r"a finite group, to have an exact action on pixels"),
    (lambda: iw.Cyclic(4).grid(5), GroupMismatchError, r"2 sides, as C4 acts on a space of 2 dimensions"),
    (lambda: iw.Cyclic(4).grid(5, 0), ArgumentError, r"shape: expected an integer >= 1; got 0"),
    (lambda: iw.Cyclic(4).grid(), ArgumentError, r"the sides of a grid"),
    (lambda: iw.Cyclic(4).permutation([[1, 2, 0]]), NotARepresentationError, r"permutation 0 = \[1, 2, 0\]"),
    (lambda: iw.Cyclic(4).permutation([[1, 0], [0, 1]]), ShapeError, r"images: expected 1 permutation of"),
    (lambda: iw.Cyclic(4).permutation([[1, 1]]), ArgumentError, r"got \[1, 1\]"),
    (lambda: iw.Cyclic(4).permutation([[1, 0]], signs=[[2, 1]]), ArgumentError, r"signs: expected \+1 and -1"),
    (
        lambda: iw.Cyclic(4).permutation([[1, 0]], signs=[[1]]),
        ShapeError,
        r"2 signs, one a feature; got shape \(1, 1\)",
    ),
    (
        lambda: iw.Cyclic(2).permutation([[1, 0]], signs=[[1], [1, 2]]),
        ShapeError,
        r"signs: expected signs of shape \(1, 2\)",
    ),
    (lambda: iw.Cyclic(2).permutation([[1, 0]], signs="ab"), IntertwineError, r"signs: expected"),
    (
        lambda: iw.Cyclic(2).permutation([[-3, 4, 5, -0.0001, 1, 2]]),
        ArgumentError,
        r"Give signs apart, as signs=: permutation\(\[\[3, 4, 5, 0, 1, 2\]\], signs=\[\[-1, 1, 1, -1, 1, 1\]\]\)",
    ),
    (
        lambda: iw.Cyclic(2).permutation([[3, 4, 5, 0, 1, 2]], signs=[[-1, 1, 1, 1, 1, 1]]),
        NotARepresentationError,
        r"signs: .*got signs of 0 and 3 that differ, so that applying permutation 0 twice negates both. Give the two",
    ),
    (
        lambda: iw.Cyclic(2).permutation([[3, 4, 5, 0, 1, 2]], signs=[[-1, 1, 1, 1, -1, 1]]),
        NotARepresentationError,
        r"signs: .*got signs of 0 and 3, 1 and 4 that differ",
    ),
    (
        lambda: iw.Cyclic(3).permutation([[1, 2, 0, 3]], signs=[[-1, 1, 1, -1]]),
        NotARepresentationError,
        r"signs: .*signs of 0 1 2, 3 that multiply to -1, so that applying permutation 0 3 times negates them",
    ),
    (lambda: iw.Cyclic(2).permutation([[1, 2, 0, 3]]), NotARepresentationError, r"twice does not bring back 0, 1, 2\."),
    (
        lambda: iw.Dihedral(2).permutation([[0, 1], [0, 1]], signs=[[-1, 1], [1, -1]]).tensor(3),
        ArgumentError,
        "other",
    ),
    (
        lambda: iw.Dihedral(3).permutation([[1, 2, 0, 3], [1, 0, 2, 3]], signs=[[1, 1, 1, 1], [-1, -1, 1, 1]]),
        NotARepresentationError,
        r"signs: .*products with permutation \d that differ from the group's in the signs that they give 0, 1, 2",
    ),
    (
        lambda: iw.Dihedral(3).permutation([[1, 2, 0, 3], [0, 1, 2, 3]]),
        NotARepresentationError,
        r"images: .*products with permutation \d that differ from the group's in where they send 0, 1, 2",
    ),
    (lambda: iw.SO(2).permutation([[1, 0]]), ArgumentError, r"no discrete generators"),
    (lambda: iw.Cyclic(4).representation(), ArgumentError, r"images of the 1 discrete generators of C4; got None"),
    (lambda: iw.SO(2).representation([[[1.0]]]), ArgumentError, r"None, as SO\(2\) has no discrete generators"),
    (lambda: iw.O(2).representation([[[1.0]]]), ArgumentError, r"Pass zeros for Lie algebra elements"),
    (lambda: iw.Cyclic(4).representation(torch.eye(2)), ShapeError, r"Wrap a single matrix in a list"),
    (lambda: iw.Cyclic(4).representation([[[1.0, 2.0]]]), ShapeError, r"got shape \(1, 1, 2\)"),
    (lambda: iw.Cyclic(4).representation([torch.eye(2)] * 2), ShapeError, r"1 matrices, one for each"),
    (lambda: iw.Cyclic(4).representation([[[np.nan]]]), NonFiniteError, r"NaN or infinity"),
    (lambda: iw.Cyclic(4).representation(5), IntertwineError, r"images: expected"),
    (
        lambda: iw.Cyclic(4).representation([[[0, -2], [0.5, 0]]]),
        NotOrthogonalError,
        r"orthogonalised images are: \[\[\[0.0, -1.0\]",
    ),
    (
        lambda: iw.Cyclic(4).representation([[[0.0, -1.0], [1.0, 0.0]]]).restrict(iw.Cyclic(8)),
        GroupMismatchError,
        "subgroup",
    ),
    (lambda: iw.Cyclic(3).representation([[[0, -1], [1, 0]]]), NotARepresentationError, r"miss the group's own"),
    (lambda: iw.SO(3).representation(lie_images=iw.SO(3).lie_algebra * 2), NotARepresentationError, r"bracket"),
    (
        lambda: iw.SO(2).representation(lie_images=iw.SO(2).lie_algebra / 2),
        NotARepresentationError,
        r"spin or projective",
    ),
    (
        lambda: iw.Cyclic(4).standard().matrix(iw.Cyclic(8).generators[0]),
        GroupMismatchError,
        r"no multiple of 360/4 degrees",
    ),
    (lambda: iw.SO(3).irrep(1).matrix(-torch.eye(3)), GroupMismatchError, r"determinant is not 1"),
    (lambda: iw.Octahedral().standard().matrix(np.full((3, 3), np.nan)), GroupMismatchError, r"NaN"),
    (lambda: iw.Symmetric(3).standard().matrix(np.eye(3) / 2), GroupMismatchError, r"permutes no basis"),
]


@pytest.mark.parametrize(("call", "error", "text"), CASES, ids=range(len(CASES)))
def test_message(call, error, text):
    with pytest.raises(error, match=text):
        call()


GROUPS = st.sampled_from(
    [iw.Cyclic(4), iw.Dihedral(3), iw.Symmetric(4), iw.Octahedral(), iw.SO(2), iw.O(3), iw.Cyclic(3) * iw.SO(3)]
)
JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 9),
    st.floats(),
    st.text(max_size=6),
    st.lists(st.integers(-2, 5), max_size=4),
    st.lists(st.lists(st.floats(-2, 2) | st.just(float("nan")), min_size=1, max_size=3), max_size=3),
    st.builds(torch.ones, st.lists(st.integers(0, 3), max_size=3)),
    st.builds(lambda shape: np.full(shape, np.nan), st.lists(st.integers(0, 3), max_size=3)),
)


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    group=GROUPS,
    junk=JUNK,
    which=st.sampled_from(["irrep", "irreps", "quotient", "permutation", "representation", "grid", "sample", "matrix"]),
)
def test_junk_ends_in_named_errors(group, junk, which):
    call = group.standard().matrix if which == "matrix" else getattr(group, which)
    # Junk may happen to be fine; whatever is refused is refused by name, and any other exception fails the test.
    with contextlib.suppress(IntertwineError):
        call(junk)
