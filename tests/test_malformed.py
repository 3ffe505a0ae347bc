"""A thousand malformed calls end in one of our named errors: never in a torch traceback, never in a silent number."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import intertwine as iw

C4, D4, SO3, O3 = iw.Cyclic(4), iw.Dihedral(4), iw.SO(3), iw.O(3)
MODEL = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))
TYPES = {"0": (C4.regular(), 2 * C4.regular()), "2": (2 * C4.regular(), C4.regular())}
P = iw.projector(C4.regular(), 2 * C4.regular())


def binding() -> iw.Binding:
    return iw.bind(MODEL, TYPES)


def decay(strength: Any, target: Any = None) -> iw.EquivarianceDecay:
    optimizer = torch.optim.SGD(MODEL.parameters(), lr=0.1)
    return iw.EquivarianceDecay(optimizer, binding() if target is None else target, strength=strength)


not_a_thing = st.one_of(
    st.none(), st.text(max_size=5), st.floats(), st.lists(st.integers(), max_size=3), st.just(object())
)
bad_count = st.one_of(st.integers(max_value=0), st.floats(), st.text(max_size=4), st.none(), st.booleans())
bad_strength = st.one_of(
    st.floats(max_value=-1e-9, allow_nan=False),
    st.just(math.nan),
    st.just(-math.inf),
    st.text(max_size=4),
    st.none(),
    st.lists(st.floats(), max_size=2),
    st.dictionaries(st.text(min_size=3, max_size=9), st.floats(0, 1), min_size=1, max_size=2),
)
wrong_rep = st.one_of(
    not_a_thing, st.sampled_from([D4.regular(), SO3.irrep(1), iw.Cyclic(8).regular(), C4, torch.zeros(3)])
)
shapes = st.lists(st.integers(0, 9), max_size=4).map(tuple)


def wrong_tensor(*right: int) -> st.SearchStrategy[Any]:
    """Tensors of another shape or of integers, arrays, and what is no tensor."""
    other = shapes.filter(lambda shape: shape != right)
    return st.one_of(
        other.map(torch.zeros),
        other.map(np.zeros),
        st.sampled_from([torch.int64, torch.bool, torch.uint8]).map(lambda dtype: torch.zeros(right, dtype=dtype)),
        not_a_thing,
    )


@st.composite
def wrong_element(draw: st.DrawFn, d: int) -> Any:
    """Matrices that are no rotation, of the right or of another shape, or that hold NaN."""
    kind = draw(st.integers(0, 3))
    if kind == 0:
        return torch.zeros(draw(shapes.filter(lambda s: len(s) not in (2, 3) or s[-2:] != (d, d))))
    if kind == 1:
        return torch.full((d, d), draw(st.sampled_from([math.nan, math.inf, 0.0, 2.0])))
    if kind == 2:
        return torch.eye(d) * draw(st.floats(1.01, 9))
    return draw(not_a_thing.filter(lambda x: not isinstance(x, list) or not x))


@st.composite
def wrong_images(draw: st.DrawFn) -> Any:
    """Images of C4's one generator that are no representation of it."""
    d = draw(st.integers(1, 3))
    return draw(
        st.sampled_from(
            [
                torch.full((1, d, d), math.nan),
                torch.full((1, d, d), 0.5),
                2 * torch.eye(d)[None],
                torch.eye(d).expand(2, d, d),
                torch.zeros(1, d, d + 1),
                torch.zeros(d),
                "regular",
                None,
                [[1, 2], [3]],
                torch.tensor([[[0.5, -(0.75**0.5)], [0.75**0.5, 0.5]]]),
            ]
        )
    )


not_a_permutation = st.one_of(
    st.lists(st.integers(-2, 5), min_size=1, max_size=5)
    .filter(lambda p: sorted(p) != list(range(len(p))))
    .map(lambda p: [p]),
    st.just([[1, 2, 0]]),  # a three-cycle is no image of a quarter turn
    st.just([[0, 1], [1, 0]]),
    st.just([]),
    not_a_thing.filter(lambda x: not isinstance(x, list)),
)
names = st.text(alphabet="abcxyz0123456789.+-e o[]", min_size=1, max_size=8)

CALLS: dict[str, tuple[Callable[[Any], object], st.SearchStrategy[Any]]] = {
    "Cyclic": (iw.Cyclic, bad_count),
    "Dihedral": (iw.Dihedral, bad_count),
    "Symmetric": (iw.Symmetric, bad_count),
    "SO": (iw.SO, st.one_of(bad_count, st.integers(4, 9), st.just(1))),
    "O": (iw.O, st.one_of(bad_count, st.integers(4, 9))),
    "FiniteGroup": (
        iw.FiniteGroup,
        st.one_of(
            not_a_thing,
            st.just([torch.full((2, 2), math.nan)]),
            st.just([torch.tensor([[1.0, 1.0], [0.0, 1.0]])]),
            st.just([[0, 0, 1]]),
        ),
    ),
    "MatrixGroup": (
        lambda x: iw.MatrixGroup(lie_algebra=x),
        st.one_of(
            not_a_thing.filter(lambda x: x is not None),
            st.just(torch.full((1, 2, 2), math.nan)),
            st.just(torch.zeros(1, 2, 3)),
        ),
    ),
    "irrep": (
        SO3.irrep,
        st.one_of(st.integers(max_value=-1), names.filter(lambda s: not s.strip().isdigit()), st.floats(), st.none()),
    ),
    "irrep-D4": (
        D4.irrep,
        st.one_of(
            st.integers(3, 99),
            st.integers(max_value=-1),
            names.filter(lambda s: s.strip() not in {"0+", "0-", "1", "2+", "2-"}),
            st.none(),
        ),
    ),
    "irreps": (
        O3.irreps,
        st.one_of(
            names.filter(lambda s: "e" not in s and "o" not in s and s.strip()),
            not_a_thing.filter(lambda x: not isinstance(x, str)),
        ),
    ),
    "multiplicity": (lambda n: C4.regular() * n, st.integers(max_value=-1)),
    "sample": (C4.sample, st.one_of(st.integers(max_value=-1), st.floats(), st.text(max_size=3), st.none())),
    "permutation": (C4.permutation, not_a_permutation),
    "representation": (C4.representation, wrong_images()),
    "grid": (
        lambda shape: C4.grid(*shape),
        st.sampled_from([(4, 6), (0, 3), (3,), (2, 2, 2), (-3, -3), ("3", "3"), (3.0, 3.0), ()]),
    ),
    "quotient": (
        C4.quotient,
        st.one_of(not_a_thing, st.sampled_from([iw.Cyclic(3), iw.Dihedral(2), SO3, iw.Octahedral()])),
    ),
    "restrict": (C4.regular().restrict, st.one_of(not_a_thing, st.sampled_from([iw.Cyclic(3), D4, SO3, iw.SO(2)]))),
    "direct_sum": (C4.regular().direct_sum, wrong_rep),
    "tensor": (C4.regular().tensor, wrong_rep),
    "matrix": (SO3.irrep(1).matrix, wrong_element(3)),
    "matrix-C4": (C4.regular().matrix, wrong_element(2)),
    "character": (C4.regular().character, wrong_element(2)),
    "act": (
        lambda x: C4.regular().act(C4.generators[0], x),
        wrong_tensor(4).filter(
            lambda x: not (isinstance(x, torch.Tensor) and x.is_floating_point() and x.ndim and x.shape[-1] == 4)
        ),
    ),
    "projector": (lambda rep: iw.projector(C4.regular(), rep), wrong_rep.filter(lambda x: x is not None)),
    "projector-axes": (
        lambda axes: iw.projector(axes=axes),
        st.one_of(
            st.just(()),
            st.just((None, None)),
            st.just((C4.regular(), D4.regular())),
            not_a_thing.filter(lambda x: x is not None),
            st.just(C4.regular()),
        ),
    ),
    "projector-method": (
        lambda m: iw.projector(C4.regular(), C4.regular(), method=m),
        st.one_of(st.text(max_size=6), st.integers(), st.just("schur")),
    ),
    "project": (P.project, wrong_tensor(8, 4)),
    "residual": (P.residual, wrong_tensor(8, 4)),
    "squared_residual": (P.squared_residual, wrong_tensor(8, 4)),
    "relative_residual": (P.relative_residual, wrong_tensor(8, 4)),
    "bind-names": (
        lambda name: iw.bind(MODEL, {name: (C4.regular(), C4.regular())}),
        names.filter(lambda s: s not in {"0", "2"}),
    ),
    "bind-types": (
        lambda t: iw.bind(MODEL, {"0": t}),
        st.one_of(
            not_a_thing,
            st.just((C4.regular(), C4.regular())),
            st.just((D4.regular(), D4.regular())),
            st.just((C4.regular(),)),
        ),
    ),
    "bind-model": (lambda model: iw.bind(model, TYPES), st.one_of(not_a_thing, st.just(torch.zeros(2)))),
    "penalty": (lambda s: binding().penalty(strength=s), st.one_of(bad_strength, st.just(math.inf))),
    "penalty-form": (lambda f: binding().penalty(form=f), st.one_of(st.text(max_size=5), st.none(), st.integers())),
    "decay": (decay, bad_strength),
    "decay-binding": (lambda b: decay(1.0, b), not_a_thing.filter(lambda x: x is not None)),
    "equivariance_error": (
        lambda x: iw.equivariance_error(MODEL, C4.regular(), C4.regular(), x),
        wrong_tensor(3, 4).filter(
            lambda x: not (isinstance(x, torch.Tensor) and x.is_floating_point() and x.ndim and x.shape[-1] == 4)
        ),
    ),
    "equivariance_error-rep": (
        lambda rep: iw.equivariance_error(MODEL, C4.regular(), rep, torch.arange(8.0).reshape(2, 4)),
        wrong_rep.filter(lambda x: x is not None),  # None says that the output is invariant
    ),
    "gate": (iw.nn.Gate, wrong_rep.filter(lambda x: not isinstance(x, iw.Representation))),
    "norm": (iw.nn.FieldNorm, wrong_rep.filter(lambda x: not isinstance(x, iw.Representation))),
    "pointwise": (
        iw.nn.PointwiseActivation,
        st.one_of(not_a_thing, st.sampled_from([SO3.irrep(1), C4.irrep(1), C4.irrep(2)])),
    ),
}


@pytest.mark.parametrize("call", CALLS)
def test_malformed_calls_end_in_named_errors(call: str) -> None:
    function, junk = CALLS[call]
    count = 0

    @settings(max_examples=25, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(junk)
    def attempt(value: Any) -> None:
        nonlocal count
        count += 1
        with pytest.raises(iw.IntertwineError) as caught:
            function(value)
        message = str(caught.value)
        assert ": expected " in message
        assert "; got " in message

    attempt()
    assert count > 0


def test_there_are_a_thousand_of_them() -> None:
    """25 draws each; strategies with a handful of values draw fewer, so the table is longer than a thousand needs."""
    assert len(CALLS) * 25 >= 1000


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_non_finite_weights_are_named_in_reports(poison: float) -> None:
    model = torch.nn.Sequential(torch.nn.Linear(4, 8))
    with torch.no_grad():
        model[0].weight[2, 1] = poison
    with pytest.raises(iw.errors.NonFiniteError, match=r"0\.weight"):
        iw.report(iw.bind(model, {"0": (C4.regular(), 2 * C4.regular())}))
