"""Attention: heads are permuted or left alone, queries meet keys in one representation."""

from collections.abc import Mapping, Sequence
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
        ctx.need(heads, "pointwise")  # each has a softmax of its own
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


def flexible(
    ctx: Context, out: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *args: Any, **options: Any
) -> Any:
    """``flex_attention``: what its function does to the scores the check judges."""
    if isinstance(out, torch.Tensor):
        return attention(ctx, out, query, key, value)
    result = attention(ctx, out[0], query, key, value)
    return [result, *([result[:-1]] * (len(out) - 1))]


# Arguments of ``F.multi_head_attention_forward`` behind query, key and value.
_MULTI_HEAD = (
    *("embed_dim", "num_heads", "in_proj_weight", "in_proj_bias", "bias_k", "bias_v", "add_zero_attn", "dropout_p"),
    *("out_proj_weight", "out_proj_bias", "training", "key_padding_mask", "need_weights", "attn_mask"),
    *("use_separate_proj_weight", "q_proj_weight", "k_proj_weight", "v_proj_weight"),
)


def _projected(ctx: Context, tensors: Sequence[torch.Tensor], said: Mapping[str, Any]) -> list[Axis]:
    """Queries, keys and values, of one weight or of three."""
    embed_dim, weight, bias = said["embed_dim"], said["in_proj_weight"], said["in_proj_bias"]
    if isinstance(weight, torch.Tensor) and weight.numel():
        rows, columns = ctx.axes(weight)
        made, taken, weights = ctx.cut(rows, (embed_dim,) * 3), [columns] * 3, [weight]
    else:
        weights = [said[f"{name}_proj_weight"] for name in "qkv"]
        made, taken = ([ctx.axes(one)[i] for one in weights] for i in range(2))
    for one in weights:
        ctx.output(one, 0)
    if bias is not None:
        for run, axis in zip(ctx.cut(ctx.axes(bias)[0], (embed_dim,) * 3), made, strict=True):
            ctx.unify(run, axis)
    for tensor, axis, run in zip(tensors, taken, made, strict=True):
        ctx.unify(axis, ctx.axes(tensor)[-1])
        ctx.carries(tensor, run)
    return made


def multi_head(
    ctx: Context, out: Any, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *args: Any, **options: Any
) -> Any:
    """``F.multi_head_attention_forward``, sequence first."""
    said = {**dict(zip(_MULTI_HEAD, args, strict=False)), **options}
    num_heads, embed_dim, out_proj_weight = (said[name] for name in ("num_heads", "embed_dim", "out_proj_weight"))
    bias_k, bias_v, out_proj_bias, mask = (
        said.get(name) for name in ("bias_k", "bias_v", "out_proj_bias", "attn_mask")
    )
    made = _projected(ctx, (query, key, value), said)
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
    if isinstance(mask, torch.Tensor):
        for own, length in zip(ctx.axes(mask)[-2:], (q[0], k[0]), strict=True):
            if own.size == length.size:
                ctx.meet(mask, own, length)
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
    "flex_attention": flexible,
    "multi_head_attention_forward": multi_head,
}
