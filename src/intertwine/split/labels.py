"""Small weights together: each entry's coefficient by number, so that no weight costs calls of its own."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from intertwine.projectors import Projector
from intertwine.projectors.constants import Constants
from intertwine.projectors.norms.sorted_entries import sorted_entries


class Labels(NamedTuple):
    """Of one weight, by entry: the number of its coefficient, its share in that mean, its sign (0 where P is zero)."""

    numbers: torch.Tensor
    shares: torch.Tensor
    signs: torch.Tensor
    rank: int


def labels_of(P: Projector, shape: torch.Size) -> Labels:
    """Where the coefficients of P are means of signed entries."""
    entries = sorted_entries([P], [shape])
    numel = len(entries.order)
    numbers, shares, signs = np.zeros(numel, dtype=np.int64), np.zeros(numel), np.zeros(numel)
    first = 0
    for basis, columns in [*entries.kinds, (np.ones((1, 1)), entries.same[None])]:
        size, many = columns.shape
        numbers[columns] = first + np.arange(many)
        signs[columns] = np.sign(basis)
        shares[columns] = np.sign(basis) / size
        first += many
    return Labels(torch.from_numpy(numbers), torch.from_numpy(shares), torch.from_numpy(signs), first)


class LabelledLayout:
    """Several small weights laid side by side, with the coefficients of each beside those of the one before.

    Args:
        labels: one a weight.
    """

    def __init__(self, labels: Sequence[Labels]) -> None:
        starts = np.cumsum([0, *(found.rank for found in labels)])
        numbers = [found.numbers + int(start) for found, start in zip(labels, starts, strict=False)]
        self.rank = int(starts[-1])
        self._constants = Constants(
            numbers=torch.cat(numbers).numpy(),
            shares=torch.cat([found.shares for found in labels]).numpy(),
            signs=torch.cat([found.signs for found in labels]).numpy(),
        )

    def coefficients(self, entries: torch.Tensor) -> torch.Tensor:
        """Of P W, shape (rank,)."""
        shares = entries * self._constants.get("shares", entries)
        return entries.new_zeros(self.rank).index_add_(0, self._constants.get("numbers", entries), shares)

    def expanded(self, coefficients: torch.Tensor) -> torch.Tensor:
        """``P W`` from its coefficients."""
        found = coefficients.index_select(0, self._constants.get("numbers", coefficients))
        return found.mul_(self._constants.get("signs", coefficients))

    def subtract_(self, entries: torch.Tensor, coefficients: torch.Tensor) -> None:
        """``entries <- entries - P W`` in place, from the coefficients of P W."""
        entries.sub_(self.expanded(coefficients))

    def replace_(self, entries: torch.Tensor, coefficients: torch.Tensor, factor: float | torch.Tensor) -> None:
        """``entries <- factor (W - P W) + P W'`` in place, from the coefficients of P W'."""
        entries.mul_(factor)
        entries.add_(self.expanded(coefficients - self.coefficients(entries)))


class LabelledLayouts:
    """Those of the sets of weights that take steps together, kept for the next step; a copy begins empty."""

    MOST = 16

    def __init__(self) -> None:
        self._layouts: dict[tuple[int, ...], tuple[LabelledLayout, list[Labels]]] = {}

    def get(self, labels: list[Labels]) -> LabelledLayout:
        """The layout of these."""
        key = tuple(map(id, labels))
        if key not in self._layouts:
            while len(self._layouts) >= self.MOST:
                del self._layouts[next(iter(self._layouts))]
            self._layouts[key] = LabelledLayout(labels), labels
        return self._layouts[key][0]
