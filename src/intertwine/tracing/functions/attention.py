"""Attention: heads are permuted or left alone, queries meet keys in one representation."""

from typing import Any

import torch

from intertwine.tracing.axes import Axis, fixed
from intertwine.tracing.context import Axes, Context
from intertwine.tracing.functions.linear import stacked
from intertwine.tracing.functions.rule import Rule
from intertwine.tracing.normal_form import resolved


def attention(
    ctx: Context,
    out: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attn_mask: Any = None,
    *args: Any,
    **options: Any,
) -> Axes:
    """``softmax(q k^T) v``."""
    q, k, v = ctx.axes(query), ctx.axes(key), ctx.axes(value)
    ctx.unify(k[-1], q[-1])
    ctx.unify(v[-2], k[-2])
    if len(q) > 3 and q[-3].size != k[-3].size:  # grouped queries: heads in runs, each run with one key head
        heads, _ = ctx.factor(q[-3], (k[-3].size, q[-3].size // k[-3].size))
        ctx.unify(k[-3], heads)
        lead = stacked(ctx, len(q) - 3, ((query, q[:-3]), (key, k[:-3]), (value, v[:-3])))
        ctx.unify(v[-3], k[-3])
        lead = [*lead, resolved(q[-3])]
    else:
        lead = stacked(ctx, out.ndim - 2, ((query, q[:-2]), (key, k[:-2]), (value, v[:-2])))
    ctx.need_all((q[-2], k[-2]))
    if isinstance(attn_mask, torch.Tensor):
        own = ctx.axes(attn_mask)
        for axis, other in zip(reversed(own), reversed([*lead, q[-2], k[-2]]), strict=False):
            if axis.size == other.size:
                ctx.meet(attn_mask, axis, other)
    return [*lead, q[-2], v[-1]]


def multi_head(
    ctx: Context, out: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *args: Any, **options: Any
) -> Any:
    """``F.multi_head_attention_forward``, sequence first."""
    embed_dim, num_heads, in_proj_weight, in_proj_bias, bias_k, bias_v, _, _, out_proj_weight, out_proj_bias = args[:10]
    tensors = (query, key, value)
    if in_proj_weight is not None:
        rows, columns = ctx.axes(in_proj_weight)
        made = ctx.cut(rows, (embed_dim,) * 3)
        taken = [columns] * 3
    else:
        weights = [options[f"{name}_proj_weight"] for name in "qkv"]
        made = [ctx.axes(weight)[0] for weight in weights]
        taken = [ctx.axes(weight)[1] for weight in weights]
    if in_proj_bias is not None:
        for run, axis in zip(ctx.cut(ctx.axes(in_proj_bias)[0], (embed_dim,) * 3), made, strict=True):
            ctx.unify(run, axis)
    for tensor, axis, run in zip(tensors, taken, made, strict=True):
        ctx.unify(axis, ctx.axes(tensor)[-1])
        ctx.carries(tensor, run)
    heads = [ctx.factor(run, (num_heads, embed_dim // num_heads)) for run in made]
    for other in heads[1:]:
        ctx.unify(other[0], heads[0][0])
    ctx.unify(heads[1][1], heads[0][1])
    ctx.need(heads[0][0], "pointwise")
    for bias, run in ((bias_k, made[1]), (bias_v, made[2])):
        if bias is not None:
            ctx.meet(bias, ctx.axes(bias)[-1], run)
    w_out, w_in = ctx.axes(out_proj_weight)
    ctx.unify(w_in, made[2])
    ctx.output(out_proj_weight, 0)
    if out_proj_bias is not None:
        ctx.meet(out_proj_bias, ctx.axes(out_proj_bias)[0], w_out)
    q, k = ctx.axes(query), ctx.axes(key)
    ctx.need_all((q[0], k[0]))
    for tensor, axes in ((key, k), (value, ctx.axes(value))):
        for position in range(1, len(q) - 1):
            ctx.meet(tensor, axes[position], q[position])
    ctx.unify(ctx.axes(value)[0], k[0])
    result = [*q[:-1], ctx.carries(query, w_out)]
    weights = out[1]
    if weights is None:
        return [result, None]
    lengths = [_length(axis, size) for axis, size in zip((q[0], k[0]), weights.shape[-2:], strict=True)]
    lead = q[1:-1] + ([heads[0][0]] if weights.ndim > len(q) else [])
    return [result, [*lead, *lengths]]


def _length(axis: Axis, size: int) -> Axis:
    """Keys, and those that the layer adds itself."""
    extra = size - axis.size
    return resolved(Axis((*axis.terms, *fixed(extra).terms))) if extra > 0 else resolved(axis)


RULES: dict[str, Rule] = {
    "scaled_dot_product_attention": attention,
    "multi_head_attention_forward": multi_head,
}
