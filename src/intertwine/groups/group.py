"""A group as users have it: structure, representations, and direct products with other groups."""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from intertwine._arguments import is_integer
from intertwine._numerics import Array
from intertwine.errors import ArgumentError, GroupMismatchError
from intertwine.groups.constructors import Constructors
from intertwine.groups.irreps.products import PairIrrep
from intertwine.groups.product import PairOfGroups
from intertwine.representations.derived import WrappedField
from intertwine.representations.field import Field
from intertwine.representations.irrep_field import IrrepField
from intertwine.representations.representation import Representation
from intertwine.representations.segment import Segment


def numbered(*words: str) -> str:
    """The pattern of ``"C4"``, ``"C(4)"`` and ``"Cyclic(4)"`` for the words C and Cyclic."""
    return rf"(?:{'|'.join(words)})(\()?(?P<n>\d{{1,6}})(?(1)\))"


class Group(Constructors):
    """A group: it makes representations, and with another group a product.

    Families of groups are frozen dataclasses that inherit from this class, through ``FiniteGroupBase`` or
    ``CompactLieGroupBase`` where they are of that kind, and state what ``representations.AbstractGroup`` asks for.

    Source:
        Serre 1977, "Linear representations of finite groups", 1.2 (regular, permutation), 3.3 (induced from a
        subgroup: quotient).

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Cyclic(4)
        >>> isinstance(G, iw.Group), G.irreps("2x0 + 1").dim, G * iw.Symmetric(3)
        (True, 4, C4 * S3)
    """

    # How a text names the groups of a class: regular expressions with the constructor's arguments, and the arguments
    # that each implies; then how an error lists them.
    spellings: ClassVar[tuple[tuple[str, dict[str, Any]], ...]] = ()
    spelled: ClassVar[str] = ""

    @classmethod
    def from_text(cls, text: str) -> "Group | None":
        """The group of this class that ``text`` names; None if it names none.

        Examples:
            >>> import intertwine as iw
            >>> iw.Cyclic.from_text("C4"), iw.Octahedral.from_text("Oh"), iw.Cyclic.from_text("D4")
            (C4, Oh, None)
        """
        for pattern, implied in cls.spellings:
            match = re.fullmatch(pattern, text)
            if match is not None:
                said = {
                    key: int(value) if value.isdigit() else value for key, value in match.groupdict().items() if value
                }
                return cls(**implied, **said)
        return None

    def __mul__(self, other: object) -> "DirectProduct":
        if not isinstance(other, Group):
            raise ArgumentError(
                "other",
                expected=f"a group, to multiply {self} with",
                got=repr(other),
                advice="Multiples are of representations, as in 3 * G.regular().",
            )
        return DirectProduct(self, other)


@dataclass(frozen=True, repr=False)
class DirectProduct(PairOfGroups, Group):
    """``G * H``: pairs (g, h) as block-diagonal matrices, the generators of G before those of H.

    Irreps are outer products ``"a*b"`` of an irrep a of G and b of H, in Kronecker order, where one of them is of real
    type; other pairs are reducible over the reals and their parts are called ``"a*b:0"``, ``"a*b:1"``.

    Args:
        first: the factor G.
        second: the factor H.

    Raises:
        ArgumentError: a factor is no group.

    Source:
        Serre 1977, "Linear representations of finite groups", 3.2; over the reals by types of the factors, as in
        13.2.

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Cyclic(4) * iw.Symmetric(3)
        >>> G, G.order
        (C4 * S3, 24)
        >>> pixels_of_points = G.outer(iw.Cyclic(4).grid(3, 3), iw.Symmetric(3).defining())
        >>> pixels_of_points.dim
        27
    """

    first: Group
    second: Group

    def __post_init__(self) -> None:
        for argument, value in (("first", self.first), ("second", self.second)):
            if not isinstance(value, Group):
                raise ArgumentError(argument, expected="a group", got=repr(value))

    @property
    def factors(self) -> tuple[Group, Group]:
        return self.first, self.second

    def standard(self) -> Representation:
        """The sum of the factors' standard representations, on the features of the first, then those of the second."""
        return self.lift(self.first.standard(), which=0) + self.lift(self.second.standard(), which=1)

    def lift(self, rep: Representation, *, which: int | None = None) -> Representation:
        """A representation of one factor; the other acts trivially.

        Args:
            rep: a representation of a factor.
            which: 0 or 1, the factor; needed if both are the same group.

        Raises:
            GroupMismatchError: ``rep`` is of neither factor, or not of the one that ``which`` says.
            ArgumentError: ``which`` is missing or not 0 or 1.

        Examples:
            >>> import intertwine as iw
            >>> (iw.SO(3) * iw.Cyclic(4)).lift(iw.Cyclic(4).regular())
            Representation(SO(3) * C4: C4:regular)
        """
        if not isinstance(rep, Representation):
            raise ArgumentError("rep", expected=f"a representation of {self.first} or {self.second}", got=repr(rep))
        if which is None:
            matches = [i for i, factor in enumerate(self.factors) if factor == rep.group]
            if len(matches) > 1:
                raise ArgumentError("which", expected=f"0 or 1, as both factors are {self.first}", got="None")
            if not matches:
                raise GroupMismatchError(
                    "rep", expected=f"a representation of {self.first} or {self.second}", got=f"one of {rep.group}"
                )
            which = matches[0]
        if not is_integer(which, 0, 1):
            raise ArgumentError("which", expected="0 (first factor) or 1 (second)", got=repr(which))
        if rep.group != self.factors[which]:
            raise GroupMismatchError(
                "rep", expected=f"a representation of {self.factors[which]}", got=f"one of {rep.group}"
            )
        return Representation(self, tuple(Segment(s.mul, self._lifted(s.field, which), s.layout) for s in rep.segments))

    def _lifted(self, field: Field, which: int) -> Field:
        if not isinstance(field, IrrepField):
            return LiftedField(self, field, which)
        if which == 0:
            return IrrepField(self, self.pairs(field.label, self.second.trivial_label)[0].label)
        return IrrepField(self, self.pairs(self.first.trivial_label, field.label)[0].label)

    def outer(self, rep_first: Representation, rep_second: Representation) -> Representation:
        """The outer product ``rho_1(g) (x) rho_2(h)`` on features ``x_i y_j``, index ``i * rep_second.dim + j``.

        Args:
            rep_first: a representation of the first factor.
            rep_second: a representation of the second factor.

        Raises:
            GroupMismatchError: a representation is not of its factor.

        Examples:
            >>> import intertwine as iw
            >>> G = iw.SO(3) * iw.Symmetric(4)
            >>> G.outer(iw.SO(3).irreps("2x1"), iw.Symmetric(4).standard())
            Representation(SO(3) * S4: 2x1*[3,1])
        """
        first, second = self.lift(rep_first, which=0), self.lift(rep_second, which=1)
        if len(rep_second.segments) == 1 and rep_second.segments[0].mul == 1:
            named = [self._outer_irrep(segment, rep_second.segments[0].field) for segment in rep_first.segments]
            if all(segment is not None for segment in named):
                return Representation(self, tuple(segment for segment in named if segment is not None))
        return first.tensor(second)

    def _outer_irrep(self, segment: Segment, field: Field) -> Segment | None:
        """The copies of an outer product that is a named irrep in Kronecker order; None for any other."""
        if not isinstance(segment.field, IrrepField) or not isinstance(field, IrrepField) or segment.layout != "mul_ir":
            return None
        pair = PairIrrep(segment.field, field, None)
        return Segment(segment.mul, IrrepField(self, pair.label)) if pair.part_count == 0 else None


@dataclass(frozen=True)
class LiftedField(WrappedField):
    """A field of one factor of a direct product; the other factor acts trivially."""

    group: DirectProduct
    field: Field
    which: int

    @property
    def name(self) -> str:
        place = f"[{self.which}]" if self.group.first == self.group.second else ""
        return f"{self.field.group}{place}:{self.field.name}"

    def matrices(self, elements: Array) -> Array:
        return self.field.matrices(self.group.factor_elements(elements)[self.which])

    def algebra(self) -> Array:
        other = np.zeros((len(self.group.factors[1 - self.which].algebra_matrices()), self.dim, self.dim))
        own = self.field.algebra()
        return np.concatenate([own, other] if self.which == 0 else [other, own])

    def signed_permutations(self, elements: Array) -> tuple[Array, Array] | None:
        return self.field.signed_permutations(self.group.factor_elements(elements)[self.which])
