"""Direct products: two groups that act independently."""

from dataclasses import dataclass

import numpy as np
import torch

from intertwine._numerics import INPUT_TOLERANCE, Array
from intertwine.errors import ArgumentError, GroupMismatchError, SizeLimitError, UnknownNameError
from intertwine.groups.base import BaseGroup
from intertwine.groups.enumeration import check_listable
from intertwine.groups.product_irreps import PairLabel, part_bases, split_label
from intertwine.representations.field import Field
from intertwine.representations.irrep_field import IrrepField
from intertwine.representations.representation import Representation, Segment


class FactorGroup(BaseGroup):
    """A group that can be multiplied with another: ``G * H``."""

    def __mul__(self, other: object) -> "DirectProduct":
        return DirectProduct(self, other) if isinstance(other, FactorGroup) else NotImplemented


@dataclass(frozen=True, repr=False)
class DirectProduct(FactorGroup):
    """``G * H``: pairs (g, h) as block-diagonal matrices, the generators of G before those of H.

    Irreps are outer products ``"a*b"`` of an irrep a of G and b of H, in Kronecker order, where one of them is of real
    type; other pairs are reducible over the reals and their parts are called ``"a*b:0"``, ``"a*b:1"``.

    Args:
        first, second: the factors.

    Raises:
        ArgumentError: a factor is no group.

    Example:
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

    @property
    def trivial_label(self) -> str:
        return self._join(self.first.trivial_label, self.second.trivial_label)

    def _join(self, a: str, b: str) -> str:
        return "*".join(
            f"({label})" if isinstance(factor, DirectProduct) else label
            for factor, label in zip(self.factors, (a, b), strict=True)
        )

    def _pair_labels(self, firsts: tuple[str, ...], seconds: tuple[str, ...], max_dim: int) -> tuple[str, ...]:
        labels = []
        for a in firsts:
            for b in seconds:
                if self.first.irrep_dim(a) * self.second.irrep_dim(b) > 4 * max_dim:
                    continue
                count = self._part_count(a, b)
                labels += [self._join(a, b)] if count == 0 else [f"{self._join(a, b)}:{part}" for part in range(count)]
        return tuple(label for label in labels if self.irrep_dim(label) <= max_dim)

    def irrep_labels(self, max_dim: int) -> tuple[str, ...]:
        return self._pair_labels(self.first.irrep_labels(max_dim), self.second.irrep_labels(max_dim), max_dim)

    def irrep_candidates(self, max_dim: int, algebra: Array) -> tuple[str, ...]:
        k = len(self.first.algebra_matrices())
        firsts, seconds = (
            self.first.irrep_candidates(max_dim, algebra[:k]),
            self.second.irrep_candidates(max_dim, algebra[k:]),
        )
        return self._pair_labels(firsts, seconds, max_dim)

    def _part_count(self, a: str, b: str) -> int:
        """Into how many unlike irreps a pair splits; 0 if it is irreducible."""
        types = self.first.commutant_dim(a), self.second.commutant_dim(b)
        return 0 if 1 in types else 2 if types == (2, 2) else 1

    def irrep_label(self, name: object) -> str:
        for pair in split_label(str(name)):
            try:
                a, b = self.first.irrep_label(pair.first), self.second.irrep_label(pair.second)
            except UnknownNameError:
                continue
            count, label = self._part_count(a, b), self._join(a, b)
            if pair.part is None and count == 0:
                return label
            if pair.part is not None and pair.part < count:
                return f"{label}:{pair.part}"
            if pair.part is None:
                raise UnknownNameError(
                    "label",
                    expected=f"an irrep of {self}, such as '{label}:0'",
                    got=repr(name),
                    advice="The product of two irreps of complex or quaternionic type is reducible over the reals.",
                )
        example = self._join(self.first.irrep_labels(3)[-1], self.second.irrep_labels(3)[-1])
        raise UnknownNameError(
            "label",
            expected=f"an irrep of {self}, 'a*b' with a of {self.first} and b of {self.second}, such as '{example}'",
            got=repr(name),
        )

    def _pair(self, label: str) -> tuple[IrrepField, IrrepField, Array | None]:
        """The irreps of a canonical label, and the basis (dim_1 * dim_2, dim) of its part of their product; None for all of it."""
        pairs = split_label(label)
        pair: PairLabel | None = None
        for candidate in pairs:
            try:
                a, b = self.first.irrep_label(candidate.first), self.second.irrep_label(candidate.second)
            except UnknownNameError:
                continue
            if (candidate.part is None) == (self._part_count(a, b) == 0):
                pair = PairLabel(a, b, candidate.part)
                break
        if pair is None:
            self.irrep_label(label)
            raise UnknownNameError("label", expected=f"an irrep of {self}", got=repr(label))
        first, second = IrrepField(self.first, pair.first), IrrepField(self.second, pair.second)
        return first, second, None if pair.part is None else part_bases(first, second)[pair.part]

    def irrep_dim(self, label: str) -> int:
        first, second, basis = self._pair(label)
        return first.dim * second.dim if basis is None else basis.shape[1]

    def commutant_dim(self, label: str) -> int:
        first, second, basis = self._pair(label)
        types = self.first.commutant_dim(first.label), self.second.commutant_dim(second.label)
        # R x D = D, C x C = C + C, C x H = 2 x 2 matrices over C, H x H = 4 x 4 matrices over R.
        return max(types) if basis is None else 1 if types == (4, 4) else 2

    def irrep_matrices(self, label: str, elements: Array) -> Array:
        first, second, basis = self._pair(label)
        left, right = self.factor_elements(elements)
        full = batched_kron(first.matrices(left), second.matrices(right))
        return full if basis is None else basis.T @ full @ basis

    def irrep_algebra(self, label: str) -> Array:
        first, second, basis = self._pair(label)
        left, right = first.algebra(), second.algebra()
        full = np.concatenate(
            [
                batched_kron(left, np.broadcast_to(np.eye(second.dim), (len(left), second.dim, second.dim))),
                batched_kron(np.broadcast_to(np.eye(first.dim), (len(right), first.dim, first.dim)), right),
            ]
        )
        return full if basis is None else basis.T @ full @ basis

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

        Example:
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
        if which not in (0, 1) or isinstance(which, bool):
            raise ArgumentError("which", expected="0 (first factor) or 1 (second)", got=repr(which))
        if rep.group != self.factors[which]:
            raise GroupMismatchError(
                "rep", expected=f"a representation of {self.factors[which]}", got=f"one of {rep.group}"
            )
        return Representation(self, tuple(Segment(s.mul, self._lifted(s.field, which), s.layout) for s in rep.segments))

    def _lifted(self, field: Field, which: int) -> Field:
        if isinstance(field, IrrepField):
            label = (
                self._join(field.label, self.second.trivial_label)
                if which == 0
                else self._join(self.first.trivial_label, field.label)
            )
            return IrrepField(self, label)
        return LiftedField(self, field, which)

    def outer(self, rep_first: Representation, rep_second: Representation) -> Representation:
        """The outer product ``rho_1(g) (x) rho_2(h)`` on features ``x_i y_j``, index ``i * rep_second.dim + j``.

        Args:
            rep_first: a representation of the first factor.
            rep_second: a representation of the second factor.

        Raises:
            GroupMismatchError: a representation is not of its factor.

        Example:
            >>> import intertwine as iw
            >>> G = iw.SO(3) * iw.Symmetric(4)
            >>> G.outer(iw.SO(3).irreps("2x1"), iw.Symmetric(4).standard())
            Representation(SO(3) * S4: 2x1*[3,1])
        """
        first, second = self.lift(rep_first, which=0), self.lift(rep_second, which=1)
        one = rep_second.segments[0] if len(rep_second.segments) == 1 else None
        if (
            one is not None
            and one.mul == 1
            and isinstance(one.field, IrrepField)
            and all(isinstance(s.field, IrrepField) and s.layout == "mul_ir" for s in rep_first.segments)
        ):
            pairs = [
                (s.mul, s.field.label, one.field.label) for s in rep_first.segments if isinstance(s.field, IrrepField)
            ]
            if all(self._part_count(a, b) == 0 for _, a, b in pairs):
                return Representation(
                    self, tuple(Segment(mul, IrrepField(self, self._join(a, b))) for mul, a, b in pairs)
                )
        return first.tensor(second)


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


def batched_kron(a: Array, b: Array) -> Array:
    """Kronecker products of two batches of matrices."""
    n, p, q = len(a), a.shape[1] * b.shape[1], a.shape[2] * b.shape[2]
    return np.einsum("nij,nkl->nikjl", a, b).reshape(n, p, q)


def _word(group: BaseGroup, index: int) -> tuple[int, ...]:
    """The generators whose product, left to right, is element ``index``."""
    parents, letters = group.word_tree()
    word = []
    while parents[index] >= 0:
        word.append(int(letters[index]))
        index = int(parents[index])
    return tuple(word)
