"""Functions that read and write some of the entries: slices, rows by index, messages added up at nodes."""

from typing import Any

import torch

from intertwine.tracing.axes import Axis, Digit, Wave, bare, fixed, single
from intertwine.tracing.context import Axes, Context
from intertwine.tracing.functions.rule import Rule
from intertwine.tracing.functions.strided import sliced_evenly
from intertwine.tracing.gathers import Gather
from intertwine.tracing.normal_form import is_alone, resolved, unknowns


def rows_read(ctx: Context, rows: Axis, index: torch.Tensor) -> Axes:
    """The axes of ``table[index]`` that replace the table's rows."""
    clean = resolved(rows)
    if ctx.dynamic(index):
        ctx.alone(clean, "reads them by indices that depend on the input")
        return ctx.axes(index)
    if is_alone(clean) or not unknowns(clean) or any(node.feature for node in unknowns(clean)):
        ctx.alone(clean, "reads them by constant indices")
        return [fixed(size) for size in index.shape]
    axes = [ctx.fresh(size) for size in index.shape]
    ctx.gathers.append(Gather(clean, index, axes))
    return axes


def getitem(ctx: Context, out: Any, x: torch.Tensor, index: Any) -> Axes:
    """``x[index]``."""
    items = list(index) if isinstance(index, tuple) else [index]
    taken = sum(_consumed(item) for item in items)
    if any(item is Ellipsis for item in items):
        place = next(i for i, item in enumerate(items) if item is Ellipsis)
        items[place : place + 1] = [slice(None)] * (x.ndim - taken)
    else:
        items += [slice(None)] * (x.ndim - taken)
    sliced_evenly(ctx, x, out, items)
    left = ctx.axes(x)
    found: Axes = []
    reads: list[tuple[Axis, Any]] = []
    where: list[int] = []
    masked = False
    for item in items:
        if item is None:
            found.append(fixed(1))
            continue
        if isinstance(item, slice):
            found.append(sliced(ctx, left.pop(0), item))
            continue
        value = torch.as_tensor(item) if isinstance(item, list) else item
        if isinstance(value, bool) or (isinstance(value, torch.Tensor) and value.dtype in (torch.bool, torch.uint8)):
            for axis in [left.pop(0) for _ in range(value.ndim if isinstance(value, torch.Tensor) else 0)]:
                ctx.alone(axis, "reads them by a mask")
            masked = True
            where.append(len(found))
        elif isinstance(value, torch.Tensor) and value.ndim:
            reads.append((left.pop(0), value))
            where.append(len(found))
        else:
            position = int(value)
            axis = left.pop(0)
            selected(ctx, axis, position % axis.size)
    if reads or masked:
        start = where[0] if len(set(where)) == 1 else 0
        found[start:start] = _advanced(ctx, out, reads, masked, start)
    return found


def _advanced(ctx: Context, out: torch.Tensor, reads: list[tuple[Axis, Any]], masked: bool, start: int) -> Axes:
    if len(reads) == 1 and not masked:
        return rows_read(ctx, *reads[0])
    ndim = 1 if masked else max(index.ndim for _, index in reads)
    axes = [fixed(size) for size in out.shape[start : start + ndim]]
    for axis, index in reads:
        ctx.alone(axis, "reads them by several indices")
        if ctx.dynamic(index) and index.ndim == ndim:
            axes = [a if b.size != a.size else b for a, b in zip(axes, ctx.axes(index), strict=True)]
    return axes


def _consumed(item: Any) -> int:
    if item is None or item is Ellipsis:
        return 0
    return item.ndim if isinstance(item, torch.Tensor) and item.dtype in (torch.bool, torch.uint8) else 1


def sliced(ctx: Context, axis: Axis, item: slice) -> Axis:
    """``x[start:stop:step]`` along one axis."""
    clean = resolved(axis)
    start, stop, step = item.indices(clean.size)
    size = len(range(start, stop, step))
    if is_alone(clean) or (size == clean.size and step == 1):
        return clean if step == 1 and size == clean.size else fixed(size)
    factor = bare(clean)
    if isinstance(factor, Digit):
        return ctx.resized(clean, size)
    if isinstance(factor, Wave):
        return single(factor.part(item))
    if step == 1:
        return ctx.cut(clean, (start, size, clean.size - start - size))[1]
    if step < 0 or clean.size % step or start >= step or size != clean.size // step:
        ctx.alone(clean, "reads every so many of them")
        return fixed(size)
    runs, within = ctx.factor(clean, (clean.size // step, step))
    ctx.alone(within, "reads one in each run")
    return runs


def selected(ctx: Context, axis: Axis, position: int) -> None:
    """``x[i]`` along one axis: entry i is one that the group leaves alone."""
    clean = resolved(axis)
    if is_alone(clean):
        return
    piece = ctx.cut(clean, (position, 1, clean.size - position - 1))[1]
    ctx.unify(piece, fixed(1))


def select(ctx: Context, out: Any, x: torch.Tensor, dim: int, index: int) -> Axes:
    """``x.select(dim, i)``."""
    axes = ctx.axes(x)
    axis = axes.pop(dim)
    selected(ctx, axis, int(index) % axis.size)
    return axes


def narrow(ctx: Context, out: Any, x: torch.Tensor, dim: int, start: Any, length: int) -> Axes:
    """``x.narrow(dim, start, length)``."""
    axes = ctx.axes(x)
    begin = int(start) % axes[dim].size
    axes[dim] = sliced(ctx, axes[dim], slice(begin, begin + length))
    return axes


def index_select(ctx: Context, out: Any, x: torch.Tensor, dim: int, index: torch.Tensor) -> Axes:
    """Rows along one axis."""
    axes = ctx.axes(x)
    dim %= x.ndim
    axes[dim : dim + 1] = rows_read(ctx, axes[dim], index) if index.ndim else [fixed(1)]
    return axes


def gather(ctx: Context, out: Any, x: torch.Tensor, dim: int, index: torch.Tensor, **options: Any) -> Axes:
    """``x[i][index[i, j]]`` along one axis; the others go together."""
    axes, other = ctx.axes(x), ctx.axes(index)
    dim %= x.ndim
    ctx.alone(axes[dim], "reads them by indices")
    axes[dim] = fixed(out.shape[dim]) if not ctx.dynamic(index) else other[dim]
    for position, axis in enumerate(axes):
        if position != dim:
            if axis.size == other[position].size:
                ctx.meet(index, other[position], axis)
            ctx.need(axis, "pointwise")
    return axes


def index_add(
    ctx: Context, out: Any, x: torch.Tensor, dim: int, index: torch.Tensor, source: Any, **options: Any
) -> Axes:
    """Rows added up where the index says: messages at nodes."""
    if not isinstance(source, torch.Tensor):
        return ctx.axes(x)
    axes, other = ctx.axes(x, squares=True), ctx.axes(source, squares=True)
    dim %= x.ndim
    for position, (axis, own) in enumerate(zip(axes, other, strict=True)):
        if position == dim:
            ctx.alone(axis, "adds up at indices")
            ctx.alone(own, "adds up by indices")
        elif axis.size == own.size:
            ctx.unify(axis, own)
    return [resolved(axis) for axis in axes]


def scatter(
    ctx: Context,
    out: Any,
    x: torch.Tensor,
    dim: int,
    index: torch.Tensor,
    source: Any = None,
    *args: Any,
    **options: Any,
) -> Axes:
    """Likewise with an index for every entry."""
    if not isinstance(source, torch.Tensor):
        source = options.get("src")
    if not isinstance(source, torch.Tensor):
        axes = ctx.axes(x)
        axes[dim] = ctx.alone(axes[dim], "writes at indices")
        return axes
    return index_add(ctx, out, x, dim, index, source)


def setitem(ctx: Context, out: Any, x: torch.Tensor, index: Any, value: Any) -> Axes:
    """``x[index] = value``: both are of one type."""
    part = x.detach()[index]
    axes = getitem(ctx, part, x, index)
    if isinstance(value, torch.Tensor):
        other = ctx.axes(value)
        for position in range(1, min(len(axes), len(other)) + 1):
            if axes[-position].size == other[-position].size:
                ctx.unify(axes[-position], other[-position])
            else:
                ctx.need(axes[-position], "ones")
    elif value:
        ctx.need_all(axes, "ones")
    return ctx.axes(x)


RULES: dict[str, Rule] = {
    "getitem": getitem,
    "setitem": setitem,
    "select": select,
    "narrow": narrow,
    "index_select": index_select,
    **dict.fromkeys(("gather", "take_along_dim"), gather),
    **dict.fromkeys(("index_add", "index_add_", "index_copy", "index_copy_"), index_add),
    **dict.fromkeys(
        ("scatter", "scatter_", "scatter_add", "scatter_add_", "scatter_reduce", "scatter_reduce_"), scatter
    ),
}
