"""A weight in pieces, with their entries sorted so that each coefficient of P W is the mean of one column."""

from math import prod
from typing import NamedTuple, TypeGuard

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.projectors import Projector
from intertwine.projectors.blocks_projector import BlocksProjector
from intertwine.projectors.constants import Constants
from intertwine.projectors.norms.sorted_entries import SortedEntries, sorted_entries
from intertwine.split.labels import Labels, labels_of, side_by_side
from intertwine.split.runs import RunLayout, run_layout

# Smaller weights take their steps together (`BagsOfSeveral`): calls would cost more than the arithmetic.
LEAST = 2**14
# Where torch has AdamW as one kernel.
DEVICES = ("cpu", "cuda")
# Entries of a piece: what a step reads several times stays in a processor's cache, and calls cost little beside it.
ENTRIES = 2**20
# A weight that is no copies of rows needs two indices an entry, and up to so many entries gets them.
MOST_WHOLE = 2**20
# Where P makes all but so few entries zero, these are set apart.
SPARSE = 0.25
# Basis vectors whose entries differ by less, relative to the largest, are of one size.
ROUNDING = 1e-9


class Kind(NamedTuple):
    """Columns of equal signs among the sorted entries, (size, many); ``has_signs``: whether one is not 1."""

    size: int
    many: int
    has_signs: bool


class Layout:
    """The order of one piece: components by kind, what P makes zero, what P leaves alone.

    Where every component has rank one and entries of one size, an orbit or a diagonal, the coefficients of P W *in
    units of the entries* are the means of its signed entries. What P leaves alone are coefficients by itself.

    Attributes:
        numel: entries of the piece.
        changed: how many of them P changes; the others come last.
        rank: coefficients, those of the entries that P leaves alone last.
    """

    def __init__(self, entries: SortedEntries) -> None:
        order = entries.order
        self.numel, self.changed = len(order), len(order) - len(entries.same)
        self._kinds: list[Kind] = []
        arrays: dict[str, Array] = {}
        for i, (basis, columns) in enumerate(entries.kinds):
            signs = np.sign(basis.real)
            self._kinds.append(Kind(len(columns), columns.shape[1], bool((signs != 1).any())))
            arrays |= {f"means{i}": signs.T / len(signs), f"signs{i}": signs}
        sizes = [kind.size * kind.many for kind in self._kinds]
        self._sizes = [*sizes, len(entries.zero), len(entries.same)]
        self._ranks = [*(kind.many for kind in self._kinds), len(entries.same)]
        self.rank = sum(self._ranks)
        # 32 bits an index: the piece is small.
        self._constants = Constants(order=order.astype(np.int32), back=np.argsort(order).astype(np.int32), **arrays)

    @property
    def nbytes(self) -> int:
        """Bytes of the constants as built."""
        return self._constants.nbytes

    def gathered(self, flat: torch.Tensor) -> torch.Tensor:
        """The piece's entries, in order."""
        return flat.index_select(0, self._constants.get("order", flat))

    def put_back(self, entries: torch.Tensor, flat: torch.Tensor) -> None:
        """The inverse, into ``flat``."""
        torch.index_select(entries, 0, self._constants.get("back", flat), out=flat)

    def write_(self, coefficients: torch.Tensor, flat: torch.Tensor) -> None:
        """``P W`` into ``flat``, from its coefficients."""
        self.put_back(self._expanded(coefficients), flat)

    def coefficients(self, entries: torch.Tensor) -> torch.Tensor:
        """Of P W, shape (rank,); from ``gathered`` entries."""
        *parts, _, same = entries.split_with_sizes(self._sizes)
        found = [
            torch.mm(self._constants.get(f"means{i}", entries), part.view(kind.size, kind.many)).view(-1)
            for i, (kind, part) in enumerate(zip(self._kinds, parts, strict=True))
        ]
        return torch.cat([*found, same])

    def subtract_(self, entries: torch.Tensor, coefficients: torch.Tensor) -> None:
        """``entries <- entries - P W`` in place, from the coefficients of P W; what P leaves alone stays as it is."""
        parts, rows = entries.split_with_sizes(self._sizes), coefficients.split_with_sizes(self._ranks)
        for i, (kind, part, row) in enumerate(zip(self._kinds, parts, rows, strict=False)):
            X = part.view(kind.size, kind.many)
            if kind.has_signs:
                X.addmm_(self._constants.get(f"signs{i}", entries), row.view(1, -1), alpha=-1)
            else:
                X.sub_(row)

    def move_(self, entries: torch.Tensor, coefficients: torch.Tensor) -> None:
        """``entries <- W - P W + P W'`` in place, from the coefficients of P W'."""
        self.subtract_(entries, self.coefficients(entries) - coefficients)
        if self._ranks[-1]:
            entries[self.changed :] = coefficients[-self._ranks[-1] :]

    def _expanded(self, coefficients: torch.Tensor) -> torch.Tensor:
        """``P W`` in order, from its coefficients."""
        *rows, same = coefficients.split_with_sizes(self._ranks)
        found = [
            (self._constants.get(f"signs{i}", row) * row).view(-1) if kind.has_signs else row.repeat(kind.size)
            for i, (kind, row) in enumerate(zip(self._kinds, rows, strict=True))
        ]
        return torch.cat([*found, same.new_zeros(self._sizes[-2]), same])


AnyLayout = Layout | RunLayout


class Piece(NamedTuple):
    """Where a piece begins and ends: in the flattened weight, in its coefficients, in the moments of the rest."""

    layout: AnyLayout
    entries: slice
    coefficients: slice
    rest: slice


class Sparse(NamedTuple):
    """Of a large weight most of whose entries P makes zero: the others' places, and their coefficients."""

    places: Constants
    labels: Labels


def pieces_of(P: BlocksProjector, shape: torch.Size) -> tuple[Piece, ...]:
    """The pieces of a weight whose coefficients ``are_means``; none where it does not pay."""
    layouts: dict[int, tuple[AnyLayout, Projector]] = {}
    pieces, at = [], (0, 0, 0)
    for rows, projector in P.by_rows(shape, ENTRIES):
        if id(projector) not in layouts:
            part = torch.Size((rows, *shape[1:]))
            if part.numel() > MOST_WHOLE:
                return ()
            found = run_layout(projector, part, labels_of(projector, part)) or Layout(
                sorted_entries([projector], [part])
            )
            layouts[id(projector)] = found, projector
        layout = layouts[id(projector)][0]
        end = at[0] + layout.numel, at[1] + layout.rank, at[2] + layout.changed
        pieces.append(Piece(layout, *(slice(a, b) for a, b in zip(at, end, strict=True))))
        at = end
    return tuple(pieces)


def sparse_of(P: BlocksProjector, shape: torch.Size) -> Sparse | None:
    """The entries of a weight whose coefficients ``are_means``, where most are zero, as between irreps."""
    parts = zip(P.parts, P.components or (), strict=True)
    if sum(part.copies * sum(found.entries.size for found in one) for part, one in parts) > SPARSE * prod(shape):
        return None
    known: dict[int, tuple[Projector, Array, Labels]] = {}
    places, labels, start = [], [], 0
    for rows, projector in P.by_rows(shape, MOST_WHOLE):
        part = torch.Size((rows, *shape[1:]))
        if id(projector) not in known:
            found = labels_of(projector, part)
            where = np.flatnonzero(found.signs)
            known[id(projector)] = projector, where, found.at(where)
        _, where, own = known[id(projector)]
        places.append(where + start)
        labels.append(own)
        start += part.numel()
    return Sparse(Constants(places=np.concatenate(places)), side_by_side(labels))


def is_large(P: Projector, W: torch.Tensor) -> TypeGuard[BlocksProjector]:
    """Whether a weight takes its step by itself, or by parts, on a device where that pays."""
    return W.numel() >= LEAST and W.device.type in DEVICES and isinstance(P, BlocksProjector)


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
