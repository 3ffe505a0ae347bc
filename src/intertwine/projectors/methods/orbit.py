"""Permutations: the projection is the mean over orbits of index tuples."""

from collections.abc import Sequence
from math import prod

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.errors import ArgumentError
from intertwine.projectors.constants import Constants
from intertwine.projectors.methods.components import Components, orbit_components
from intertwine.projectors.methods.method import TupleProjector
from intertwine.representations.field import Field
from intertwine.representations.orbits import basis_permutations, connected, is_transitive

# Entries that are worked on at a time on a processor: fewer would fit into its own cache, and cost more in calls.
CACHED = 2**20
# Entries that a gather on a processor moves at a time: each run of them costs it as much as four entries.
RUN = 64
# Of so many entries the index is kept in both directions: to gather is faster than to scatter.
BOTH_WAYS = 2**11


class OrbitProjector(TupleProjector):
    """The group permutes, up to signs, the index tuples of ``F_1 (x) ... (x) F_k``; P averages over each orbit.

    One of the fields, the *row* field, must be transitive. Then every row meets every orbit equally often, so sorting
    each row's entries by orbit lines the orbits up as columns: one gather with a d_row x d_columns index, a mean over
    rows and over the few equal columns, one gather back. A signed orbit that contains an entry and its negative
    projects to zero.

    Args:
        fields: permutation fields of one group.
        row: position of the transitive field.
    """

    needs = "axes that permute a basis"
    # Twice as many are faster in calls by themselves, and slower within a training step of octahedral convolutions.
    joint_entries = 2**15

    def __init__(self, fields: tuple[Field, ...], row: int) -> None:
        self.row, self.dims = row, tuple(field.dim for field in fields)
        order = (row, *(axis for axis in range(len(fields)) if axis != row))
        labels, signs = _signed_orbits([fields[axis] for axis in order])
        rows = self.dims[row]
        self.labels, self.signs = labels.reshape(rows, -1), signs.reshape(rows, -1)
        self.order = order
        # (copies, field) of the row axis, then the copies of the others, then their fields.
        others = order[1:]
        self._turn = (2 * row, 2 * row + 1, *(2 * axis for axis in others), *(2 * axis + 1 for axis in others))
        self._field_axes = tuple(range(1, 2 * len(fields), 2))
        self._turn_back = tuple(sorted(range(len(self._turn)), key=self._turn.__getitem__))
        count = int(labels.max(initial=-1)) + 1
        gather = np.argsort(self.labels, axis=1, kind="stable")
        runs = np.bincount(self.labels[0], minlength=count)
        sorted_labels = np.take_along_axis(self.labels, gather, axis=1)
        if (sorted_labels != sorted_labels[:1]).any():
            raise ArgumentError("row", expected="a transitive field", got=fields[row].name)
        self._run = int(runs[0]) if count and (runs == runs[0]).all() else 0
        self._signed = bool((self.signs != 1).any())
        alive = np.zeros(count, dtype=bool)
        alive[self.labels[self.signs != 0]] = True
        self._alive = alive
        self._whole = count == 1 and not self._signed
        # The other fields lie behind the rows as they are: no axis has to be moved.
        self._in_order = row == 0 or len(fields) == 1
        # Copies side by side are gathered alike, each behind the one before; of one copy alone it is the beginning.
        columns = gather.shape[1]
        most = max(1, RUN // max(1, columns)) if len(fields) > 1 else 1
        wide = (columns * np.arange(most)[:, None] + gather[:, None, :]).reshape(rows, 1, most * columns)
        arrays: dict[str, Array] = {} if self._whole else {"gather": wide}
        self._both_ways = not self._whole and wide.size <= BOTH_WAYS
        if self._both_ways:
            arrays["back"] = np.argsort(wide, axis=-1)
        if not self._run:
            arrays |= {"runs": runs.astype(np.float64), "columns": sorted_labels[0]}
        if self._signed:
            flips = np.where(self.signs == 0, 1, self.signs).astype(np.float64)
            arrays |= {
                "flips": flips,
                "sorted_flips": np.take_along_axis(flips, gather, 1),
                "alive": alive.astype(np.float64),
            }
        self.constants = Constants(**arrays)

    @classmethod
    def applies(cls, axes: Sequence[Sequence[Field]], copies: int = 1) -> bool:
        """Whether all fields permute, those of some axis in one orbit."""
        del copies
        permuted = all(field.generator_permutations() is not None for axis in axes for field in axis)
        return permuted and any(all(map(is_transitive, axis)) for axis in axes)

    @classmethod
    def of(cls, fields: tuple[Field, ...]) -> "OrbitProjector":
        # The largest transitive field as rows leaves the fewest columns to sort.
        rows = [axis for axis, field in enumerate(fields) if is_transitive(field)]
        return cls(fields, max(rows, key=lambda axis: fields[axis].dim))

    @property
    def rank(self) -> int:
        return int(self._alive.sum())

    def project(self, block: torch.Tensor) -> torch.Tensor:
        if self._whole:
            return block.mean(self._field_axes, keepdim=True).expand_as(block)
        entries = self._lined_up(self._rows(block))
        return self._restored(self._put_back(self._means(entries).expand_as(entries)), block)

    def residual(self, block: torch.Tensor) -> torch.Tensor:
        if self._whole:
            return block - block.mean(self._field_axes, keepdim=True)
        rows = self._rows(block)
        step = self._copies_at_once(rows)
        if step >= len(rows):
            return self._restored(self._residual_of(rows), block)
        # What does not fit into the processor's cache is read once and written once, not at each of the four passes.
        out = torch.empty_like(rows, memory_format=torch.contiguous_format)
        for part, target in zip(rows.split(step), out.split(step), strict=True):
            self._residual_of(part, target)
        return self._restored(out, block)

    def shrink_(self, block: torch.Tensor, factor: float | torch.Tensor) -> None:
        rows = self._rows(block)
        if self._whole or self._signed or rows.untyped_storage()._cdata != block.untyped_storage()._cdata:
            super().shrink_(block, factor)
            return
        entries = self._lined_up(rows)
        entries.lerp_(self._means(entries), 1 - factor)
        # The rows are a view of the block: what was lined up goes straight back to where it came from.
        self._put_back_into(rows, entries)

    def _lined_up(self, rows: torch.Tensor) -> torch.Tensor:
        """Each row's entries sorted by orbit, signs taken out; a new tensor."""
        wide, index = self._wide(rows, "gather")
        entries = wide.gather(3, index).view(rows.shape)
        return entries * self.constants.get("sorted_flips", rows)[:, None, :] if self._signed else entries

    def _residual_of(self, rows: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        entries = self._lined_up(rows)
        return self._put_back(entries.sub_(self._means(entries)), out)

    def _put_back(self, entries: torch.Tensor, out: torch.Tensor | None = None) -> torch.Tensor:
        """Inverse of ``_lined_up``, in ``out`` if it is given."""
        rows = torch.empty_like(entries, memory_format=torch.contiguous_format) if out is None else out
        self._put_back_into(rows, entries)
        return rows.mul_(self.constants.get("flips", entries)[:, None, :]) if self._signed else rows

    def _put_back_into(self, rows: torch.Tensor, entries: torch.Tensor) -> None:
        """Puts what ``gather`` took from the rows back into them."""
        if self._both_ways and not torch.compiler.is_compiling():
            wide, index = self._wide(rows, "back")
            torch.gather(entries.view(wide.shape), 3, index, out=wide)
        else:
            wide, index = self._wide(rows, "gather")
            wide.scatter_(3, index, entries.view(wide.shape))

    def _wide(self, rows: torch.Tensor, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """The rows with some copies of the others side by side as one run, a view, and the index of that name."""
        index, (copies, columns) = self.constants.get(name, rows), rows.shape[2:]
        together = 1
        in_a_line = rows.stride(2) == columns * rows.stride(3)
        if in_a_line and rows.device.type == "cpu" and not torch.compiler.is_compiling():
            most = index.shape[2] // max(1, columns)
            together = next((n for n in range(min(most, copies), 1, -1) if copies % n == 0), 1)
        wide = rows if together == 1 else rows.view(*rows.shape[:2], copies // together, together * columns)
        return wide, index[..., : wide.shape[3]].expand(wide.shape)

    def _means(self, entries: torch.Tensor) -> torch.Tensor:
        """The mean of each entry's orbit, shape (copies of the row field, 1, copies of the others, columns)."""
        means = entries.mean(1, keepdim=True)
        if self._run == 1:
            return means * self.constants.get("alive", entries) if self._signed else means
        alive = self.constants.get("alive", entries) if self._signed else None
        if self._run:
            means = means.unflatten(-1, (-1, self._run)).mean(-1)
            means = means if alive is None else means * alive
            return means.repeat_interleave(self._run, -1)
        runs, columns = self.constants.get("runs", entries), self.constants.get("columns", entries)
        means = means.new_zeros(*means.shape[:-1], len(runs)).index_add_(3, columns, means) / runs
        means = means if alive is None else means * alive
        return means.index_select(3, columns)

    def _copies_at_once(self, rows: torch.Tensor) -> int:
        """How many copies of the row field are taken at a time."""
        if rows.device.type != "cpu" or torch.compiler.is_compiling() or rows.numel() < 2 * CACHED:
            return len(rows)
        return max(1, CACHED * len(rows) // rows.numel())

    def basis(self) -> Array:
        out = np.zeros((len(self._alive), *self.labels.shape))
        rows, columns = np.indices(self.labels.shape)
        out[self.labels, rows, columns] = self.signs
        out = out[self._alive]
        out /= np.sqrt((out**2).sum((1, 2), keepdims=True))
        shaped = out.reshape(-1, *(self.dims[axis] for axis in self.order))
        return np.ascontiguousarray(np.moveaxis(shaped, range(1, shaped.ndim), [1 + axis for axis in self.order]))

    def components(self) -> tuple[Components, ...]:
        back = np.argsort(self.order)
        shape = [self.dims[axis] for axis in self.order]
        labels, signs = (array.reshape(shape).transpose(back).reshape(-1) for array in (self.labels, self.signs))
        return tuple(orbit_components(labels, signs))

    def _rows(self, block: torch.Tensor) -> torch.Tensor:
        """The block as (copies of the row field, row, copies of the others, column)."""
        turned = block if self._in_order and len(self.dims) == 2 else block.permute(self._turn)
        if len(self.dims) == 2:
            return turned
        sizes, others = turned.shape, len(self.dims) - 1
        return turned.reshape(sizes[0], sizes[1], prod(sizes[2 : 2 + others]), prod(sizes[2 + others :]))

    def _restored(self, rows: torch.Tensor, block: torch.Tensor) -> torch.Tensor:
        """Inverse of ``_rows`` for a tensor of the shape of ``block``."""
        if self._in_order and len(self.dims) <= 2:
            return rows.reshape(block.shape)
        return rows.reshape([block.shape[axis] for axis in self._turn]).permute(self._turn_back)


def _signed_orbits(fields: list[Field]) -> tuple[Array, Array]:
    """Orbit label and sign (+1, -1, or 0 on orbits that meet their negative) of every index tuple, flattened."""
    dims = [field.dim for field in fields]
    size = int(np.prod(dims))
    tables = [basis_permutations(field) for field in fields]
    count = len(tables[0][0])
    sources, targets, flips = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for generator in range(count):
        target, sign = np.zeros(1, np.int64), np.ones(1, np.int64)
        for (images, signs_), dim in zip(tables, dims, strict=True):
            target = (target[:, None] * dim + images[generator][None]).reshape(-1)
            sign = (sign[:, None] * signs_[generator][None]).reshape(-1)
        sources.append(np.arange(size))
        targets.append(target)
        flips.append(sign)
    source, target, sign = np.concatenate(sources), np.concatenate(targets), np.concatenate(flips)
    # Double cover: node i + size is minus entry i. An orbit that holds both vanishes.
    flipped = sign < 0
    ends = np.concatenate([np.where(flipped, target + size, target), np.where(flipped, target, target + size)])
    _, cover = connected(2 * size, np.concatenate([source, source + size]), ends)
    plus, minus = cover[:size], cover[size:]
    pair = np.minimum(plus, minus)
    _, labels = np.unique(pair, return_inverse=True)
    signs = np.where(plus == minus, 0, np.where(plus == pair, 1, -1))
    return labels.reshape(-1).astype(np.int64), signs
