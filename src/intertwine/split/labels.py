"""The coefficients of P W as sums over entries, or over rows of entries alike: each entry's coefficient by number."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.projectors import Projector
from intertwine.projectors.constants import Constants
from intertwine.projectors.norms.sorted_entries import sorted_entries


class Labels(NamedTuple):
    """Of one weight, by entry: the number of its coefficient, its share in that mean, its sign (0 where P is zero)."""

    numbers: Array
    shares: Array
    signs: Array
    rank: int

    def at(self, where: Array) -> "Labels":
        """Of some of the entries."""
        return Labels(self.numbers[where], self.shares[where], self.signs[where], self.rank)


def labels_of(P: Projector, shape: torch.Size) -> Labels:
    """Where the coefficients of P are means of signed entries."""
    entries = sorted_entries([P], [shape])
    numel = len(entries.order)
    numbers, shares, signs = np.zeros(numel, dtype=np.int64), np.zeros(numel), np.zeros(numel)
    first = 0
    for basis, columns in [*entries.kinds, (np.ones((1, 1)), entries.same[None])]:
        size, many = columns.shape
        numbers[columns] = first + np.arange(many)
        signs[columns] = np.sign(basis.real)
        shares[columns] = np.sign(basis.real) / size
        first += many
    return Labels(numbers, shares, signs, first)


def side_by_side(labels: Sequence[Labels]) -> Labels:
    """Of several weights, the coefficients of each beside those of the one before."""
    starts = np.cumsum([0, *(found.rank for found in labels)])
    numbers = [found.numbers + start for found, start in zip(labels, starts, strict=False)]
    shares, signs = (np.concatenate([found[i] for found in labels]) for i in (1, 2))
    return Labels(np.concatenate(numbers), shares, signs, int(starts[-1]))


class Bags:
    """The map from entries to coefficients, and back: one call of ``embedding_bag``, one of ``index_select``.

    Args:
        labels: of entries, or of rows of ``width`` entries that have the coefficients of one number.
        width: entries of a row.

    Attributes:
        rank: coefficients.
    """

    def __init__(self, labels: Labels, width: int = 1) -> None:
        self.width, self.rank, self._rows = width, labels.rank * width, labels.rank
        found = np.flatnonzero(labels.signs)
        order = found[np.argsort(labels.numbers[found], kind="stable")]
        self._has_signs = bool((labels.signs != 1).any())
        self._constants = Constants(
            order=order,
            starts=np.searchsorted(labels.numbers[order], np.arange(labels.rank + 1)),
            shares=labels.shares[order],
            numbers=labels.numbers,
            signs=labels.signs[:, None] if width > 1 else labels.signs,
        )

    @property
    def nbytes(self) -> int:
        """Bytes of the constants as built."""
        return self._constants.nbytes

    def coefficients(self, entries: torch.Tensor) -> torch.Tensor:
        """Of P W, shape (rank,)."""
        order, starts, shares = self._constants.get_all(("order", "starts", "shares"), entries)
        rows = entries.view(-1, self.width)
        return torch.embedding_bag(rows, order, starts, False, 0, False, shares, True)[0].view(-1)

    def expanded(self, coefficients: torch.Tensor) -> torch.Tensor:
        """``P W`` from its coefficients."""
        rows = coefficients if self.width == 1 else coefficients.view(self._rows, self.width)
        found = rows.index_select(0, self._constants.get("numbers", coefficients))
        if self._has_signs:
            found.mul_(self._constants.get("signs", coefficients))
        return found.view(-1)


class BagsOfSeveral:
    """Those of the sets of small weights that take steps together, kept for the next step; a copy begins empty."""

    MOST = 16

    def __init__(self) -> None:
        self._bags: dict[tuple[int, ...], tuple[Bags, list[Labels]]] = {}

    def get(self, labels: list[Labels]) -> Bags:
        """Of these, laid side by side."""
        key = tuple(map(id, labels))
        if key not in self._bags:
            while len(self._bags) >= self.MOST:
                del self._bags[next(iter(self._bags))]
            self._bags[key] = Bags(side_by_side(labels)), labels
        return self._bags[key][0]
