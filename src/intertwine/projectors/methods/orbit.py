"""Permutations: the projection is the mean over orbits of index tuples."""

from collections.abc import Callable, Sequence
from math import prod

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.errors import ArgumentError
from intertwine.projectors.constants import Constants
from intertwine.projectors.methods.components import Components, orbit_components
from intertwine.projectors.methods.method import TupleProjector
from intertwine.projectors.methods.orbit_lines import Lines
from intertwine.representations.field import Field
from intertwine.representations.orbits import basis_permutations, connected, is_transitive

# Entries that are lined up by orbit, and the means of their orbits.
Act = Callable[[torch.Tensor, torch.Tensor], object]


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
        self._is_rows = self._in_order and len(fields) == 2
        self._lines = Lines(gather, several=len(fields) > 1)
        arrays: dict[str, Array] = {} if self._whole else dict(self._lines.constants)
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
        return self._image(block, torch.Tensor.copy_)

    def residual(self, block: torch.Tensor) -> torch.Tensor:
        if self._whole:
            return block - block.mean(self._field_axes, keepdim=True)
        return self._image(block, torch.Tensor.sub_)

    def shrink_(self, block: torch.Tensor, factor: float | torch.Tensor) -> None:
        if self._whole or torch.compiler.is_compiling():
            super().shrink_(block, factor)
            return
        rows = block if self._is_rows else self._rows(block)
        self._lined_up(rows, rows, lambda entries, means: entries.lerp_(means, 1 - factor))
        if rows is not block and rows.untyped_storage()._cdata != block.untyped_storage()._cdata:
            block.copy_(self._restored(rows, block))

    def _image(self, block: torch.Tensor, act: Act) -> torch.Tensor:
        rows = block if self._is_rows else self._rows(block)
        out = torch.empty(rows.shape, dtype=rows.dtype, device=rows.device)
        if not torch.compiler.is_compiling():
            self._lined_up(rows, out, act)
            return self._restored(out, block)
        # A compiler has no costs of calls, and follows no writes through strides.
        index = self._lines.whole(rows, self.constants)
        entries = rows.gather(3, index)
        self._act(entries, act)
        out = out.scatter(3, index, entries)
        return self._restored(out * self._flips("flips", out) if self._signed else out, block)

    def _lined_up(self, rows: torch.Tensor, out: torch.Tensor, act: Act) -> None:
        """Acts on each row's entries, sorted by orbit, with their means; they are put back in ``out``, maybe ``rows``.

        Piece by piece: what does not fit into the processor's cache is read once and written once, not at each pass.
        """
        pieces = self._lines.pieces(rows, self.constants)
        targets = pieces if out is rows else self._lines.pieces(out, self.constants)
        for piece, target in zip(pieces, targets, strict=True):
            entries = piece.of(rows).gather(3, piece.gather)
            if self._run == 1 and not self._signed:
                act(entries, entries.mean(1, keepdim=True))
            else:
                self._act(entries.view(*piece.sizes[:2], -1, rows.shape[3]), act)
            into, entries = target.of(out), entries.view(target.sizes)
            if target.back is None:
                into.scatter_(3, target.gather, entries)
            else:
                torch.gather(entries, 3, target.back, out=into)
        if self._signed:
            out.mul_(self._flips("flips", out))

    def _act(self, entries: torch.Tensor, act: Act) -> None:
        """Acts on entries that are lined up, shape (..., columns), their signs taken out; signs are left out."""
        if self._signed:
            entries.mul_(self._flips("sorted_flips", entries))
        act(entries, self._means(entries))

    def _flips(self, name: str, entries: torch.Tensor) -> torch.Tensor:
        return self.constants.get(name, entries)[:, None, :]

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
        turned = block if self._is_rows else block.permute(self._turn)
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
