"""A weight in pieces, with their entries sorted so that each coefficient of P W is the mean of one column."""

from typing import NamedTuple

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.projectors import Projector
from intertwine.projectors.blocks_projector import BlocksProjector
from intertwine.projectors.constants import Constants
from intertwine.projectors.norms.sorted_entries import SortedEntries, sorted_entries

# Smaller weights take their steps together (`LabelledLayout`): calls would cost more than the arithmetic.
LEAST = 2**14
# Where torch has AdamW as one kernel.
DEVICES = ("cpu", "cuda")
# Entries of a piece: what a step reads several times stays in a processor's cache, and calls cost little beside it.
ENTRIES = 2**18
# A weight that is no copies of rows needs two indices an entry, and up to so many entries gets them.
MOST_WHOLE = 2**20
# Of so few entries P does not make zero, they are looked up where they lie.
SPARSE = 0.25
# Basis vectors whose entries differ by less, relative to the largest, are of one size.
ROUNDING = 1e-9


class Kind(NamedTuple):
    """Columns of equal signs: where they begin among the sorted entries, (size, many), and their first coefficient."""

    start: int
    size: int
    many: int
    first: int


class Layout:
    """The order of one piece: components by kind, what P makes zero, what P leaves alone.

    Where every component has rank one and entries of one size, an orbit or a diagonal, the coefficients of P W *in
    units of the entries* are the means of its signed entries. What P leaves alone are coefficients by itself.

    Attributes:
        numel: entries of the piece.
        changed: how many of them P changes; the others come last.
        rank: coefficients, those of the entries that P leaves alone last.
        order: where its entries are, in order.
    """

    def __init__(self, entries: SortedEntries) -> None:
        self.order = order = entries.order
        self.numel, self.changed = len(order), len(order) - len(entries.same)
        self._kinds: list[Kind] = []
        arrays: dict[str, Array] = {}
        start, first = 0, 0
        for i, (basis, columns) in enumerate(entries.kinds):
            size, count = columns.shape
            self._kinds.append(Kind(start, size, count, first))
            signs = np.sign(basis.real)
            arrays |= {f"means{i}": signs.T / size, f"signs{i}": signs}
            start, first = start + columns.size, first + count
        self._mixed, self._means = start, first
        self.rank = first + len(entries.same)
        # 32 bits an index: the piece is small.
        self._constants = Constants(order=order.astype(np.int32), back=np.argsort(order).astype(np.int32), **arrays)

    @property
    def nbytes(self) -> int:
        """Bytes of the constants as built."""
        return self._constants.nbytes

    def gathered(self, flat: torch.Tensor) -> torch.Tensor:
        """The piece's entries, in order."""
        return flat.index_select(0, self._constants.get("order", flat))

    def taken(self, flat: torch.Tensor) -> torch.Tensor:
        """Likewise, to be worked on and put back."""
        return self.gathered(flat)

    def put_back(self, entries: torch.Tensor, flat: torch.Tensor) -> None:
        """The inverse, into ``flat``."""
        torch.index_select(entries, 0, self._constants.get("back", flat), out=flat)

    def coefficients(self, entries: torch.Tensor) -> torch.Tensor:
        """Of P W, shape (rank,); from ``gathered`` entries."""
        out = entries.new_empty(self.rank)
        for i, kind in enumerate(self._kinds):
            means = self._constants.get(f"means{i}", entries)
            torch.mm(means, _columns(entries, kind), out=_row(out, kind))
        out[self._means :] = entries[self.changed :]
        return out

    def subtract_(self, entries: torch.Tensor, coefficients: torch.Tensor) -> None:
        """``entries <- entries - P W`` in place, from the coefficients of P W; what P leaves alone stays as it is."""
        for i, kind in enumerate(self._kinds):
            signs = self._constants.get(f"signs{i}", entries)
            _columns(entries, kind).addmm_(signs, _row(coefficients, kind), alpha=-1)

    def replace_(self, entries: torch.Tensor, coefficients: torch.Tensor, factor: float | torch.Tensor) -> None:
        """``entries <- factor (W - P W) + P W'`` in place, from the coefficients of P W'."""
        now = self.coefficients(entries)
        change = (
            coefficients - now * factor if isinstance(factor, torch.Tensor) else coefficients.sub(now, alpha=factor)
        )
        for i, kind in enumerate(self._kinds):
            X, row, signs = _columns(entries, kind), _row(change, kind), self._constants.get(f"signs{i}", entries)
            if isinstance(factor, torch.Tensor):
                X.mul_(factor).addmm_(signs, row)
            else:
                X.addmm_(signs, row, beta=factor)
        if isinstance(factor, torch.Tensor) or factor != 1:
            entries[self._mixed : self.changed].mul_(factor)
        entries[self.changed :] = coefficients[self._means :]

    def expanded(self, coefficients: torch.Tensor) -> torch.Tensor:
        """``P W`` in order, from its coefficients."""
        out = coefficients.new_zeros(self.numel)
        for i, kind in enumerate(self._kinds):
            torch.mm(self._constants.get(f"signs{i}", out), _row(coefficients, kind), out=_columns(out, kind))
        out[self.changed :] = coefficients[self._means :]
        return out


class SparseLayout:
    """Likewise, where P makes most entries zero, as between irreps: they stay where they are.

    Attributes:
        numel: entries of the piece.
        changed: all of them; what P leaves alone has moments of zeros.
        rank: coefficients.
    """

    def __init__(self, entries: SortedEntries) -> None:
        # Of the entries that P does not make zero, in order.
        self._found = Layout(entries._replace(zero=entries.zero[:0]))
        self.numel = self.changed = self._found.numel + len(entries.zero)
        self.rank = self._found.rank
        self._constants = Constants(places=self._found.order)

    def gathered(self, flat: torch.Tensor) -> torch.Tensor:
        """The piece's entries, in memory of their own."""
        return flat.clone()

    def taken(self, flat: torch.Tensor) -> torch.Tensor:
        """The piece itself."""
        return flat

    def put_back(self, entries: torch.Tensor, flat: torch.Tensor) -> None:
        """Nothing, unless they are others."""
        if entries.data_ptr() != flat.data_ptr():
            flat.copy_(entries)

    def coefficients(self, entries: torch.Tensor) -> torch.Tensor:
        """Of P W, shape (rank,)."""
        return self._found.coefficients(self._found.gathered(entries))

    def subtract_(self, entries: torch.Tensor, coefficients: torch.Tensor) -> None:
        """``entries <- entries - P W`` in place, from the coefficients of P W."""
        found = self._found.gathered(entries)
        self._found.subtract_(found, coefficients)
        found[self._found.changed :].zero_()
        self._put(found, entries)

    def replace_(self, entries: torch.Tensor, coefficients: torch.Tensor, factor: float | torch.Tensor) -> None:
        """``entries <- factor (W - P W) + P W'`` in place, from the coefficients of P W'."""
        found = self._found.gathered(entries)
        self._found.replace_(found, coefficients, factor)
        if isinstance(factor, torch.Tensor) or factor != 1:
            entries.mul_(factor)
        self._put(found, entries)

    def expanded(self, coefficients: torch.Tensor) -> torch.Tensor:
        """``P W`` from its coefficients."""
        out = coefficients.new_zeros(self.numel)
        self._put(self._found.expanded(coefficients), out)
        return out

    def _put(self, found: torch.Tensor, entries: torch.Tensor) -> None:
        entries.scatter_(0, self._constants.get("places", entries), found)


class Piece(NamedTuple):
    """Where a piece begins and ends: in the flattened weight, in its coefficients, in the rest that P changes."""

    layout: Layout | SparseLayout
    entries: slice
    coefficients: slice
    rest: slice


def pieces_of(P: Projector, W: torch.Tensor) -> tuple[Piece, ...]:
    """The pieces of a weight whose coefficients ``are_means``; none where it does not pay."""
    if W.numel() < LEAST or W.device.type not in DEVICES or not isinstance(P, BlocksProjector):
        return ()
    shape = W.shape
    layouts: dict[int, tuple[Layout | SparseLayout, Projector]] = {}
    pieces, at = [], (0, 0, 0)
    for rows, projector in P.by_rows(shape, MOST_WHOLE if _is_sparse(P) else ENTRIES):
        if id(projector) not in layouts:
            part = torch.Size((rows, *shape[1:]))
            if part.numel() > MOST_WHOLE:
                return ()
            layouts[id(projector)] = layout_of(sorted_entries([projector], [part])), projector
        layout = layouts[id(projector)][0]
        end = at[0] + layout.numel, at[1] + layout.rank, at[2] + layout.changed
        pieces.append(Piece(layout, *(slice(a, b) for a, b in zip(at, end, strict=True))))
        at = end
    return tuple(pieces)


def _is_sparse(P: BlocksProjector) -> bool:
    """Whether it makes most entries zero."""
    parts = zip(P.parts, P.components or (), strict=True)
    return sum(part.copies * sum(found.entries.size for found in one) for part, one in parts) <= SPARSE * P.numel


def layout_of(entries: SortedEntries) -> Layout | SparseLayout:
    """The cheaper one: to sort all entries costs as much as a few steps on some."""
    total = len(entries.order)
    return SparseLayout(entries) if total - len(entries.zero) <= SPARSE * total else Layout(entries)


def are_means(P: Projector, W: torch.Tensor) -> bool:
    """Whether each component of P on a real W is a mean of signed entries, or the identity."""
    if W.is_complex() or P.components is None:
        return False
    for component in (found for part in P.components for found in part):
        size = np.abs(component.basis)
        if not component.is_identity and (size.shape[1] != 1 or np.ptp(size) > ROUNDING * size.max()):
            return False
        if np.iscomplexobj(component.basis):
            return False
    return True


def _columns(entries: torch.Tensor, kind: Kind) -> torch.Tensor:
    return entries[kind.start : kind.start + kind.size * kind.many].view(kind.size, kind.many)


def _row(coefficients: torch.Tensor, kind: Kind) -> torch.Tensor:
    return coefficients[kind.first : kind.first + kind.many].view(1, kind.many)
