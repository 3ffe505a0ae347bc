"""Norm layers: their weights are diagonal maps, their biases fixed vectors."""

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import torch

from intertwine.tracing.axes import Axis, term_size
from intertwine.tracing.context import Axes, Context
from intertwine.tracing.functions.rule import Rule


def batch_norm(
    ctx: Context,
    out: Any,
    x: torch.Tensor,
    mean: Any,
    var: Any,
    weight: Any = None,
    bias: Any = None,
    *args: Any,
    **options: Any,
) -> Axes:
    """``w (x - mean) / sqrt(var + eps) + b`` along axis 1."""
    axes = ctx.axes(x)
    _affine(ctx, axes[1:2], diagonal=(weight, var), vectors=(bias, mean))
    _statistics(ctx, mean, var)
    return axes


def instance_norm(
    ctx: Context,
    out: Any,
    x: torch.Tensor,
    mean: Any = None,
    var: Any = None,
    weight: Any = None,
    bias: Any = None,
    *args: Any,
    **options: Any,
) -> Axes:
    """Each channel of each sample by itself."""
    ctx.need(ctx.axes(x)[1], "pointwise")
    return batch_norm(ctx, out, x, mean, var, weight, bias)


def group_norm(
    ctx: Context,
    out: Any,
    x: torch.Tensor,
    num_groups: int,
    weight: Any = None,
    bias: Any = None,
    *args: Any,
    **options: Any,
) -> Axes:
    """Each run of channels by itself: whole fields inside, or runs that the group permutes."""
    axes = ctx.axes(x)
    width = x.shape[1] // num_groups
    _note_across(ctx, axes[1], width)
    groups, inner = ctx.factor(axes[1], (num_groups, width))
    ctx.need(groups, "pointwise")
    ctx.need(inner, "ones")
    _affine(ctx, axes[1:2], diagonal=(weight,), vectors=(bias,))
    return axes


def _note_across(ctx: Context, axis: Axis, width: int) -> None:
    """Groups that lie across what was concatenated have one field each on either side of the cut."""
    sizes = [term_size(term) for term in axis.terms]
    cuts = sorted({0, width, *(end % width for end in accumulate(sizes))})
    if min(sizes) >= width and len(cuts) > 2:
        widest = max(b - a for a, b in pairwise(cuts))
        ctx.notes.append(
            f"{axis.size} features of fields of at most {widest} by {ctx.solver.place}: groups of {width} channels lie "
            f"across the boundaries of {' + '.join(map(str, sizes))}. Take groups that do not, or one group"
        )


def layer_norm(
    ctx: Context,
    out: Any,
    x: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: Any = None,
    bias: Any = None,
    *args: Any,
    **options: Any,
) -> Axes:
    """``w (x - mean) / deviation + b`` over the last axes: the mean asks that the group fixes the vector of ones."""
    axes = ctx.axes(x)
    last = axes[len(axes) - len(normalized_shape) :]
    ctx.need_all(last, "ones")
    _affine(ctx, last, diagonal=(weight,), vectors=(bias,))
    return axes


def rms_norm(
    ctx: Context,
    out: Any,
    x: torch.Tensor,
    normalized_shape: Sequence[int],
    weight: Any = None,
    *args: Any,
    **options: Any,
) -> Axes:
    """``w x / |x|`` over the last axes."""
    axes = ctx.axes(x)
    _affine(ctx, axes[len(axes) - len(normalized_shape) :], diagonal=(weight,), vectors=())
    return axes


def normalize(
    ctx: Context, out: Any, x: torch.Tensor, p: float = 2.0, dim: int = 1, *args: Any, **options: Any
) -> Axes:
    """``x / |x|`` along one axis."""
    axes = ctx.axes(x)
    if p != 2:
        ctx.need(axes[dim], "pointwise")
    return axes


def local_response_norm(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """Each channel by its neighbours: the group must leave the channels alone."""
    axes = ctx.axes(x)
    axes[1] = ctx.alone(axes[1], "mixes neighbouring channels")
    return axes


def _statistics(ctx: Context, *tensors: Any) -> None:
    for tensor in tensors:
        if isinstance(tensor, torch.Tensor):
            ctx.statistic(tensor)


def _affine(ctx: Context, axes: Axes, diagonal: Sequence[Any], vectors: Sequence[Any]) -> None:
    for tensor in (*diagonal, *vectors):
        if isinstance(tensor, torch.Tensor):
            for own, axis in zip(ctx.axes(tensor), axes, strict=True):
                ctx.meet(tensor, own, axis)
    for tensor in diagonal:
        if isinstance(tensor, torch.Tensor):
            ctx.diagonal(tensor)


RULES: dict[str, Rule] = {
    "batch_norm": batch_norm,
    "instance_norm": instance_norm,
    "group_norm": group_norm,
    "layer_norm": layer_norm,
    "rms_norm": rms_norm,
    "normalize": normalize,
    "local_response_norm": local_response_norm,
}
