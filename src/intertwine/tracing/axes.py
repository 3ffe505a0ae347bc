"""What an axis of a tensor carries: a direct sum of products of factors, some of them still unknown.

An axis of 197 tokens is ``1 + y:14*x:14``, the channels of a flattened map are ``8xregular*y:5*x:5``, and the output of
a linear layer is an unknown of its width until something says more. Products are in C order, the first outermost.
"""

from dataclasses import dataclass, field
from math import prod

from intertwine.representations import Representation


@dataclass(frozen=True)
class Fixed:
    """``size`` features that the group leaves alone: samples, heads, copies, classes."""

    size: int

    def __str__(self) -> str:
        return str(self.size)


@dataclass(frozen=True)
class Digit:
    """A digit of a coordinate of the pixels, which the group reverses and exchanges with those of other coordinates.

    ``n - 1 - i`` reverses every digit of a number in mixed radix, so that windows and patches are digits too: 56 rows
    in windows of 7 are ``y:8 * y:7``.

    Attributes:
        coordinate: which axis of the pixels, counted in the images' own order.
        size: how many values it has.
        path: which digit of the coordinate, by the halves (0 outer, 1 inner) that it was factored into.
    """

    coordinate: int
    size: int
    path: tuple[int, ...] = field(default=(), compare=False)

    def __str__(self) -> str:
        return f"{'yxz'[self.coordinate]}:{self.size}"


@dataclass(frozen=True)
class Carried:
    """Features that carry a known representation."""

    rep: Representation

    @property
    def size(self) -> int:
        return self.rep.dim

    def __str__(self) -> str:
        return f"[{self.rep}]"


@dataclass(eq=False)
class Unknown:
    """Features whose representation is not known yet: a node of the unification.

    Attributes:
        size: how many.
        made: where it came up, in words.
        feature: whether it depends on the model's input: then the policy for hidden features types it, and otherwise
            the group leaves it alone.
        needs: what must be true of its representation, each with the place that asks for it: ``"pointwise"`` (the group
            permutes it), ``"ones"`` (the group fixes the vector of ones).
        bound: what it has been found to be.
        bound_at: where, in words.
    """

    size: int
    made: str = ""
    feature: bool = False
    needs: dict[str, str] = field(default_factory=dict)
    bound: "Axis | None" = None
    bound_at: str = ""

    def __str__(self) -> str:
        return f"?{self.size}"


@dataclass(frozen=True)
class Squared:
    """Products ``u_i w_i`` of two features of one type: where the group does not permute these their sum counts."""

    axis: "Axis"

    @property
    def size(self) -> int:
        return self.axis.size

    def __str__(self) -> str:
        return f"({self.axis})^2"


@dataclass(frozen=True)
class Nested:
    """A direct sum as a factor of a product."""

    axis: "Axis"

    @property
    def size(self) -> int:
        return self.axis.size

    def __str__(self) -> str:
        return f"({self.axis})"


Factor = Fixed | Digit | Carried | Unknown | Squared | Nested
Term = tuple[Factor, ...]


@dataclass(frozen=True)
class Axis:
    """A direct sum of terms, each a product of factors.

    Examples:
        >>> str(Axis(((Fixed(1),), (Digit(0, 14), Digit(1, 14)))))
        '1 + y:14*x:14'
    """

    terms: tuple[Term, ...]

    @property
    def size(self) -> int:
        return sum(term_size(term) for term in self.terms)

    def __str__(self) -> str:
        return " + ".join("*".join(str(factor) for factor in term) for term in self.terms) or "0"

    def __repr__(self) -> str:
        return f"<{self}>"


def single(factor: Factor) -> Axis:
    """An axis of one factor."""
    return Axis(((factor,),))


def fixed(size: int) -> Axis:
    """An axis that the group leaves alone."""
    return single(Fixed(size))


def carried(rep: Representation) -> Axis:
    """An axis that carries ``rep``."""
    return resolved(single(Carried(rep)))


def term_size(term: Term) -> int:
    """Length of a product."""
    return prod(factor.size for factor in term)


def resolved(axis: Axis) -> Axis:
    """The axis in normal form: what unknowns were found to be in their places, like neighbours merged.

    Factors of size 1 are left out beside others, products of numbers multiplied, sums of numbers added, trivial
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
            elif clean[0].size or len(clean) > 1:
                terms.append(clean)
    return Axis(tuple(terms) or ((Fixed(0),),))


def _common(one: tuple[int, ...], two: tuple[int, ...]) -> tuple[int, ...]:
    size = next((i for i, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), min(len(one), len(two)))
    return one[:size]


def _is_number(term: Term) -> bool:
    return len(term) == 1 and isinstance(term[0], Fixed)


def _resolved_term(term: Term) -> tuple[Term, ...]:
    factors: list[Factor] = []
    for factor in term:
        for clean in _resolved_factor(factor):
            if clean.size == 1 and (factors or not isinstance(clean, Digit)):
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
        factors = [factor for factor in factors if factor.size != 1] or factors[:1]
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
    return len(axis.terms) == 1 and (_is_number(axis.terms[0]) or axis.size == 1)
