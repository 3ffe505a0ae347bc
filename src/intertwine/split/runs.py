"""Weights whose copies are alike: laid out so that the coefficients of P W are means of rows, in order of memory."""

from math import prod
from typing import NamedTuple

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.projectors.blocks_projector import BlocksProjector
from intertwine.split.labels import Bags, Labels

# Entries of a row on average; shorter rows cost more than sorting.
LEAST_WIDTH = 16


class Band(NamedTuple):
    """Columns of a matrix that hold copies of one field: where they begin, how many copies, of how many columns each.

    ``innermost``: whether the copies of each column lie side by side, not the columns of each copy.
    """

    start: int
    copies: int
    dim: int
    innermost: bool

    @property
    def is_apart(self) -> bool:
        """Whether the copies of each column lie side by side as they are."""
        return self.innermost or self.dim == 1 or self.copies == 1

    @property
    def columns(self) -> slice:
        """Those of the matrix."""
        return slice(self.start, self.start + self.copies * self.dim)


class RunLayout:
    """The copies of each field side by side: a row of entries that P treats alike lies in order of memory.

    A weight (m D, n d) of m and n fields is laid out as (m D, d, n); P takes rows of n entries for entries.

    Attributes:
        numel: entries of the piece.
        changed: all of them.
        rank: coefficients.
    """

    def __init__(self, rows: int, bands: list[tuple[Band, Labels]]) -> None:
        self._rows = rows
        self._bands = [(band, Bags(labels, band.copies)) for band, labels in bands]
        self._width = sum(band.copies * band.dim for band, _ in bands)
        self._sizes = [rows * band.copies * band.dim for band, _ in bands]
        self._ranks = [bags.rank for _, bags in self._bands]
        self.numel = self.changed = sum(self._sizes)
        self.rank = sum(self._ranks)

    @property
    def nbytes(self) -> int:
        """Bytes of the constants as built."""
        return sum(bags.nbytes for _, bags in self._bands)

    def gathered(self, flat: torch.Tensor) -> torch.Tensor:
        """The piece's entries as laid out, in memory of their own."""
        if len(self._bands) == 1:
            return _apart(flat, self._rows, self._bands[0][0])
        matrix = flat.view(self._rows, self._width)
        return torch.cat([_apart(matrix[:, band.columns].reshape(-1), self._rows, band) for band, _ in self._bands])

    def put_back(self, entries: torch.Tensor, flat: torch.Tensor) -> None:
        """The inverse, into ``flat``."""
        if len(self._bands) == 1:
            flat.copy_(_together(entries, self._rows, self._bands[0][0]))
            return
        matrix = flat.view(self._rows, self._width)
        for (band, _), part in zip(self._bands, entries.split_with_sizes(self._sizes), strict=True):
            matrix[:, band.columns] = _together(part, self._rows, band).view(self._rows, -1)

    def coefficients(self, entries: torch.Tensor) -> torch.Tensor:
        """Of P W, shape (rank,); from ``gathered`` entries."""
        found = [bags.coefficients(part) for bags, part in self._parts(entries) if bags.rank]
        return found[0] if len(found) == 1 else torch.cat(found)

    def subtract_(self, entries: torch.Tensor, coefficients: torch.Tensor) -> None:
        """``entries <- entries - P W`` in place, from the coefficients of P W."""
        for (bags, part), c in zip(self._parts(entries), coefficients.split_with_sizes(self._ranks), strict=True):
            if bags.rank:
                part.sub_(bags.expanded(c))

    def move_(self, entries: torch.Tensor, coefficients: torch.Tensor) -> None:
        """``entries <- W - P W + P W'`` in place, from the coefficients of P W'."""
        for (bags, part), c in zip(self._parts(entries), coefficients.split_with_sizes(self._ranks), strict=True):
            if bags.rank:
                part.add_(bags.expanded(c - bags.coefficients(part)))

    def write_(self, coefficients: torch.Tensor, flat: torch.Tensor) -> None:
        """``P W`` into ``flat``, from its coefficients."""
        parts = zip(self._bands, coefficients.split_with_sizes(self._ranks), self._sizes, strict=True)
        found = [bags.expanded(c) if bags.rank else c.new_zeros(size) for (_, bags), c, size in parts]
        self.put_back(found[0] if len(found) == 1 else torch.cat(found), flat)

    def _parts(self, entries: torch.Tensor) -> list[tuple[Bags, torch.Tensor]]:
        if len(self._bands) == 1:
            return [(self._bands[0][1], entries)]
        parts = entries.split_with_sizes(self._sizes)
        return [(bags, part) for (_, bags), part in zip(self._bands, parts, strict=True)]


def _apart(flat: torch.Tensor, rows: int, band: Band) -> torch.Tensor:
    """(rows, n d) -> (rows, d, n), flat, in memory of its own."""
    return flat.clone() if band.is_apart else _exchanged(flat, rows, band.copies, band.dim)


def _together(flat: torch.Tensor, rows: int, band: Band) -> torch.Tensor:
    """The inverse, perhaps in the same memory."""
    return flat if band.is_apart else _exchanged(flat, rows, band.dim, band.copies)


def _exchanged(flat: torch.Tensor, rows: int, first: int, second: int) -> torch.Tensor:
    """(rows, first, second) -> (rows, second, first), flat and contiguous."""
    if flat.device.type != "cpu" or torch.compiler.is_compiling():
        return flat.view(rows, first, second).transpose(1, 2).reshape(-1)
    # Pixels with channels last, whose shuffle is the one transposition that torch has in vector instructions.
    width = first * second
    pixels = flat.as_strided((1, width, rows, 1), (rows * width, 1, width, width))
    shuffled = torch.native_channel_shuffle(pixels, first)
    return shuffled.permute(0, 2, 3, 1).reshape(-1)


def run_layout(P: BlocksProjector, shape: torch.Size, labels: Labels) -> RunLayout | None:
    """Rows along the second axis, or else the first; None where they are short."""
    numel, height = prod(shape), prod(shape[: len(P.folds[0])])
    for axis, rows in ((1, height), (0, 1)):
        bands = _bands(P, axis, numel // rows)
        if not bands or rows * sum(band.dim for band in bands) * LEAST_WIDTH > numel:
            continue
        found = [(band, _row_labels(labels, rows, band)) for band in bands]
        alike = [(band, one) for band, one in found if one is not None]
        if len(alike) == len(found):
            return RunLayout(rows, alike)
    return None


def _bands(P: BlocksProjector, axis: int, width: int) -> list[Band]:
    """Copies of fields along an axis of the weight; none where they cannot be told."""
    rep = P.axes[axis] if axis < len(P.axes) else None
    if rep is None or not rep.dim or width % rep.dim:
        return []
    step = width // rep.dim
    found = zip(rep.slices, rep.segments, strict=True)
    bands = [Band(at.start * step, part.mul, part.field.dim * step, part.copies_innermost) for at, part in found]
    return [] if step > 1 and any(band.innermost for band in bands) else bands


def _row_labels(labels: Labels, rows: int, band: Band) -> Labels | None:
    """Of rows of entries, an entry a copy; None if P does not treat all copies alike, or mixes them."""

    def laid_out(entries: Array) -> Array:
        matrix = entries.reshape(rows, -1)[:, band.columns]
        if band.innermost:
            return matrix.reshape(-1, band.copies)
        return matrix.reshape(rows, band.copies, band.dim).transpose(0, 2, 1).reshape(-1, band.copies)

    numbers, shares, signs = map(laid_out, labels[:3])
    if (signs != signs[:, :1]).any() or (shares != shares[:, :1]).any():
        return None
    found = np.flatnonzero(signs[:, 0])
    _, first, own = np.unique(numbers[found, 0], return_index=True, return_inverse=True)
    each = numbers[found[first]]
    if (numbers[found] != each[own]).any() or len(np.unique(each)) != each.size:
        return None
    by_row = np.zeros(len(numbers), dtype=np.int64)
    by_row[found] = own
    return Labels(by_row, shares[:, 0], signs[:, 0], len(first))
