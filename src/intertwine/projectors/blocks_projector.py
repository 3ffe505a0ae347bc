"""P by parts: the tuples of blocks that the axes fall into, each with the projector on its fields."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from math import prod
from typing import final

import numpy as np
import torch

from intertwine._numerics import Array, accumulation_dtype
from intertwine.errors import ArgumentError, SizeLimitError
from intertwine.groups import Group
from intertwine.projectors.axes.plan import AxisBlock, AxisPlan, Part, Place
from intertwine.projectors.constants import Constants
from intertwine.projectors.methods.components import Components
from intertwine.projectors.methods.method import TupleProjector
from intertwine.projectors.projector import Projector
from intertwine.projectors.weights import in_own_memory
from intertwine.representations import Representation

# basis() is for looking at small cases; a layer's full basis is what this library exists to avoid.
BASIS_LIMIT = 2**26
# An index of the entries of a larger weight would be memory to speak of.
JOINT_LIMIT = 2**19
# A smaller one is computed with others whatever its parts.
JOINT_LEAST = 2**13
# Layouts of tensors whose views are remembered: a weight, its gradient, its state and their copies are laid out alike.
PLACES = 8
# Entries that a step in place works on at a time on a processor: what it reads is still there when it writes.
CACHED = 2**20


@final
class BlocksProjector(Projector):
    """The projector on the fields of each axis, tuple by tuple; tuples without a part project to zero.

    Args:
        group: the group.
        axes: one representation (or None) an axis of the tensor.
        plans: how each axis is cut into blocks.
        parts: the tuples of blocks on which P is not zero.
        method: what ``P.method`` says.
        folds: the tensor's own axes that each representation spans; one each if None.
        reason: why P is no projector on the fixed space of an action; empty if it is.
        exact: whether it is, where the reason is one of something else.
    """

    def __init__(
        self,
        group: Group,
        axes: tuple[Representation | None, ...],
        plans: tuple[AxisPlan, ...],
        parts: tuple[Part, ...],
        method: str,
        *,
        folds: tuple[tuple[int | None, ...], ...] | None = None,
        reason: str = "",
        exact: bool | None = None,
    ) -> None:
        if folds is None:
            folds = tuple([(None if rep is None else rep.dim,) for rep in axes])
        super().__init__(group, axes, folds, method, reason=reason, exact=exact)
        self.parts = parts
        self._plans, self._first = plans, plans[0].blocks
        # One tuple of blocks that is the whole tensor, axis by axis in its own layout, spares the copy that views
        # write into.
        self._single = len(parts) == 1
        orders: dict[str, Array] = {}
        sorted_axes = []
        for axis, plan in enumerate(plans):
            self._single &= len(plan.blocks) == 1 and not plan.blocks[0].copies_innermost
            if plan.order is not None:
                orders |= {str(axis): plan.order, f"{axis} back": np.argsort(plan.order)}
                sorted_axes.append(axis)
        self._orders, self._sorted_axes = Constants(**orders), tuple(sorted_axes)
        self._places: dict[tuple[torch.Size, tuple[int, ...]], list[Place]] = {}
        self._rank = sum([part.projector.rank * part.copies for part in parts])

    @property
    def rank(self) -> int:
        """Dimension of the equivariant subspace, the mean of the product of characters; a None axis counts as one."""
        return self._rank

    @property
    def constant_bytes(self) -> int:
        """Memory of the constants, in bytes as built (float64)."""
        seen = {id(part.projector): part.projector.constants.nbytes for part in self.parts}
        return sum(seen.values()) + self._orders.nbytes

    @cached_property
    def components(self) -> tuple[tuple[Components, ...], ...] | None:
        """By part, how P falls apart on one tuple of copies; None where that would take too long to find out."""
        found = {id(part.projector): part.projector for part in self.parts}
        components = {key: projector.components() for key, projector in found.items()}
        by_part = [components[id(part.projector)] for part in self.parts]
        return None if None in by_part else tuple(part for part in by_part if part is not None)

    @cached_property
    def joint_entries(self) -> int:
        """Up to so many entries a weight is best computed together with others; 0 without ``components``."""
        found = max(JOINT_LEAST, sum(part.projector.joint_entries for part in self.parts))
        return 0 if self.numel > JOINT_LIMIT or self.components is None else min(JOINT_LIMIT, found)

    def part_indices(self, shape: Sequence[int]) -> list[torch.Tensor]:
        wide = self._reordered(self.folded(torch.arange(prod(shape)).reshape(tuple(shape))))
        return self._views(wide)

    def by_rows(self, shape: Sequence[int], entries: int) -> list[tuple[int, "BlocksProjector"]]:
        """P in pieces along the tensor's first axis, of at most so many entries where copies can be told apart.

        Pieces alike have one projector, and all of its constants are P's own.

        Returns:
            By piece, the number of its rows, and the projector on them; together all rows.
        """
        whole = any(block.mul is None or block.copies_innermost for block in self._first) or 0 in self._sorted_axes
        if whole or len(self.folds[0]) != 1 or prod(shape) <= entries:
            return [(shape[0], self)]
        pieces: list[tuple[int, BlocksProjector]] = []
        for block in self._first:
            copies = block.mul or 0
            step = max(1, min(copies, entries // (block.dim * prod(shape[1:]))))
            pieces += [(step * block.dim, self._of_copies(block, step))] * (copies // step)
            if copies % step:
                pieces.append((copies % step * block.dim, self._of_copies(block, copies % step)))
        return pieces

    def _of_copies(self, block: AxisBlock, copies: int) -> "BlocksProjector":
        """The projector on so many copies of one block of the first axis."""
        first = replace(block, start=0, mul=copies)
        parts = [Part((first, *part.blocks[1:]), part.projector) for part in self.parts if part.blocks[0] is block]
        plans, folds = (AxisPlan((first,)), *self._plans[1:]), ((copies * block.dim,), *self.folds[1:])
        return BlocksProjector(self.group, (None, *self.axes[1:]), plans, tuple(parts), self.method, folds=folds)

    def basis(self) -> torch.Tensor:
        """Orthonormal basis of the equivariant subspace, float64 (complex128), shape (rank, *shape); for small cases.

        Raises:
            SizeLimitError: it would hold more than 2^26 numbers.
            ArgumentError: an axis has no representation, so its length is not known.
        """
        if None in self.shape:
            raise ArgumentError(
                "axes", expected="a representation on every axis", got="None on one", advice="Use n * G.trivial()."
            )
        if self.rank * self.numel > BASIS_LIMIT:
            raise SizeLimitError(
                "basis",
                expected=f"rank x numel <= {BASIS_LIMIT}",
                got=f"{self.rank} x {self.numel}",
                advice="Use project() instead.",
            )
        kind = torch.complex128 if self.is_complex else torch.float64
        flat = [prod(n for n in fold if n is not None) for fold in self.folds]
        out = torch.zeros(self.rank, *flat, dtype=kind)
        row = 0
        for i, part in enumerate(self.parts):
            tuples = torch.from_numpy(part.projector.basis()).to(kind)
            for copies in itertools.product(*(range(block.mul or 0) for block in part.blocks)):
                index = tuple(axis for copy in copies for axis in (copy, slice(None)))
                for vector in tuples:
                    self._views(out[row])[i][index] = vector
                    row += 1
        shape = [n for n in self.shape if n is not None]
        return self._reordered(out, inverse=True, offset=1).reshape(self.rank, *shape)

    def _project(self, W: torch.Tensor) -> torch.Tensor:
        wide = self._reordered(self.folded(W.to(accumulation_dtype(W.dtype))))
        if self._single:
            image = self.parts[0].projector.project(self._views(wide)[0])
            out = in_own_memory(image, wide).reshape(wide.shape)
        else:
            out = torch.zeros_like(wide, memory_format=torch.contiguous_format)
            for part, block, image in zip(self.parts, self._views(wide), self._views(out), strict=True):
                image.copy_(part.projector.project(block))
        return self._reordered(out, inverse=True).to(W.dtype).reshape(W.shape)

    def _residual(self, W: torch.Tensor) -> torch.Tensor:
        wide = self._reordered(self.folded(W.to(accumulation_dtype(W.dtype))))
        if self._single:
            out = self.parts[0].projector.residual(self._views(wide)[0])
            if not self._sorted_axes and W.dtype == out.dtype:
                return out.reshape(W.shape)
            out = out.reshape(wide.shape)
        else:
            out = wide.clone(memory_format=torch.contiguous_format)
            for part, block in zip(self.parts, self._views(out), strict=True):
                part.projector.residual_(block)
        return self._reordered(out, inverse=True).to(W.dtype).reshape(W.shape)

    def _shrink_(self, W: torch.Tensor, factor: float | torch.Tensor) -> None:
        copied = not self._one_axis_each and not W.is_contiguous()
        if copied or self._sorted_axes or accumulation_dtype(W.dtype) != W.dtype:
            wide = W.to(accumulation_dtype(W.dtype))
            W.copy_(torch.lerp(wide, self._project(wide), 1 - factor))
            return
        if self._single:
            self.parts[0].projector.shrink_(self._views(self.folded(W))[0], factor)
            return
        wide = self.folded(W)
        for rows, blocks in self._by_rows(wide):
            # What P keeps is set aside and written back, not scaled and restored: rounding does not make it drift.
            kept = [projector.shrunk(block, factor) for projector, block in blocks]
            rows.mul_(factor)
            for where, entries in kept:
                where.copy_(entries)

    def _by_rows(self, wide: torch.Tensor) -> Iterator[tuple[torch.Tensor, list[tuple[TupleProjector, torch.Tensor]]]]:
        """The whole in pieces along its first axis, each with the blocks in it: what a processor's cache holds."""
        parts = zip(self.parts, self._views(wide), strict=True)
        views = [(part.projector, view, part.blocks[0]) for part, view in parts]
        if wide.device.type != "cpu" or wide.numel() <= CACHED or torch.compiler.is_compiling():
            yield wide, [(projector, view) for projector, view, _ in views]
            return
        width = wide.numel() // len(wide)
        for block in self._first:
            mine = [(projector, view) for projector, view, first in views if first is block]
            if block.mul is None or block.copies_innermost:
                length = len(wide) if block.mul is None else block.mul * block.dim
                yield wide.narrow(0, block.start, length), mine
                continue
            step = max(1, CACHED // (block.dim * width))
            for first in range(0, block.mul, step):
                copies = min(step, block.mul - first)
                rows = wide.narrow(0, block.start + first * block.dim, copies * block.dim)
                yield rows, [(projector, view.narrow(0, first, copies)) for projector, view in mine]

    def _views(self, tensor: torch.Tensor) -> list[torch.Tensor]:
        """Each part of ``tensor``."""
        if torch.compiler.is_compiling():
            return [part.view(tensor) for part in self.parts]
        # One call a part in place of three an axis, which of a small weight would cost as much as the arithmetic; a
        # compiler has no such costs, and cannot follow writes through strides.
        key = tensor.shape, tensor.stride()
        places = self._places.get(key)
        if places is None:
            if len(self._places) >= PLACES:
                self._places.clear()
            places = self._places[key] = [part.place(*key) for part in self.parts]
        start = tensor.storage_offset()
        return [tensor.as_strided(sizes, strides, offset + start) for sizes, strides, offset in places]

    def _reordered(self, tensor: torch.Tensor, *, inverse: bool = False, offset: int = 0) -> torch.Tensor:
        for axis in self._sorted_axes:
            index = self._orders.get(f"{axis} back" if inverse else str(axis), tensor)
            tensor = tensor.index_select(axis + offset, index)
        return tensor
