"""Functions that lay the same numbers out in other axes."""

from collections.abc import Sequence
from functools import partial
from math import prod
from typing import Any

import torch

from intertwine.tracing.axes import Axis, Fixed, Nested, fixed
from intertwine.tracing.context import Axes, ConflictError, Context
from intertwine.tracing.functions.rule import Rule
from intertwine.tracing.normal_form import is_alone, is_pixels, resolved, unknowns


def reshaped(ctx: Context, axes: Axes, shape: Sequence[int]) -> Axes:
    """Axes merged and factored: runs of them whose lengths multiply to the same number belong together."""
    found = [fixed(size) for size in shape]
    before = []
    for position, axis in enumerate(axes):
        place = None if axis.size != 1 or is_alone(axis) else _single(axes, position, shape)
        if place is not None:
            found[place] = axis
        elif axis.size != 1 or not _left_out(ctx, axis):
            before.append(axis)
    after = [(position, size) for position, size in enumerate(shape) if size != 1]
    while before and after:
        left, right = [before.pop(0)], [after.pop(0)]
        have, want = left[0].size, right[0][1]
        while have != want:
            if have < want:
                left.append(before.pop(0))
                have *= left[-1].size
            else:
                right.append(after.pop(0))
                want *= right[-1][1]
        parts = _laid_out(ctx, left, [size for _, size in right])
        for (position, _), part in zip(right, parts, strict=True):
            found[position] = part
    return found


def _laid_out(ctx: Context, left: Axes, sizes: Sequence[int]) -> Axes:
    """Axes merged and factored; where the group must leave them alone for that, it does."""
    whole = left[0] if len(left) == 1 else ctx.product(left)
    if len(sizes) == 1:
        return [whole]
    found: list[Axes] = []
    if not ctx.solver.attempt(lambda: found.append(ctx.factor(whole, sizes))):
        for axis in left:
            ctx.alone(axis, f"lays them out in runs of {sizes[-1]}")
        return [fixed(size) for size in sizes]
    return found[0]


def _single(axes: Axes, position: int, shape: Sequence[int]) -> int | None:
    """Where a single feature goes: an axis of length 1 with as many entries before it."""
    start = position
    while start and axes[start - 1].size == 1:
        start -= 1
    count = prod(axis.size for axis in axes[:start])
    places = [i for i, size in enumerate(shape) if size == 1 and prod(shape[:i]) == count]
    return places[min(position - start, len(places) - 1)] if places else None


def _left_out(ctx: Context, axis: Axis) -> bool:
    """Whether an axis of length 1 can go: no known sign is on it."""
    if unknowns(axis):
        ctx.alone(axis, "leaves their axis out")
    return is_alone(resolved(axis))


def reshape(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """``reshape``, ``view``, ``flatten``, ``unflatten``."""
    return reshaped(ctx, ctx.axes(x), out.shape) if x.numel() else [fixed(size) for size in out.shape]


def squeeze(ctx: Context, out: Any, x: torch.Tensor, dim: Any = None) -> Axes:
    """Axes of length 1 left out."""
    dims = range(x.ndim) if dim is None else [d % x.ndim for d in (dim if isinstance(dim, tuple | list) else (dim,))]
    axes = ctx.axes(x, squares=True)
    for d in dims:
        if x.shape[d] == 1 and not _left_out(ctx, axes[d]):
            raise ConflictError(f"leaves out an axis that carries {axes[d]}")
    return [axis for i, axis in enumerate(axes) if i not in dims or x.shape[i] != 1]


def unsqueeze(ctx: Context, out: Any, x: torch.Tensor, dim: int) -> Axes:
    """An axis of length 1 more."""
    axes = ctx.axes(x, squares=True)
    axes.insert(dim % out.ndim, fixed(1))
    return axes


def permute(ctx: Context, out: Any, x: torch.Tensor, *dims: Any) -> Axes:
    """Axes in another order."""
    order = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
    axes = ctx.axes(x, squares=True)
    return [axes[d] for d in order]


def transpose(ctx: Context, out: Any, x: torch.Tensor, first: int = -2, second: int = -1) -> Axes:
    """Two axes exchanged."""
    axes = ctx.axes(x, squares=True)
    axes[first], axes[second] = axes[second], axes[first]
    return axes


def reverse_axes(ctx: Context, out: Any, x: torch.Tensor) -> Axes:
    """``x.T``."""
    return ctx.axes(x, squares=True)[::-1]


def movedim(ctx: Context, out: Any, x: torch.Tensor, source: Any, destination: Any) -> Axes:
    """Axes moved to other places."""
    order = torch.empty(tuple(range(1, x.ndim + 1)), device="meta").movedim(source, destination).shape
    axes = ctx.axes(x, squares=True)
    return [axes[size - 1] for size in order]


def expand(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """Entries repeated along axes of length 1: constant there, which suits every permutation."""
    axes = ctx.axes(x, squares=True)
    axes = [fixed(1)] * (out.ndim - len(axes)) + axes
    for axis, size in zip(axes, out.shape, strict=True):
        if axis.size == 1 and size != 1 and not _left_out(ctx, axis):
            raise ConflictError(f"repeats a feature that carries {axis}")
    return [
        ctx.fresh(size) if axis.size == 1 and size != 1 else axis for axis, size in zip(axes, out.shape, strict=True)
    ]


def repeat(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """Copies along each axis, one after the other."""
    axes = ctx.axes(x)
    axes = [fixed(1)] * (out.ndim - len(axes)) + axes
    return [
        axis
        if axis.size == size
        else ctx.fresh(size)
        if axis.size == 1
        else ctx.resized(axis, size)
        if is_pixels(axis)
        else resolved(Axis(((Fixed(size // axis.size), Nested(axis)),)))
        for axis, size in zip(axes, out.shape, strict=True)
    ]


def repeat_interleave(
    ctx: Context, out: Any, x: torch.Tensor, repeats: Any = None, dim: Any = None, **options: Any
) -> Axes:
    """Each entry several times."""
    axes = ctx.axes(x)
    if dim is None:
        axes, dim = [ctx.product(axes)], 0
    if isinstance(repeats, int) and is_pixels(axes[dim]):
        axes[dim] = ctx.resized(axes[dim], out.shape[dim])
    elif isinstance(repeats, int):
        axes[dim] = resolved(Axis(((Nested(axes[dim]), Fixed(repeats)),)))
    else:
        ctx.alone(axes[dim], "repeats its entries by numbers")
        axes[dim] = fixed(out.shape[dim])
    return axes


def as_complex(ctx: Context, out: Any, x: torch.Tensor) -> Axes:
    """Pairs of numbers as complex ones: the group must leave the two of a pair apart."""
    axes = ctx.axes(x)
    ctx.alone(axes.pop(), "makes complex numbers of pairs")
    return axes


def as_real(ctx: Context, out: Any, x: torch.Tensor) -> Axes:
    """Complex numbers as pairs."""
    return [*ctx.axes(x), fixed(2)]


def meshgrid(ctx: Context, out: Any, *tensors: Any, **options: Any) -> Any:
    """Coordinates of a grid."""
    values = tensors[0] if len(tensors) == 1 and isinstance(tensors[0], tuple | list) else tensors
    axes = [ctx.axes(value)[0] if value.ndim else fixed(1) for value in values]
    if options.get("indexing") == "xy" and len(axes) > 1:
        axes[:2] = axes[1::-1]
    return [axes for _ in out]


def diagonal(ctx: Context, out: Any, x: torch.Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Axes:
    """``x_ii`` of two axes of one type, as the last axis: of what the group mixes only the sum, the trace, counts."""
    axes = ctx.axes(x)
    first, second = sorted((dim1 % x.ndim, dim2 % x.ndim))
    last, axis = axes.pop(second), axes.pop(first)
    if offset or last.size != axis.size:
        ctx.alone(axis, "reads a diagonal of them by number")
        ctx.alone(last, "reads a diagonal of them by number")
        return [*axes, fixed(out.shape[-1])]
    ctx.unify(axis, last)
    return [*axes, ctx.squared(axis)]


def trace(ctx: Context, out: Any, x: torch.Tensor) -> Axes:
    """``sum_i x_ii``."""
    first, second = ctx.axes(x)
    ctx.unify(first, second)
    return []


VIEWS = ["reshape", "view", "flatten", "unflatten", "_unsafe_view", "reshape_as", "view_as", "ravel", "contiguous_view"]
VIEWS += ["atleast_1d", "atleast_2d", "atleast_3d"]

RULES: dict[str, Rule] = {
    **dict.fromkeys(VIEWS, reshape),
    **dict.fromkeys(("squeeze", "squeeze_"), squeeze),
    **dict.fromkeys(("unsqueeze", "unsqueeze_"), unsqueeze),
    "permute": permute,
    **dict.fromkeys(("transpose", "transpose_", "swapaxes", "swapdims", "t", "mT", "mH", "adjoint"), transpose),
    **dict.fromkeys(("T", "H"), reverse_axes),
    **dict.fromkeys(("movedim", "moveaxis"), movedim),
    **dict.fromkeys(("expand", "expand_as", "broadcast_to"), expand),
    **dict.fromkeys(("repeat", "tile"), repeat),
    "repeat_interleave": repeat_interleave,
    "meshgrid": meshgrid,
    "diagonal": diagonal,
    "linalg_diagonal": partial(diagonal, dim1=-2, dim2=-1),
    "trace": trace,
    "view_as_complex": as_complex,
    "view_as_real": as_real,
}
