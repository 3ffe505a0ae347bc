"""Axes cut into runs and factored into products: numbers and unknowns anywhere, representations by whole fields."""

from collections.abc import Sequence
from dataclasses import dataclass

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
    fixed,
    single,
    term_size,
)
from intertwine.tracing.bindings import Bindings, ConflictError
from intertwine.tracing.known_fields import cut_representation, inner_factor, matrix_factor, outer_factor
from intertwine.tracing.normal_form import is_trivial, resolved


@dataclass
class Cutting(Bindings):
    """Cuts and factors axes; unknowns are bound to sums and products of smaller ones."""

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
        if isinstance(factor, Wave):
            return ((factor.part(slice(size)),),), ((factor.part(slice(size, None)),),)
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
        if isinstance(factor, Wave):
            raise ConflictError(f"{factor} is no product of {outer} and {inner}")
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
    vector = matrix_factor(rep, outer)
    if vector is not None:
        return (Carried(vector),), (Carried(vector),)
    whole = inner_factor(rep, inner)
    if whole is not None:
        return (Fixed(outer) if is_trivial(whole) else Carried(whole),), (Fixed(inner),)
    raise ConflictError(f"{rep} does not fall into {outer} like runs of {inner} features")
