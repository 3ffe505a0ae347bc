"""Axes in normal form: what unknowns were found to be in their places, like neighbours merged."""

from collections.abc import Hashable
from dataclasses import replace

from intertwine.representations import Representation
from intertwine.tracing.axes import (
    Axis,
    Carried,
    Digit,
    Factor,
    Fixed,
    Nested,
    Squared,
    Term,
    Unknown,
    Wave,
    single,
)


def resolved(axis: Axis) -> Axis:
    """The axis in normal form: what unknowns were found to be in their places, like neighbours merged.

    Factors of size 1 that carry no sign are left out beside others, products of numbers multiplied, sums added, trivial
    representations are numbers.

    Examples:
        >>> node = Unknown(6)
        >>> node.bound = Axis(((Fixed(2), Digit(0, 3)),))
        >>> str(resolved(Axis(((Fixed(3), node), (Fixed(1),), (Fixed(4),)))))
        '6*y:3 + 5'
    """
    terms: list[Term] = []
    for term in axis.terms:
        for clean in _resolved_term(term):
            last = terms[-1] if terms else None
            if last is not None and _is_number(last) and _is_number(clean):
                terms[-1] = (Fixed(last[0].size + clean[0].size),)
            elif last is not None and (run := _run_of_waves(last, clean)) is not None:
                terms[-1] = (run,)
            elif clean[0].size or len(clean) > 1:
                terms.append(clean)
    return Axis(tuple(terms) or ((Fixed(0),),))


def _common(one: tuple[int, ...], two: tuple[int, ...]) -> tuple[int, ...]:
    size = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    return one[:size]


def _run_of_waves(term: Term, other: Term) -> Wave | None:
    """Waves along one coordinate, side by side, as one run of them."""
    one, two = term[0], other[0]
    if len(term) != 1 or len(other) != 1 or not isinstance(one, Wave) or not isinstance(two, Wave):
        return None
    whole = replace(one, waves=(*one.waves, *two.waves))
    return whole if replace(two, waves=whole.waves) == whole else None


def _is_number(term: Term) -> bool:
    return len(term) == 1 and isinstance(term[0], Fixed)


def _resolved_term(term: Term) -> tuple[Term, ...]:
    factors: list[Factor] = []
    for factor in term:
        for clean in _resolved_factor(factor):
            if clean.size == 1 and not _may_turn(clean) and (factors or not isinstance(clean, Digit | Wave)):
                continue
            last = factors[-1] if factors else None
            if isinstance(clean, Fixed) and isinstance(last, Fixed):
                factors[-1] = Fixed(last.size * clean.size)
            elif isinstance(clean, Digit) and isinstance(last, Digit) and clean.coordinate == last.coordinate:
                # Digits of one coordinate are reversed and exchanged alike, in whatever order they stand.
                factors[-1] = Digit(last.coordinate, last.size * clean.size, _common(last.path, clean.path))
            else:
                factors.append(clean)
    if len(factors) > 1:
        factors = [factor for factor in factors if factor.size != 1 or _may_turn(factor)] or factors[:1]
    if not factors:
        return ((Fixed(1),),)
    if isinstance(factors[0], Nested):  # (A + B) * C in C order is A * C + B * C
        if len(factors) == 1:
            return factors[0].axis.terms
        distributed = Axis(tuple((*inner, *factors[1:]) for inner in factors[0].axis.terms))
        return resolved(distributed).terms
    return (tuple(factors),)


def _resolved_factor(factor: Factor) -> Term:
    if isinstance(factor, Unknown):
        if factor.bound is None:
            return (factor,)
        return _as_factors(resolved(factor.bound))
    if isinstance(factor, Nested):
        return _as_factors(resolved(factor.axis))
    if isinstance(factor, Squared):
        inner = resolved(factor.axis)
        return _as_factors(inner) if permutes(inner) else (Squared(inner),)
    if isinstance(factor, Carried) and is_trivial(factor.rep):
        return (Fixed(factor.rep.dim),)
    return (factor,)


def _may_turn(factor: Factor) -> bool:
    """Whether a single feature may change its sign."""
    return isinstance(factor, Carried | Unknown)


def _as_factors(axis: Axis) -> Term:
    return axis.terms[0] if len(axis.terms) == 1 else (Nested(axis),)


def is_trivial(rep: Representation) -> bool:
    """Whether the group leaves every feature alone."""
    label = rep.group.trivial_label
    return all(segment.field.irrep == label for segment in rep.segments)


def permutes(axis: Axis) -> bool:
    """Whether the group is known to permute the axis, without signs."""
    return all(
        isinstance(factor, Fixed | Digit)
        or (isinstance(factor, Wave) and factor.moduli)
        or (isinstance(factor, Carried) and factor.rep.is_permutation)
        or (isinstance(factor, Nested) and permutes(factor.axis))
        for term in axis.terms
        for factor in term
    )


def unknowns(axis: Axis) -> list[Unknown]:
    """The unknowns of a resolved axis, in order."""
    found: list[Unknown] = []
    for term in axis.terms:
        for factor in term:
            if isinstance(factor, Unknown):
                found.append(factor)
            elif isinstance(factor, Nested | Squared):
                found += unknowns(factor.axis)
    return found


def is_alone(axis: Axis) -> bool:
    """Whether the group is known to leave a resolved axis alone."""
    if len(axis.terms) != 1:
        return False
    return _is_number(axis.terms[0]) or (axis.size == 1 and not any(map(_may_turn, axis.terms[0])))


def carried(rep: Representation) -> Axis:
    """An axis that carries ``rep``."""
    return resolved(single(Carried(rep)))


def is_squared(axis: Axis) -> bool:
    """Whether an axis has products ``u_i w_i`` of features on it."""
    return any(isinstance(factor, Squared) for term in axis.terms for factor in term)


def is_pixels(axis: Axis) -> bool:
    """Whether an axis is one coordinate of pixels."""
    terms = resolved(axis).terms
    return len(terms) == len(terms[0]) == 1 and isinstance(terms[0][0], Digit)


def exact(axis: Axis) -> Hashable:
    """An axis with the paths of its digits, which equality leaves out."""
    return tuple(tuple(_exact_factor(factor) for factor in term) for term in axis.terms)


def _exact_factor(factor: Factor) -> Hashable:
    if isinstance(factor, Digit):
        return (Digit, factor, factor.path)
    if isinstance(factor, Wave):
        return (Wave, factor, factor.side)
    if isinstance(factor, Nested | Squared):
        return (type(factor), exact(factor.axis))
    return (type(factor), factor)
