"""Direct products: two groups that act independently."""

from dataclasses import dataclass

import numpy as np
import torch

from intertwine._arguments import is_integer
from intertwine._numerics import INPUT_TOLERANCE, Array
from intertwine.errors import ArgumentError, GroupMismatchError, SizeLimitError
from intertwine.groups.enumeration import check_listable
from intertwine.groups.group import Group
from intertwine.groups.irreps.products import PairIrrep, find_pair, pairs_of
from intertwine.representations.field import Field
from intertwine.representations.irrep_field import IrrepField
from intertwine.representations.representation import Representation
from intertwine.representations.segment import Segment


class FactorGroup(Group):
    """A group that can be multiplied with another: ``G * H``."""

    def __mul__(self, other: object) -> "DirectProduct":
        if not isinstance(other, FactorGroup):
            raise ArgumentError(
                "other",
                expected=f"a group, to multiply {self} with",
                got=repr(other),
                advice="Multiples are of representations, as in 3 * G.regular().",
            )
        return DirectProduct(self, other)


@dataclass(frozen=True, repr=False)
class DirectProduct(FactorGroup):
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

    first: FactorGroup
    second: FactorGroup

    def __post_init__(self) -> None:
        for argument, value in (("first", self.first), ("second", self.second)):
            if not isinstance(value, FactorGroup):
                raise ArgumentError(argument, expected="a group", got=repr(value))

    @property
    def name(self) -> str:
        return " * ".join(
            f"({factor})" if isinstance(factor, DirectProduct) else str(factor) for factor in self.factors
        )

    @property
    def factors(self) -> tuple[FactorGroup, FactorGroup]:
        """``(first, second)``."""
        return self.first, self.second

    @property
    def is_finite(self) -> bool:
        return self.first.is_finite and self.second.is_finite

    @property
    def is_compact(self) -> bool:
        return self.first.is_compact and self.second.is_compact

    @property
    def matrix_dim(self) -> int:
        return self.first.matrix_dim + self.second.matrix_dim

    def generator_matrices(self) -> Array:
        return self._beside(self.first.generator_matrices(), self.second.generator_matrices(), 1.0)

    def algebra_matrices(self) -> Array:
        return self._beside(self.first.algebra_matrices(), self.second.algebra_matrices(), 0.0)

    def _beside(self, first: Array, second: Array, fill: float) -> Array:
        """Matrices of both factors, each with ``fill`` times the identity in the other's block."""
        d1, d2 = self.first.matrix_dim, self.second.matrix_dim
        left = block_diagonal(first, np.broadcast_to(fill * np.eye(d2), (len(first), d2, d2)))
        right = block_diagonal(np.broadcast_to(fill * np.eye(d1), (len(second), d1, d1)), second)
        return np.concatenate([left, right])

    def factor_elements(self, elements: Array) -> tuple[Array, Array]:
        """The parts in ``first`` and ``second`` of ``elements`` (n, d, d)."""
        d = self.first.matrix_dim
        return np.ascontiguousarray(elements[:, :d, :d]), np.ascontiguousarray(elements[:, d:, d:])

    def membership(self, elements: Array) -> tuple[bool, str]:
        d = self.first.matrix_dim
        if not np.isfinite(elements).all():
            return False, "a matrix with NaN or infinity"
        if (
            max(np.abs(elements[:, :d, d:]).max(initial=0.0), np.abs(elements[:, d:, :d]).max(initial=0.0))
            > INPUT_TOLERANCE
        ):
            return False, f"a matrix that is not block-diagonal with blocks of {d} and {self.second.matrix_dim}"
        for factor, part in zip(self.factors, self.factor_elements(elements), strict=True):
            ok, reason = factor.membership(part)
            if not ok:
                return False, f"a block outside {factor}: {reason}"
        return True, ""

    def sample_matrices(self, n: int, generator: torch.Generator | None) -> Array:
        return block_diagonal(self.first.sample_matrices(n, generator), self.second.sample_matrices(n, generator))

    # -- elements of finite products: pairs in lexicographic order --------------------------------

    @property
    def order(self) -> int:
        return self.first.order * self.second.order

    def _listable(self) -> tuple[int, int]:
        if not self.is_finite:
            raise SizeLimitError("elements", expected="a finite group", got=self.name, advice="Use sample(n) instead.")
        check_listable(self)
        return self.first.order, self.second.order

    def element_matrices(self) -> Array:
        n1, n2 = self._listable()
        return block_diagonal(
            np.repeat(self.first.element_matrices(), n2, axis=0), np.tile(self.second.element_matrices(), (n1, 1, 1))
        )

    def word_tree(self) -> tuple[Array, Array]:
        n1, n2 = self._listable()
        (parents1, letters1), (parents2, letters2) = self.first.word_tree(), self.second.word_tree()
        i, j = np.divmod(np.arange(n1 * n2), n2)
        parents = np.where(i > 0, parents1[i] * n2 + j, parents2[j])
        letters = np.where(i > 0, letters1[i], len(self.first.generator_matrices()) + letters2[j])
        letters[0] = -1
        return parents, letters

    def element_indices(self, elements: Array) -> Array:
        _, n2 = self._listable()
        first, second = self.factor_elements(elements)
        return self.first.element_indices(first) * n2 + self.second.element_indices(second)

    def coordinates(self, elements: Array) -> tuple[Array, list[tuple[int, ...]]]:
        if self.is_finite:
            return super().coordinates(elements)
        shift = len(self.first.generator_matrices())
        numbers, words = [], []
        for factor, part in zip(self.factors, self.factor_elements(elements), strict=True):
            if factor.is_finite:
                number, word = (
                    np.zeros((len(part), 0)),
                    [_word(factor, index) for index in factor.element_indices(part).tolist()],
                )
            else:
                number, word = factor.coordinates(part)
            numbers.append(number)
            words.append(word)
        joined = [a + tuple(shift + letter for letter in b) for a, b in zip(*words, strict=True)]
        return np.concatenate(numbers, axis=1), joined

    # -- irreps -----------------------------------------------------------------------------------

    def _pair(self, label: str) -> PairIrrep:
        return find_pair(self, self.first, self.second, label)

    @property
    def trivial_label(self) -> str:
        return self._pairs(self.first.trivial_label, self.second.trivial_label)[0].label

    def _pairs(self, a: str, b: str) -> list[PairIrrep]:
        return pairs_of(IrrepField(self.first, a), IrrepField(self.second, b))

    def _labels(self, firsts: tuple[str, ...], seconds: tuple[str, ...], max_dim: int) -> tuple[str, ...]:
        pairs = (pair for a in firsts for b in seconds for pair in self._pairs(a, b))
        return tuple(pair.label for pair in pairs if pair.dim <= max_dim)

    def irrep_labels(self, max_dim: int) -> tuple[str, ...]:
        # The parts of a reducible product are no smaller than its factors, so these bounds miss nothing.
        return self._labels(self.first.irrep_labels(max_dim), self.second.irrep_labels(max_dim), max_dim)

    def irrep_candidates(self, max_dim: int, algebra: Array) -> tuple[str, ...]:
        k = len(self.first.algebra_matrices())
        parts = zip(self.factors, (algebra[:k], algebra[k:]), strict=True)
        firsts, seconds = (factor.irrep_candidates(max_dim, part) for factor, part in parts)
        return self._labels(firsts, seconds, max_dim)

    def irrep_label(self, name: object) -> str:
        return self._pair(str(name)).label

    def irrep_dim(self, label: str) -> int:
        return self._pair(label).dim

    def commutant_dim(self, label: str) -> int:
        return self._pair(label).commutant_dim

    def irrep_matrices(self, label: str, elements: Array) -> Array:
        return self._pair(label).matrices(*self.factor_elements(elements))

    def irrep_algebra(self, label: str) -> Array:
        return self._pair(label).algebra()

    # -- representations of the factors -----------------------------------------------------------

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
            return IrrepField(self, self._pairs(field.label, self.second.trivial_label)[0].label)
        return IrrepField(self, self._pairs(self.first.trivial_label, field.label)[0].label)

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
class LiftedField(Field):
    """A field of one factor of a direct product; the other factor acts trivially."""

    group: DirectProduct
    field: Field
    which: int

    @property
    def dim(self) -> int:
        return self.field.dim

    @property
    def name(self) -> str:
        place = f"[{self.which}]" if self.group.first == self.group.second else ""
        return f"{self.field.group}{place}:{self.field.name}"

    @property
    def is_complex(self) -> bool:
        return self.field.is_complex

    @property
    def is_orthogonal(self) -> bool:
        return self.field.is_orthogonal

    def matrices(self, elements: Array) -> Array:
        return self.field.matrices(self.group.factor_elements(elements)[self.which])

    def algebra(self) -> Array:
        other = np.zeros((len(self.group.factors[1 - self.which].algebra_matrices()), self.dim, self.dim))
        own = self.field.algebra()
        return np.concatenate([own, other] if self.which == 0 else [other, own])

    def signed_permutations(self, elements: Array) -> tuple[Array, Array] | None:
        return self.field.signed_permutations(self.group.factor_elements(elements)[self.which])


def block_diagonal(first: Array, second: Array) -> Array:
    """Batches (n, a, a) and (n, b, b) along one diagonal, shape (n, a + b, a + b)."""
    n, a, b = len(first), first.shape[-1], second.shape[-1]
    out = np.zeros((n, a + b, a + b))
    out[:, :a, :a], out[:, a:, a:] = first, second
    return out


def _word(group: Group, index: int) -> tuple[int, ...]:
    """The generators whose product, left to right, is element ``index``."""
    parents, letters = group.word_tree()
    word = []
    while parents[index] >= 0:
        word.append(int(letters[index]))
        index = int(parents[index])
    return tuple(word)
