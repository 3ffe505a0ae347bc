"""Functions that cut an axis into runs, and that put tensors side by side."""

from collections.abc import Sequence
from typing import Any

import torch

from intertwine.tracing.axes import Axis, Digit, fixed
from intertwine.tracing.context import Axes, Context
from intertwine.tracing.functions.index import selected
from intertwine.tracing.functions.rule import Rule
from intertwine.tracing.functions.strided import joined
from intertwine.tracing.normal_form import resolved


def parts(ctx: Context, x: torch.Tensor, dim: int, outs: Sequence[torch.Tensor]) -> list[Axes]:
    """An axis cut into runs: of pixels, other pixels."""
    axes = ctx.axes(x)
    sizes = [part.shape[dim] for part in outs]
    clean = resolved(axes[dim])
    pixels = isinstance(clean.terms[0][0], Digit) and len(clean.terms) == len(clean.terms[0]) == 1
    runs = [ctx.resized(clean, size) for size in sizes] if pixels else ctx.cut(clean, sizes)
    dim %= x.ndim
    return [[*axes[:dim], run, *axes[dim + 1 :]] for run in runs]


def split(ctx: Context, out: Any, x: torch.Tensor, sizes: Any, dim: int = 0) -> Any:
    """``split``, ``chunk``, ``tensor_split``."""
    return parts(ctx, x, dim, out)


def unbind(ctx: Context, out: Any, x: torch.Tensor, dim: int = 0) -> Any:
    """Every entry of one axis by itself."""
    axes = ctx.axes(x)
    axis = axes.pop(dim)
    for position in range(axis.size):
        selected(ctx, axis, position)
    return [axes for _ in out]


def cat(ctx: Context, out: Any, tensors: Sequence[torch.Tensor], dim: int = 0, **options: Any) -> Axes:
    """A direct sum along one axis; the others are one type."""
    dim = options.get("axis", dim)
    tensors = [tensor for tensor in tensors if tensor.shape != (0,) or out.ndim == 1]
    rows = [ctx.axes(tensor) for tensor in tensors]
    dim %= out.ndim
    whole = joined(ctx, tensors, dim)
    if whole is not None:
        return whole
    order = sorted(range(len(rows)), key=lambda i: not ctx.dynamic(tensors[i]))
    found = list(rows[order[0]])
    for i in order[1:]:
        for position, axis in enumerate(rows[i]):
            if position != dim:
                ctx.meet(tensors[i], axis, found[position])
    found[dim] = resolved(Axis(tuple(term for row in rows for term in resolved(row[dim]).terms if row[dim].size)))
    return found


def stack(ctx: Context, out: Any, tensors: Sequence[torch.Tensor], dim: int = 0, **options: Any) -> Axes:
    """A new axis that the group leaves alone."""
    dim = options.get("axis", dim)
    rows = [ctx.axes(tensor) for tensor in tensors]
    order = sorted(range(len(rows)), key=lambda i: not ctx.dynamic(tensors[i]))
    found = list(rows[order[0]])
    for i in order[1:]:
        for position, axis in enumerate(rows[i]):
            ctx.meet(tensors[i], axis, found[position])
    found.insert(dim % out.ndim, fixed(len(rows)))
    return found


RULES: dict[str, Rule] = {
    **dict.fromkeys(("split", "chunk", "tensor_split", "split_with_sizes"), split),
    "unbind": unbind,
    **dict.fromkeys(("cat", "concat", "concatenate"), cat),
    "stack": stack,
}
