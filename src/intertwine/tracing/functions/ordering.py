"""Functions that pick entries by their values or their numbers: the largest, those that are true, triangles."""

from typing import Any

import torch

from intertwine.tracing.axes import fixed
from intertwine.tracing.context import Axes, ConflictError, Context
from intertwine.tracing.functions.combine import entrywise
from intertwine.tracing.functions.rule import Rule


def topk(ctx: Context, out: Any, x: torch.Tensor, *args: Any, dim: int = -1, **options: Any) -> Any:
    """The largest entries, or all in order: along an axis that the group leaves alone."""
    axes = ctx.axes(x)
    ctx.need_all(axes)
    ctx.alone(axes[dim], "sorts them")
    first = out if isinstance(out, torch.Tensor) else out[0]
    axes[dim] = fixed(first.shape[dim])
    return axes if isinstance(out, torch.Tensor) else [axes for _ in out]


def nonzero(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Any:
    """Which entries are not zero."""
    for axis in ctx.axes(x):
        ctx.alone(axis, "lists its entries by number")
    if isinstance(out, torch.Tensor):
        return [fixed(size) for size in out.shape]
    return [[fixed(size) for size in part.shape] for part in out]


def where(ctx: Context, out: Any, condition: torch.Tensor, *values: Any, **options: Any) -> Any:
    """``where(c, x, y)`` entry by entry; ``where(c)`` lists the entries that are true."""
    return entrywise(ctx, out, condition, *values, **options) if values else nonzero(ctx, out, condition)


def diagonal_entries(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """Diagonals, triangles, differences: by number, of what the group leaves alone."""
    if isinstance(out, torch.Tensor) and out.shape == x.shape:
        axes = ctx.axes(x)
        return [*axes[:-2], *(ctx.alone(axis, "reads them by number") for axis in axes[-2:])]
    raise ConflictError("reads entries by number")


def counts(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """How many entries have each value: of what the group permutes."""
    ctx.need_all(ctx.axes(x))
    return [fixed(size) for size in out.shape]


def one_hot(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """A new axis of classes, which the group leaves alone."""
    axes = ctx.axes(x)
    ctx.need_all(axes)
    return [*axes, fixed(out.shape[-1])]


RULES: dict[str, Rule] = {
    **dict.fromkeys(("topk", "sort", "argsort", "msort", "unique"), topk),
    **dict.fromkeys(("nonzero", "argwhere"), nonzero),
    "where": where,
    **dict.fromkeys(("tril", "triu", "tril_", "triu_"), diagonal_entries),
    **dict.fromkeys(("histc", "bincount"), counts),
    "one_hot": one_hot,
}
