"""Convolutions, plain, grouped, depthwise and transposed, and other functions of the pixels' neighbourhoods."""

from typing import Any

import torch

from intertwine.tracing.axes import Axis, Digit, Fixed, Unknown, bare, fixed, single
from intertwine.tracing.context import Axes, ConflictError, Context
from intertwine.tracing.functions.rule import Rule
from intertwine.tracing.normal_form import is_alone, resolved


def convolution(
    ctx: Context, out: Any, x: torch.Tensor, weight: torch.Tensor, bias: Any = None, *args: Any, **options: Any
) -> Axes:
    """``y = K * x + b``: whether samples lie symmetrically is the check's business."""
    groups = options.get("groups", args[3] if len(args) > 3 else 1)
    w_out, w_in, *kernel = ctx.axes(weight)
    ctx.output(weight, 0)
    return _convolved(ctx, out, (x, weight, bias), (w_out, w_in), kernel, groups)


def transposed(
    ctx: Context, out: Any, x: torch.Tensor, weight: torch.Tensor, bias: Any = None, *args: Any, **options: Any
) -> Axes:
    """The transposed map; its kernel is stored (in, out / groups, ...)."""
    groups = options.get("groups", args[3] if len(args) > 3 else 1)
    w_in, w_out, *kernel = ctx.axes(weight)
    ctx.output(weight, 1)
    if groups > 1:
        group, inner = ctx.factor(w_in, (groups, weight.shape[0] // groups))
        made = ctx.product((group, w_out))
        return _convolved(ctx, out, (x, weight, bias), (made, inner), kernel, groups)
    return _convolved(ctx, out, (x, weight, bias), (w_out, w_in), kernel, groups)


def _convolved(
    ctx: Context, out: Any, tensors: Any, channels: tuple[Axis, Axis], kernel: list[Axis], groups: int
) -> Axes:
    x, _, bias = tensors
    w_out, w_in = channels
    dims = len(kernel)
    axes = ctx.axes(x)
    channel, pixels = axes[-dims - 1], axes[-dims:]
    if groups > 1:
        of_x, inner = ctx.factor(channel, (groups, channel.size // groups))
        of_w, _ = ctx.factor(w_out, (groups, w_out.size // groups))
        ctx.unify(of_w, of_x)
        ctx.need(of_x, "pointwise")
        channel = inner
    ctx.unify(w_in, channel)
    for side, axis in zip(kernel, pixels, strict=True):
        ctx.unify(side, kernel_axis(_one_coordinate(ctx, axis), side.size))
    if bias is not None:
        ctx.meet(bias, ctx.axes(bias)[0], w_out)
    made = [ctx.resized(axis, size) for axis, size in zip(pixels, out.shape[-dims:], strict=True)]
    return [*axes[: -dims - 1], ctx.carries(x, w_out), *made]


def _one_coordinate(ctx: Context, axis: Axis) -> Axis:
    """Pixels, and what they were repeated along, as one coordinate: ``x[..., None].expand(..., 2).flatten(-2)``."""
    term = resolved(axis).terms[0]
    digit = next((factor for factor in term if isinstance(factor, Digit)), None)
    if digit is not None and len(resolved(axis).terms) == 1:
        for factor in term:
            if isinstance(factor, Unknown):
                ctx.unify(single(factor), single(Digit(digit.coordinate, factor.size)))
    return resolved(axis)


def kernel_axis(axis: Axis, size: int) -> Axis:
    """How the group moves an axis of a kernel that slides along ``axis``."""
    factor = bare(resolved(axis))
    if size == 1 or isinstance(factor, Fixed):
        return fixed(size)
    if isinstance(factor, Digit):
        return single(Digit(factor.coordinate, size))
    raise ConflictError(f"a kernel slides along {axis}, which is no coordinate of pixels")


def pixel_shuffle(ctx: Context, out: Any, x: torch.Tensor, factor: int) -> Axes:
    """``C r r, H, W -> C, H r, W r``: digits of the channels become pixels."""
    *lead, channel, rows, columns = ctx.axes(x)
    one, two = (single(Digit(_coordinate(axis), factor, (1,))) for axis in (rows, columns))
    copies, high, wide = ctx.factor(channel, (out.shape[-3], factor, factor))
    ctx.unify(high, one)
    ctx.unify(wide, two)
    return [*lead, copies, ctx.product((rows, one)), ctx.product((columns, two))]


def pixel_unshuffle(ctx: Context, out: Any, x: torch.Tensor, factor: int) -> Axes:
    """``C, H r, W r -> C r r, H, W``."""
    *lead, channel, rows, columns = ctx.axes(x)
    high = ctx.factor(rows, (out.shape[-2], factor))
    wide = ctx.factor(columns, (out.shape[-1], factor))
    return [*lead, ctx.product((channel, high[1], wide[1])), high[0], wide[0]]


def im2col(ctx: Context, out: Any, x: torch.Tensor, kernel_size: Any, *args: Any, **options: Any) -> Axes:
    """``F.unfold``: (B, C, H, W) to (B, C kh kw, windows)."""
    *lead, channel, rows, columns = ctx.axes(x)
    high, wide = kernel_size if isinstance(kernel_size, tuple | list) else (kernel_size,) * 2
    sides = _window_counts(x, kernel_size, *args, **options)
    patch = [kernel_axis(axis, size) for axis, size in ((rows, high), (columns, wide))]
    windows = [ctx.resized(axis, size) for axis, size in zip((rows, columns), sides, strict=True)]
    return [*lead, ctx.product((channel, *patch)), ctx.product(windows)]


def unfold(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """``F.unfold``, or ``x.unfold(dimension, size, step)``: windows along one axis, with an axis of their entries."""
    if out.ndim != x.ndim + 1:
        return im2col(ctx, out, x, *args, **options)
    said = {**dict(zip(("dimension", "size", "step"), args, strict=False)), **options}
    axes, dim, size = ctx.axes(x), said["dimension"] % x.ndim, said["size"]
    count = out.shape[dim]
    if size == said["step"] and count * size == x.shape[dim]:
        windows, entries = ctx.factor(axes[dim], (count, size))
    else:
        windows = ctx.resized(axes[dim], count)
        entries = fixed(size) if is_alone(windows) else kernel_axis(axes[dim], size)
    return [*axes[:dim], windows, *axes[dim + 1 :], entries]


def _window_counts(
    x: torch.Tensor, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1
) -> tuple[int, int]:
    k, d, p, s = (
        value if isinstance(value, tuple | list) else (value, value)
        for value in (kernel_size, dilation, padding, stride)
    )
    one, two = ((x.shape[i - 2] + 2 * p[i] - d[i] * (k[i] - 1) - 1) // s[i] + 1 for i in range(2))
    return one, two


def _coordinate(axis: Axis) -> int:
    term = resolved(axis).terms[0]
    if len(term) == 1 and isinstance(term[0], Digit):
        return term[0].coordinate
    raise ConflictError(f"{axis} is no coordinate of pixels")


RULES: dict[str, Rule] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d"), convolution),
    **dict.fromkeys(("conv_transpose1d", "conv_transpose2d", "conv_transpose3d"), transposed),
    "pixel_shuffle": pixel_shuffle,
    "pixel_unshuffle": pixel_unshuffle,
    "unfold": unfold,
}
