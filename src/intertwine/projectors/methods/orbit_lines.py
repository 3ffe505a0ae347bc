"""Rows of entries lined up by orbit, and put back: which entries are moved at a time, by the layout of the weight."""

from typing import NamedTuple

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.projectors.constants import Constants

# Entries that are worked on at a time on a processor: fewer would fit into its own cache, and cost more in calls.
CACHED = 2**20
# Entries that a gather on a processor moves at a time: each run of them costs it as much as four entries.
RUN = 64
# Of so many entries the index is kept in both directions: to gather is faster than to scatter.
BOTH_WAYS = 2**11
# Layouts of rows that are remembered: a weight, its gradient and their copies are laid out alike.
LAYOUTS = 8


class Piece(NamedTuple):
    """Some copies of the row field with all that is beside them, copies of the others side by side as one run.

    Attributes:
        sizes: of the view (copies of the row field, row, runs, run).
        strides: of the view.
        offset: of the view in its tensor.
        gather: for each place in line, where its entry is in the run; of the view's shape.
        back: the inverse; None where it is not kept.
    """

    sizes: tuple[int, ...]
    strides: tuple[int, ...]
    offset: int
    gather: torch.Tensor
    back: torch.Tensor | None

    def of(self, rows: torch.Tensor) -> torch.Tensor:
        """The piece of a tensor of that layout, a view."""
        return rows.as_strided(self.sizes, self.strides, rows.storage_offset() + self.offset)


class Lines:
    """How entries of rows (copies of the row field, row, copies of the others, columns) are sorted by orbit.

    Args:
        gather: for each row, the columns in order, shape (rows, columns).
        several: whether copies of the others may be taken together, as is of use where there are several.
    """

    def __init__(self, gather: Array, *, several: bool) -> None:
        rows, self.columns = gather.shape
        most = max(1, RUN // max(1, self.columns)) if several else 1
        # Copies side by side are gathered alike, each behind the one before; of one copy alone it is the beginning.
        shifts = self.columns * np.arange(most)[:, None]
        wide = (shifts + gather[:, None, :]).reshape(rows, 1, most * self.columns)
        self._most, self._both_ways = most, wide.size <= BOTH_WAYS
        self.constants: dict[str, Array] = {"gather": wide}
        if self._both_ways:
            self.constants["back"] = np.argsort(wide, axis=-1)
        self._known: dict[tuple[torch.Size, tuple[int, ...]], tuple[Piece, ...]] = {}

    def pieces(self, rows: torch.Tensor, constants: Constants) -> tuple[Piece, ...]:
        """All of a tensor in turn."""
        key = rows.shape, rows.stride()
        found = self._known.get(key) if rows.device.type == "cpu" else None
        if found is None:
            found = self._cut(rows, constants)
            if rows.device.type == "cpu":
                if len(self._known) >= LAYOUTS:
                    self._known.clear()
                self._known[key] = found
        return found

    def whole(self, rows: torch.Tensor, constants: Constants) -> torch.Tensor:
        """The index of a tensor as it is, for a compiler, which has no costs of calls and follows no strides."""
        return constants.get("gather", rows)[..., : self.columns].expand(rows.shape)

    def _cut(self, rows: torch.Tensor, constants: Constants) -> tuple[Piece, ...]:
        count, length, copies, columns = rows.shape
        first, second, third, last = rows.stride()
        step, together = max(1, count), 1
        if rows.device.type == "cpu":
            if rows.numel() >= 2 * CACHED:
                step = max(1, CACHED * count // rows.numel())
            if third == columns * last:
                together = next((n for n in range(min(self._most, copies), 1, -1) if copies % n == 0), 1)
        strides = first, second, together * third, last
        found = []
        for start in range(0, max(1, count), step):
            sizes = min(step, count - start), length, copies // together, together * columns
            gather = constants.get("gather", rows)[..., : sizes[3]].expand(sizes)
            back = constants.get("back", rows)[..., : sizes[3]].expand(sizes) if self._both_ways else None
            found.append(Piece(sizes, strides, start * first, gather, back))
        return tuple(found)

    def __getstate__(self) -> dict[str, object]:
        return vars(self) | {"_known": {}}
