"""Unification of axes: unknowns are bound, sums cut at common boundaries, products factored at common sizes."""

from dataclasses import dataclass

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
    term_size,
)
from intertwine.tracing.bindings import ConflictError
from intertwine.tracing.cutting import Cutting
from intertwine.tracing.known_fields import same_action, same_product
from intertwine.tracing.normal_form import resolved


@dataclass
class Solver(Cutting):
    """Makes axes equal.

    Examples:
        >>> from intertwine.tracing.axes import fixed
        >>> solver = Solver()
        >>> heads, features = solver.factor(solver.fresh(64), (4, 16))
        >>> solver.unify(heads, fixed(4))
        >>> str(resolved(heads)), str(resolved(features))
        ('4', '?16')
    """

    def unify(self, first: Axis, second: Axis) -> None:
        """Make two axes one.

        Raises:
            ConflictError: they cannot be.
        """
        try:
            self._unify(resolved(first), resolved(second))
        except ConflictError as conflict:
            origins = [text for text in (*_origins(first), *_origins(second)) if text and text != self.place]
            if conflict.origins or not origins:
                raise
            raise ConflictError(str(conflict), tuple(dict.fromkeys(origins))) from None

    def _unify(self, one: Axis, two: Axis) -> None:
        if one == two:
            return
        if one.size != two.size:
            raise ConflictError(f"{one} meets {two}")
        bare_one, bare_two = _bare(one), _bare(two)
        if bare_two is not None and (bare_one is None or not bare_two.feature):
            self.bind(bare_two, one)
        elif bare_one is not None:
            self.bind(bare_one, two)
        else:
            self._unify_sums(one, two)

    def _unify_sums(self, one: Axis, two: Axis) -> None:
        left, right = list(one.terms), list(two.terms)
        if len(left) == len(right) == 1:
            self._unify_products(left[0], right[0])
            return
        while left and right:
            size = min(term_size(left[0]), term_size(right[0]))
            pair = []
            for terms in (left, right):
                term = terms.pop(0)
                if term_size(term) > size:
                    first, rest = self.cut_term(term, size)
                    terms[:0] = rest
                    pair.append(Axis(first))
                else:
                    pair.append(Axis((term,)))
            self._unify(*map(resolved, pair))

    def _unify_products(self, one: Term, two: Term) -> None:
        if len(one) != len(two) and same_product(one, two):
            return
        if len(one) == len(two) == 1:
            self._unify_factors(one[0], two[0])
            return
        left, right = list(one), list(two)
        while left and right:
            first, second = left.pop(0), right.pop(0)
            if first.size > second.size:
                outer, inner = self._split(first, second.size, one, two)
                left[:0] = inner
                first_axis, second_axis = Axis((outer,)), single(second)
            elif second.size > first.size:
                outer, inner = self._split(second, first.size, one, two)
                right[:0] = inner
                first_axis, second_axis = single(first), Axis((outer,))
            else:
                first_axis, second_axis = single(first), single(second)
            self._unify(resolved(first_axis), resolved(second_axis))

    def _split(self, factor: Factor, size: int, one: Term, two: Term) -> tuple[Term, Term]:
        if factor.size % size:
            raise ConflictError(f"{Axis((one,))} meets {Axis((two,))}")
        return self.factor_factor(factor, size)

    def _unify_factors(self, one: Factor, two: Factor) -> None:
        if isinstance(one, Carried) and isinstance(two, Carried) and same_action(one.rep, two.rep):
            return
        if isinstance(one, Nested | Squared) and isinstance(two, Nested | Squared) and type(one) is type(two):
            self._unify(resolved(one.axis), resolved(two.axis))
            return
        if one.size == two.size == 1 and isinstance(one, Fixed | Digit) and isinstance(two, Fixed | Digit):
            return
        if one.size == two.size == 1 and all(
            isinstance(factor, Fixed) or (isinstance(factor, Wave) and factor.waves == (0,)) for factor in (one, two)
        ):
            return  # the mean over the pixels
        raise ConflictError(f"{one} meets {two}")


def _bare(axis: Axis) -> Unknown | None:
    """The unknown that the whole axis is."""
    first = axis.terms[0]
    return first[0] if len(axis.terms) == len(first) == 1 and isinstance(first[0], Unknown) else None


def _origins(axis: Axis) -> list[str]:
    """Where the unknowns of an axis came up, and where they were found to be what they are."""
    found: list[str] = []
    for term in axis.terms:
        for factor in term:
            if isinstance(factor, Unknown):
                found += [factor.made, factor.bound_at]
                if factor.bound is not None:
                    found += _origins(factor.bound)
            elif isinstance(factor, Nested | Squared):
                found += _origins(factor.axis)
    return found
