"""What unknown features carry: the choice that a model leaves open, made once all constraints are in."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from itertools import combinations

import numpy as np

from intertwine._numerics import Array
from intertwine.errors import ArgumentError, SizeLimitError
from intertwine.groups import FiniteGroup, Group
from intertwine.groups.adapters.notation import as_representation
from intertwine.groups.enumeration import multiplication_table
from intertwine.representations import Representation
from intertwine.tracing.axes import Axis, Unknown, fixed, single
from intertwine.tracing.normal_form import carried, is_alone, resolved, unknowns
from intertwine.tracing.solver import Solver


class HiddenByUnknown(ABC):
    """A policy that tells the unknowns of a model apart, where others see their widths alone."""

    @abstractmethod
    def representation(self, number: int, size: int, made: str) -> Representation:
        """What the unknown of this number carries, as the constraints of a run leave them open, in order.

        Args:
            number: counted from 0.
            size: its width.
            made: the place where it came up.
        """


Policy = Callable[[int], object] | HiddenByUnknown

# Larger groups have too many subgroups to list; their features fall back on the points that they permute.
MAX_ORDER = 192


@lru_cache(maxsize=32)
def quotient_fields(group: Group) -> tuple[Representation, ...]:
    """One quotient field G/H for every class of conjugate subgroups H, the largest first: from regular to trivial.

    Subgroups are those that up to two elements generate. Of fields of one size those come first to which most vectors
    have a path: 24 channels under the octahedral group with reflections are G/{1, mirror}, not G/{1, -1}.

    Examples:
        >>> import intertwine as iw
        >>> [rep.dim for rep in quotient_fields(iw.Dihedral(4))]
        [8, 4, 4, 4, 2, 2, 2, 1]
    """
    elements, fields = group.element_matrices(), []
    for members, generators in subgroup_classes(group):
        if len(members) == 1:
            field = group.regular()
        elif len(members) == group.order:
            field = group.trivial()
        else:
            subgroup = FiniteGroup(elements[list(generators)], name=f"H{len(members)}")
            field = group.quotient(subgroup)
        vectors = float(np.trace(elements[list(members)], axis1=1, axis2=2).mean())  # that H leaves as they are
        fields.append((-field.dim, -round(vectors, 6), field))
    return tuple(field for *_, field in sorted(fields, key=lambda entry: entry[:2]))


@lru_cache(maxsize=32)
def subgroup_classes(group: Group) -> tuple[tuple[frozenset[int], tuple[int, ...]], ...]:
    """One subgroup of every class of conjugate ones, the trivial one first: its elements and what generates it.

    Elements are numbered as in ``group.element_matrices()``. Subgroups are those that up to two elements generate.

    Raises:
        SizeLimitError: the group has more than ``MAX_ORDER`` elements.
    """
    if group.order > MAX_ORDER:
        raise SizeLimitError("group", expected=f"a group of at most {MAX_ORDER} elements", got=f"{group.order}")
    table = multiplication_table(group)
    inverse = np.argmax(table == 0, axis=1)
    found: dict[frozenset[int], tuple[int, ...]] = {frozenset({0}): ()}
    generated: dict[frozenset[int], None] = {}
    cyclic: dict[frozenset[int], int] = {}
    for g in range(len(table)):
        cyclic.setdefault(_generated(table, (g,)), g)
    for one, two in combinations(cyclic.values(), 2):
        generated[_generated(table, (one, two))] = None
    for members in (*cyclic, *generated):
        conjugates = {frozenset(int(table[table[g, h], inverse[g]]) for h in members) for g in range(len(table))}
        if not conjugates & set(found):
            found[members] = tuple(sorted(members - {0}))
    return tuple(found.items())


def _generated(table: Array, generators: tuple[int, ...]) -> frozenset[int]:
    members, fresh = {0}, [0]
    while fresh:
        fresh = [int(g) for g in {table[a, b] for a in fresh for b in generators} - members]
        members |= set(fresh)
    return frozenset(members)


def default_policy(group: Group) -> Callable[[int], Representation]:
    """What hidden features carry where nobody says.

    Finite groups: quotient fields, greedily, the largest first, so that every width is filled: 64 channels under D4 are
    eight regular fields, under the octahedral group ``2 x 24 + 12 + 4``. Each has an invariant, and pointwise functions
    commute with all of them. Lie groups: as wide as the standard representation, that itself; else copies of it for
    about half of the features and invariants for the rest. (Features that meet a pointwise function are invariant there
    whatever the policy says.)

    Examples:
        >>> import intertwine as iw
        >>> default_policy(iw.Dihedral(4))(64), default_policy(iw.O(3))(32)
        (Representation(D4: 8xregular), Representation(O(3): 17x0e + 5x1o))
    """
    if group.is_finite:
        return lambda width: _quotients(group, width)
    return lambda width: _vectors(group, width)


def _quotients(group: Group, width: int) -> Representation:
    try:
        fields: tuple[Representation, ...] = quotient_fields(group)
    except SizeLimitError:
        points = group.defining()
        fields = (*((points,) if points.is_permutation else ()), group.trivial())
    rep, left = Representation(group, ()), width
    for field in fields:
        copies = left // field.dim
        rep, left = rep + copies * field, left - copies * field.dim
    return rep


def _vectors(group: Group, width: int) -> Representation:
    standard = group.standard()
    copies = 1 if width == standard.dim else width // (2 * standard.dim)
    rep: Representation = (width - copies * standard.dim) * group.trivial() + copies * standard
    return rep


class Decisions:
    """Types what the constraints left open, in the order that loses least; says what was forced.

    Args:
        solver: with all constraints.
        group: that acts.
        policy: width to representation.

    Attributes:
        forced: sizes of what a pointwise function leaves invariant, by place.
        chosen: the unknowns that the policy typed, in order.
    """

    def __init__(self, solver: Solver, group: Group, policy: Policy | None) -> None:
        self._solver, self._group = solver, group
        self._given = policy
        self._policy = policy or default_policy(group)
        self.forced: dict[tuple[str, str], list[int]] = {}
        self.chosen: list[Unknown] = []

    def decide(self, axes: list[Axis]) -> None:
        """Bind every unknown of ``axes``."""
        nodes = list(dict.fromkeys(node for axis in axes for node in unknowns(resolved(axis))))
        for node in nodes:
            self._decide_needs(node)
        for parts in self._solver.splits:
            self._decide_split(parts)
        for node in nodes:
            for left in unknowns(resolved(single(node))):
                self._decide_alone(left)

    def leave_alone(self, nodes: Iterable[Unknown]) -> None:
        """Bind unknowns to invariants."""
        for node in nodes:
            if node.bound is None:
                self._solver.place = node.made
                self._solver.bind(node, fixed(node.size))

    def _decide_needs(self, node: Unknown) -> None:
        """Lie groups: what a pointwise function meets is invariant, unless a policy was given that says otherwise."""
        if node.bound is None and not self._group.is_finite and node.needs and self._given is None:
            kind, place = next(iter(node.needs.items()))
            if node.feature and node.size > 1 and not self._is_heads(node):
                self.forced.setdefault((place, kind), []).append(node.size)
            self._solver.place = place
            self._solver.bind(node, fixed(node.size))

    def _is_heads(self, node: Unknown) -> bool:
        """Whether an unknown counts heads, beside whose features it carries nothing by itself."""
        return any(
            node in parts and any(other is not node and other.bound is None and not other.needs for other in parts)
            for parts in self._solver.splits
        )

    def _decide_split(self, parts: tuple[Unknown, ...]) -> None:
        """Of the factors of a product one carries a representation: fields inside if there is room, else outside."""
        open_parts = list(_open(parts))
        if not any(node.feature for node in open_parts):  # those of tables may be found later, by what reads them
            return
        if all(_is_open(part) or is_alone(resolved(single(part))) for part in parts):
            room = self._group.order if self._group.is_finite else 0
            wide = [node for node in reversed(open_parts) if node.size >= max(room, 2)]
            standard = None if self._group.is_finite else self._group.standard().dim
            fitting = [node for node in reversed(open_parts) if node.size == standard]
            chosen = next(iter(fitting or wide or sorted(open_parts, key=lambda node: -node.size)))
            self._decide_alone(chosen)
        for node in open_parts:
            if node.bound is None:
                self._solver.bind(node, fixed(node.size))

    def _decide_alone(self, node: Unknown) -> None:
        if node.bound is None:
            self._solver.bind(node, self._chosen(node) if node.feature else fixed(node.size))

    def _chosen(self, node: Unknown) -> Axis:
        policy = self._policy
        if isinstance(policy, HiddenByUnknown):
            given: object = policy.representation(len(self.chosen), node.size, node.made)
        else:
            given = policy(node.size)
        self.chosen.append(node)
        rep = as_representation(given, f"hidden({node.size})")
        if rep.dim != node.size or rep.group != self._group:
            raise ArgumentError(
                "hidden",
                expected=f"a representation of {self._group} of dimension {node.size}, for features of {node.made}",
                got=f"{rep} of {rep.group}, dimension {rep.dim}",
            )
        return carried(rep)


def _is_open(part: Unknown) -> bool:
    """Whether a factor is still unknown, under whatever name."""
    terms = resolved(single(part)).terms
    return len(terms) == len(terms[0]) == 1 and isinstance(terms[0][0], Unknown)


def _open(parts: tuple[Unknown, ...]) -> Iterator[Unknown]:
    for part in parts:
        if _is_open(part):
            yield unknowns(resolved(single(part)))[0]
