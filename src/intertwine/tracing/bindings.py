"""Unknowns and what they were found to be, step by step, so that every step can be undone."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial

from intertwine.tracing.axes import (
    Axis,
    Carried,
    Digit,
    Nested,
    Squared,
    Unknown,
    Wave,
    fixed,
    single,
)
from intertwine.tracing.normal_form import resolved, unknowns


class ConflictError(Exception):
    """Two types that cannot be one; the message names them, and ``origins`` the places that each came from."""

    def __init__(self, text: str, origins: tuple[str, ...] = ()) -> None:
        self.origins = origins
        super().__init__(text)


class CannotActError(Exception):
    """The group takes a tensor of this type to no tensor of the same: one coordinate without another."""


class UntypedError(Exception):
    """A parameter whose axes make no projector; the message says why."""


@dataclass
class Bindings(ABC):
    """Binds unknowns; every step can be undone.

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

    def entries(self, size: int) -> Axis:
        """The entries along an axis of a parameter: a single one may carry a sign."""
        return single(Unknown(size, self.place))

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

    @abstractmethod
    def unify(self, first: Axis, second: Axis) -> None:
        """Make two axes one."""


def _forget(needs: dict[str, str], kind: str) -> None:
    needs.pop(kind, None)


# The axes of a parameter, and the one of its outputs where that is known.
Weighed = tuple[Sequence[Axis], int | None]


def without_direction(parameters: Iterable[Weighed]) -> list[Unknown]:
    """The features that parameters make of invariants alone, directly or over several layers, bound since then or not.

    An equivariant weight from invariants to a vector is zero, and one from invariants to a field that the group
    permutes is constant on it. So such features are best typed invariant: nothing is lost, and every weight stays free.

    Args:
        parameters: the axes of each, and which of them are its outputs. A weight with known outputs makes these of
            its other axes; of any other parameter each axis is made of the others, as learnt positions bring
            directions to features.
    """
    births = list(_births(parameters))
    moved: set[Unknown] = set()
    grew = True
    while grew:
        grew = False
        for made, sources in births:
            fresh = made - moved
            if fresh and any(_moves(source, moved) for source in sources):
                moved |= fresh
                grew = True
    born = dict.fromkeys(node for made, _ in births for node in made)
    return [node for node in born if node not in moved and node.feature]


def _births(parameters: Iterable[Weighed]) -> Iterable[tuple[set[Unknown], Sequence[Axis]]]:
    for given, output in parameters:
        axes = [resolved(axis) for axis in given]
        for position in range(len(axes)) if output is None else [output]:
            yield set(_chain(given[position])), axes[:position] + axes[position + 1 :]


def _chain(axis: Axis) -> Iterable[Unknown]:
    """Every unknown of an axis, those too that are bound, and those that these are bound to."""
    for term in axis.terms:
        for factor in term:
            if isinstance(factor, Unknown):
                yield factor
                if factor.bound is not None:
                    yield from _chain(factor.bound)
            elif isinstance(factor, Nested | Squared):
                yield from _chain(factor.axis)


def _moves(axis: Axis, moved: set[Unknown]) -> bool:
    """Whether the group moves anything on an axis in normal form."""
    return any(
        (isinstance(factor, Digit | Wave) and factor.size > 1)
        or isinstance(factor, Carried)
        or (isinstance(factor, Unknown) and factor in moved)
        or (isinstance(factor, Nested | Squared) and _moves(resolved(factor.axis), moved))
        for term in axis.terms
        for factor in term
    )
