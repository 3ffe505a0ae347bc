"""Every second pixel, from each start, side by side: patches merged into channels, as Swin and Focus layers do."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations, product
from typing import Any

import torch

from intertwine.tracing.axes import Digit
from intertwine.tracing.context import Axes, Context, TensorType
from intertwine.tracing.normal_form import resolved


@dataclass(frozen=True)
class Slice:
    """A tensor that is ``source[..., start::step, ...]`` along some axes.

    Attributes:
        source: the type of what was read.
        pieces: the types of what was read on the way, and of this.
        starts: axis to ``(start, step)``.
    """

    source: TensorType
    pieces: tuple[TensorType, ...]
    starts: dict[int, tuple[int, int]]


def sliced_evenly(ctx: Context, x: torch.Tensor, out: torch.Tensor, items: Sequence[Any]) -> None:
    """Remember ``out = x[items]`` if it is every so manieth pixel."""
    if len(items) != x.ndim or not all(isinstance(item, slice) for item in items):
        return
    starts = {}
    for dim, (item, axis) in enumerate(zip(items, ctx.axes(x), strict=True)):
        start, stop, step = item.indices(x.shape[dim])
        if step == 1 and start == 0 and stop == x.shape[dim]:
            continue
        pixels = len(axis.terms) == len(axis.terms[0]) == 1 and isinstance(axis.terms[0][0], Digit)
        if not pixels or step < 2 or x.shape[dim] % step or start >= step or out.shape[dim] != x.shape[dim] // step:
            return
        starts[dim] = (start, step)
    before = ctx.slices.get(x)
    kind = before.source if before is not None else ctx.type_of(x)
    if before is not None and set(before.starts) & set(starts):
        return
    if starts:
        pieces = (*before.pieces, ctx.type_of(x)) if before is not None else ()
        ctx.slices[out] = Slice(kind, pieces, {**(before.starts if before is not None else {}), **starts})


def joined(ctx: Context, tensors: Sequence[torch.Tensor], dim: int) -> Axes | None:
    """The axes of slices side by side that are all pixels of one tensor, each once; None if they are not.

    ``cat([x[:, row::2, column::2] for column in range(2) for row in range(2)], -1)`` has, in front of the channels, the
    lower digits of the columns and of the rows. The group exchanges such slices with each other: they count as pieces.
    """
    found = [ctx.slices.get(tensor) for tensor in tensors]
    first = found[0]
    if first is None or dim in first.starts:
        return None
    parts = [part for part in found if part is not None and part.source is first.source]
    steps = {d: step for d, (_, step) in first.starts.items()}
    if len(parts) != len(tensors) or any({d: s for d, (_, s) in p.starts.items()} != steps for p in parts):
        return None
    starts = [{d: start for d, (start, _) in part.starts.items()} for part in parts]
    for order in permutations(steps):
        if starts == [dict(zip(order, one, strict=True)) for one in product(*(range(steps[d]) for d in order))]:
            break
    else:
        return None
    axes = [resolved(axis) for axis in first.source.axes]
    inner = {}
    for d in order:
        axes[d], inner[d] = ctx.factor(axes[d], (axes[d].size // steps[d], steps[d]))
    axes[dim] = ctx.product([*(inner[d] for d in order), axes[dim]])
    for tensor, part in zip(tensors, parts, strict=True):
        for kind in (*part.pieces, ctx.type_of(tensor)):
            kind.piece = True
    return axes
