"""Functions that make other pixels of the same channels: pooling, resizing, padding, rolling."""

from typing import Any

import torch

from intertwine.tracing.axes import Axis, Digit, Fixed, fixed
from intertwine.tracing.context import Axes, Context
from intertwine.tracing.functions.rule import Rule
from intertwine.tracing.normal_form import is_alone, resolved

MEANS = ["avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d"]
MAXIMA = [
    "max_pool1d",
    "max_pool2d",
    "max_pool3d",
    "adaptive_max_pool1d",
    "adaptive_max_pool2d",
    "adaptive_max_pool3d",
    "boolean_dispatch",
    "max_pool1d_with_indices",
    "max_pool2d_with_indices",
    "max_pool3d_with_indices",
    "fn",
    "lp_pool1d",
    "lp_pool2d",
]
RESIZED = ["interpolate", "upsample", "upsample_bilinear", "upsample_nearest", "grid_resize"]
MOVED = ["roll", "flip", "fliplr", "flipud", "rot90"]


def mean_pool(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """Linear functions of the pixels alone: the same coordinates with other lengths, or the mean of all tokens."""
    axes = ctx.axes(x)
    return [_pooled(ctx, axis, size, "ones") for axis, size in zip(axes, out.shape, strict=True)]


def _pooled(ctx: Context, axis: Axis, size: int, need: str) -> Axis:
    clean = resolved(axis)
    if size != 1 or is_alone(clean) or (isinstance(clean.terms[0][0], Digit) and len(clean.terms[0]) == 1):
        return ctx.resized(clean, size)
    ctx.need(clean, need)
    return fixed(1)


def max_pool(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Any:
    """Likewise, but no linear ones."""
    ctx.need_all(ctx.axes(x))
    first = out if isinstance(out, torch.Tensor) else out[0]
    axes = [_pooled(ctx, axis, size, "pointwise") for axis, size in zip(ctx.axes(x), first.shape, strict=True)]
    return axes if isinstance(out, torch.Tensor) else [axes for _ in out]


def pad(ctx: Context, out: Any, x: torch.Tensor, pads: Any, mode: str = "constant", *args: Any, **options: Any) -> Axes:
    """Pixels have other lengths; features and tokens have others beside them, which the group leaves alone."""
    axes = ctx.axes(x)
    for position in range(len(pads) // 2):
        before, after = int(pads[2 * position]), int(pads[2 * position + 1])
        axis = resolved(axes[-1 - position])
        if before or after:
            axes[-1 - position] = _padded(ctx, axis, before, after)
    return axes


def _padded(ctx: Context, axis: Axis, before: int, after: int) -> Axis:
    term = axis.terms[0]
    pixels = len(axis.terms) == len(term) == 1 and not is_alone(axis) and hasattr(term[0], "coordinate")
    if pixels or before < 0 or after < 0:
        return ctx.resized(axis, axis.size + before + after)
    terms = [((Fixed(n),),) for n in (before, after)]
    return resolved(Axis((*(terms[0] if before else ()), *axis.terms, *(terms[1] if after else ()))))


def moved(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """Entries in another order along pixels: the check judges."""
    axes = ctx.axes(x)
    return [ctx.resized(axis, size) for axis, size in zip(axes, out.shape, strict=True)]


RULES: dict[str, Rule] = {
    **dict.fromkeys((*MEANS, *RESIZED), mean_pool),
    **dict.fromkeys(MAXIMA, max_pool),
    **dict.fromkeys(MOVED, moved),
    **dict.fromkeys(("pad", "constant_pad_nd", "_pad"), pad),
}
