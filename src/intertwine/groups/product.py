"""The structure of a direct product: its elements as pairs, and its irreps from those of the factors."""

from dataclasses import dataclass

import numpy as np
import torch

from intertwine._numerics import INPUT_TOLERANCE, Array
from intertwine.errors import SizeLimitError
from intertwine.groups.enumeration import check_listable
from intertwine.groups.irreps.products import PairIrrep, find_pair, pairs_of
from intertwine.representations.abstract_group import AbstractGroup
from intertwine.representations.irrep_field import IrrepField


@dataclass(frozen=True, repr=False)
class PairOfGroups(AbstractGroup):
    """Pairs (g, h) as block-diagonal matrices, the generators of the first group before those of the second."""

    first: AbstractGroup
    second: AbstractGroup

    @property
    def name(self) -> str:
        return " * ".join(f"({factor})" if isinstance(factor, PairOfGroups) else str(factor) for factor in self.factors)

    @property
    def factors(self) -> tuple[AbstractGroup, AbstractGroup]:
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
        return self.pairs(self.first.trivial_label, self.second.trivial_label)[0].label

    def pairs(self, a: str, b: str) -> list[PairIrrep]:
        """The irreps into which the outer product of the factors' irreps ``a`` and ``b`` falls."""
        return pairs_of(IrrepField(self.first, a), IrrepField(self.second, b))

    def _labels(self, firsts: tuple[str, ...], seconds: tuple[str, ...], max_dim: int) -> tuple[str, ...]:
        pairs = (pair for a in firsts for b in seconds for pair in self.pairs(a, b))
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


def block_diagonal(first: Array, second: Array) -> Array:
    """Batches (n, a, a) and (n, b, b) along one diagonal, shape (n, a + b, a + b)."""
    n, a, b = len(first), first.shape[-1], second.shape[-1]
    out = np.zeros((n, a + b, a + b))
    out[:, :a, :a], out[:, a:, a:] = first, second
    return out


def _word(group: AbstractGroup, index: int) -> tuple[int, ...]:
    """The generators whose product, left to right, is element ``index``."""
    parents, letters = group.word_tree()
    word = []
    while parents[index] >= 0:
        word.append(int(letters[index]))
        index = int(parents[index])
    return tuple(word)
