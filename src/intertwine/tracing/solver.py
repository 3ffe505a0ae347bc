"""Unification of axes: unknowns are bound, sums cut at common boundaries, products factored at common sizes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

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
    fixed,
    is_trivial,
    resolved,
    single,
    term_size,
    unknowns,
)
from intertwine.tracing.known_fields import cut_representation, inner_factor, outer_factor, same_action


class ConflictError(Exception):
    """Two types that cannot be one; the message names them, and ``origins`` the places that each came from."""

    def __init__(self, text: str, origins: tuple[str, ...] = ()) -> None:
        self.origins = origins
        super().__init__(text)


@dataclass
class Solver:
    """Binds unknowns so that axes become equal; every step can be undone.

    Attributes:
        place: where the call that is being typed stands, in words; kept with what is bound there.
        splits: the factors of products into which an unknown was factored: at most one of each will not be alone.
    """

    place: str = ""
    splits: list[tuple[Unknown, ...]] = field(default_factory=list)
    _trail: list[Callable[[], None]] = field(default_factory=list)

    # -- undoing ----------------------------------------------------------------------------------

    def attempt(self, action: Callable[[], object]) -> bool:
        """Whether ``action`` runs without a conflict; if it does not, everything that it bound is undone."""
        mark = len(self._trail)
        try:
            action()
        except ConflictError:
            while len(self._trail) > mark:
                self._trail.pop()()
            return False
        return True

    # -- unknowns ---------------------------------------------------------------------------------

    def fresh(self, size: int, *, feature: bool = False) -> Axis:
        """An unknown of ``size`` features (a number if there is one at most)."""
        return fixed(size) if size <= 1 else single(Unknown(size, self.place, feature))

    def need(self, axis: Axis, kind: str) -> None:
        """Record what must be true of every unknown of the axis."""
        for node in unknowns(resolved(axis)):
            self._add_need(node, kind, self.place)

    def mark_feature(self, axis: Axis) -> None:
        """The axis belongs to something that depends on the input, so that the policy types its unknowns."""
        for node in unknowns(resolved(axis)):
            if not node.feature:
                node.feature = True
                self._trail.append(partial(setattr, node, "feature", False))

    def bind(self, node: Unknown, axis: Axis) -> None:
        """Say what an unknown is."""
        clean = resolved(axis)
        if clean.terms == ((node,),):
            return
        inner = unknowns(clean)
        if any(one is node for one in inner):
            raise ConflictError(f"{node} meets {clean}, which holds it")
        for one in inner:
            for kind, place in node.needs.items():
                self._add_need(one, kind, place)
            if node.feature and not one.feature:
                one.feature = True
                self._trail.append(partial(setattr, one, "feature", False))
        node.bound, node.bound_at = clean, self.place

        def undo() -> None:
            node.bound, node.bound_at = None, ""

        self._trail.append(undo)

    def _add_need(self, node: Unknown, kind: str, place: str) -> None:
        if kind not in node.needs:
            node.needs[kind] = place
            self._trail.append(lambda: _forget(node.needs, kind))

    # -- unification ------------------------------------------------------------------------------

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
        raise ConflictError(f"{one} meets {two}")

    # -- cutting and factoring --------------------------------------------------------------------

    def cut(self, axis: Axis, sizes: Sequence[int]) -> list[Axis]:
        """The axis as consecutive runs of these lengths.

        Raises:
            ConflictError: a cut goes through a field, or through pixels.
        """
        terms = list(resolved(axis).terms)
        pieces = []
        for size in sizes:
            piece: list[Term] = []
            left = size
            while left:
                term = terms.pop(0)
                if term_size(term) > left:
                    first, rest = self.cut_term(term, left)
                    terms[:0] = rest
                    piece += first
                    left = 0
                else:
                    piece.append(term)
                    left -= term_size(term)
            pieces.append(resolved(Axis(tuple(piece) or ((Fixed(0),),))))
        return pieces

    def cut_term(self, term: Term, size: int) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
        """The first ``size`` entries of a product, and the rest."""
        head, rest = term[0], term[1:]
        inner = term_size(rest)
        copies, within = divmod(size, inner)
        if not rest:
            return self._cut_factor(head, size)
        if within and not isinstance(head, Fixed):
            self.unify(single(head), fixed(head.size))
            head = Fixed(head.size)
        first: list[Term] = []
        last: list[Term] = []
        if within:
            if copies:
                first.append((Fixed(copies), *rest))
            begin, end = self.cut_term(rest, within)
            first += begin
            last += end
            if head.size - copies - 1:
                last.append((Fixed(head.size - copies - 1), *rest))
        else:
            begin, end = self._cut_factor(head, copies)
            first = [(*part, *rest) for part in begin]
            last = [(*part, *rest) for part in end]
        return resolved(Axis(tuple(first))).terms, resolved(Axis(tuple(last))).terms

    def _cut_factor(self, factor: Factor, size: int) -> tuple[tuple[Term, ...], tuple[Term, ...]]:
        rest = factor.size - size
        if isinstance(factor, Fixed):
            return ((Fixed(size),),), ((Fixed(rest),),)
        if isinstance(factor, Unknown):
            parts = [Unknown(n, factor.made, factor.feature) for n in (size, rest)]
            self.bind(factor, Axis(tuple((part,) for part in parts)))
            return ((parts[0],),), ((parts[1],),)
        if isinstance(factor, Nested | Squared):
            pieces = self.cut(factor.axis, (size, rest))
            if isinstance(factor, Squared):
                return ((Squared(pieces[0]),),), ((Squared(pieces[1]),),)
            return pieces[0].terms, pieces[1].terms
        if isinstance(factor, Carried):
            cut = cut_representation(factor.rep, size)
            if cut is not None:
                return ((Carried(cut[0]),),), ((Carried(cut[1]),),)
        raise ConflictError(f"a cut after {size} of {factor} goes through what the group mixes")

    def factor(self, axis: Axis, sizes: Sequence[int]) -> list[Axis]:
        """The axis as a product of axes of these lengths, the first outermost.

        Raises:
            ConflictError: it is none.
        """
        left = resolved(axis)
        found = []
        for position, size in enumerate(sizes):
            rest = 1
            for other in sizes[position + 1 :]:
                rest *= other
            outer, left = self.factor_axis(left, size, rest)
            found.append(outer)
        return found

    def factor_axis(self, axis: Axis, outer: int, inner: int) -> tuple[Axis, Axis]:
        """The axis as ``outer * inner``."""
        clean = resolved(axis)
        if clean.size != outer * inner:
            raise ConflictError(f"{clean} has no factors {outer} and {inner}")
        if inner == 1:
            return clean, fixed(1)
        if outer == 1:
            return fixed(1), clean
        if len(clean.terms) == 1:
            first, last = self._factor_term(clean.terms[0], outer)
            return resolved(Axis((first,))), resolved(Axis((last,)))
        found: list[tuple[Axis, Axis]] = []
        if self.attempt(lambda: found.append(self._equal_chunks(clean, outer, inner))):
            return found[0]
        if all(term_size(term) % inner == 0 for term in clean.terms):
            parts = [self.factor_axis(Axis((term,)), term_size(term) // inner, inner) for term in clean.terms]
            for _, last_axis in parts[1:]:
                self.unify(parts[0][1], last_axis)
            whole = Axis(tuple(term for first_axis, _ in parts for term in first_axis.terms))
            return resolved(whole), resolved(parts[0][1])
        raise ConflictError(f"{clean} is no product of {outer} and {inner}")

    def _equal_chunks(self, axis: Axis, outer: int, inner: int) -> tuple[Axis, Axis]:
        chunks = self.cut(axis, (inner,) * outer)
        for chunk in chunks[1:]:
            self.unify(chunks[0], chunk)
        return fixed(outer), resolved(chunks[0])

    def _factor_term(self, term: Term, outer: int) -> tuple[Term, Term]:
        first: list[Factor] = []
        rest = list(term)
        done = 1
        while done < outer:
            factor = rest.pop(0)
            if outer % (done * factor.size) == 0:
                first.append(factor)
                done *= factor.size
                continue
            size = outer // done
            if outer % done or factor.size % size:
                raise ConflictError(f"{Axis((term,))} is no product of {outer} and {term_size(term) // outer}")
            before, after = self.factor_factor(factor, size)
            first += before
            rest[:0] = after
            done *= size
        return tuple(first) or (Fixed(1),), tuple(rest) or (Fixed(1),)

    def factor_factor(self, factor: Factor, outer: int) -> tuple[Term, Term]:
        """One factor as ``outer * (size / outer)``."""
        inner = factor.size // outer
        if outer == 1:
            return (Fixed(1),), (factor,)
        if inner == 1:
            return (factor,), (Fixed(1),)
        if isinstance(factor, Fixed | Digit | Unknown):
            parts = self._atom_factors(factor, (outer, inner))
            return (parts[0],), (parts[1],)
        if isinstance(factor, Carried):
            return _factor_known(factor.rep, outer, inner)
        pieces = self.factor_axis(factor.axis, outer, inner)
        wrap = Squared if isinstance(factor, Squared) else Nested
        return (wrap(pieces[0]),), (wrap(pieces[1]),)

    def _atom_factors(self, factor: Fixed | Digit | Unknown, sizes: tuple[int, int]) -> tuple[Factor, Factor]:
        if isinstance(factor, Fixed):
            return Fixed(sizes[0]), Fixed(sizes[1])
        if isinstance(factor, Digit):
            one, two = (Digit(factor.coordinate, size, (*factor.path, i)) for i, size in enumerate(sizes))
            return one, two
        parts = Unknown(sizes[0], factor.made, factor.feature), Unknown(sizes[1], factor.made, factor.feature)
        self.bind(factor, Axis((parts,)))
        self.splits.append(parts)
        self._trail.append(lambda: self.splits.remove(parts))
        return parts


def _factor_known(rep: Representation, outer: int, inner: int) -> tuple[Term, Term]:
    chunk = outer_factor(rep, outer)
    if chunk is not None:
        return (Fixed(outer),), (Carried(chunk),)
    whole = inner_factor(rep, inner)
    if whole is not None:
        return (Fixed(outer) if is_trivial(whole) else Carried(whole),), (Fixed(inner),)
    raise ConflictError(f"{rep} does not fall into {outer} like runs of {inner} features")


def _bare(axis: Axis) -> Unknown | None:
    """The unknown that the whole axis is."""
    first = axis.terms[0]
    return first[0] if len(axis.terms) == len(first) == 1 and isinstance(first[0], Unknown) else None


def _forget(needs: dict[str, str], kind: str) -> None:
    needs.pop(kind, None)


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
