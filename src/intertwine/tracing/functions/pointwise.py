"""Functions of each entry by itself."""

from typing import Any

import torch

from intertwine.tracing.context import Axes, Context
from intertwine.tracing.functions.rule import Rule

SAME = [
    "contiguous",
    "clone",
    "as_tensor",
    "asarray",
    "tensor",
    "detach",
    "detach_",
    "to",
    "float",
    "half",
    "double",
    "bfloat16",
    "type_as",
    "cpu",
    "cuda",
    "positive",
    "alias",
    "dropout",
    "dropout_",
    "dropout1d",
    "dropout2d",
    "dropout3d",
    "alpha_dropout",
    "feature_dropout",
    "feature_alpha_dropout",
    "neg",
    "neg_",
    "negative",
    "data",
    "conj",
    "resolve_conj",
    "requires_grad_",
    "fill_",
    "zero_",
    "stop_gradient",
    "view_as_same",
    "nan_to_num",
    "real",
    "imag",
    "quantize_per_tensor",
    "checkpoint",
    "drop_path",
    "deg2rad",
]
PERMUTED = [
    "relu",
    "relu_",
    "relu6",
    "gelu",
    "silu",
    "silu_",
    "elu",
    "elu_",
    "selu",
    "selu_",
    "celu",
    "leaky_relu",
    "leaky_relu_",
    "rrelu",
    "prelu_",
    "hardswish",
    "hardswish_",
    "hardsigmoid",
    "hardsigmoid_",
    "hardtanh",
    "hardtanh_",
    "softplus",
    "softsign",
    "tanhshrink",
    "hardshrink",
    "softshrink",
    "threshold",
    "logsigmoid",
    "mish",
    "sigmoid",
    "sigmoid_",
    "tanh",
    "tanh_",
    "exp",
    "exp_",
    "exp2",
    "expm1",
    "log",
    "log2",
    "log10",
    "log1p",
    "sqrt",
    "sqrt_",
    "rsqrt",
    "reciprocal",
    "abs",
    "abs_",
    "absolute",
    "sign",
    "sgn",
    "sin",
    "sin_",
    "cos",
    "cos_",
    "tan",
    "asin",
    "acos",
    "atan",
    "arctan",
    "sinh",
    "cosh",
    "asinh",
    "acosh",
    "atanh",
    "erf",
    "erfc",
    "erfinv",
    "floor",
    "ceil",
    "round",
    "trunc",
    "frac",
    "clamp",
    "clamp_",
    "clamp_min",
    "clamp_min_",
    "clamp_max",
    "clip",
    "clip_",
    "logit",
    "isnan",
    "isinf",
    "isfinite",
    "logical_not",
    "bitwise_not",
    "invert",
    "square_",
    "bool",
    "long",
    "int",
    "short",
    "byte",
    "gumbel_softmax",
    "sinc",
    "i0",
    "lgamma",
    "digamma",
    "angle",
    "pow_",
    "rpow",
    "rdiv",
    "rtruediv",
    "rfloordiv",
    "rmod",
]


def same(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """``y_i = c x_i``: keeps every type."""
    return ctx.axes(x, squares=True)


def permuted(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """``y_i = f(x_i)``: the group must permute the entries."""
    for value in (*args, *options.values()):
        if isinstance(value, torch.Tensor) and value.ndim:
            for row in ctx.aligned(out, (x, value)):
                for tensor, axis in row[1:]:
                    ctx.meet(tensor, axis, row[0][1])
    axes = ctx.axes(x)
    ctx.need_all(axes)
    return axes


def square(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """``y_i = x_i^2``: the sum over a vector is invariant, though the group permute no entries."""
    return [ctx.squared(axis) for axis in ctx.axes(x, squares=True)]


def power(ctx: Context, out: Any, x: Any, exponent: Any, *args: Any, **options: Any) -> Axes:
    """``y_i = x_i^p``."""
    if isinstance(x, torch.Tensor) and not isinstance(exponent, torch.Tensor):
        return square(ctx, out, x) if exponent == 2 else permuted(ctx, out, x)
    return permuted(ctx, out, *(value for value in (x, exponent) if isinstance(value, torch.Tensor)))


def prelu(ctx: Context, out: Any, x: torch.Tensor, weight: torch.Tensor) -> Axes:
    """``y_i = max(x_i, 0) + w_c min(x_i, 0)``: one slope a channel, or one."""
    axes = ctx.axes(x)
    ctx.need_all(axes)
    if weight.numel() > 1:
        ctx.meet(weight, ctx.axes(weight)[0], axes[1 if x.ndim > 1 else 0])
        ctx.diagonal(weight)
    return axes


def glu(ctx: Context, out: Any, x: torch.Tensor, dim: int = -1) -> Axes:
    """``a * sigmoid(b)`` of the halves."""
    axes = ctx.axes(x)
    first, second = ctx.cut(axes[dim], (out.shape[dim],) * 2)
    ctx.unify(first, second)
    axes[dim] = first
    ctx.need_all(axes)
    return axes


RULES: dict[str, Rule] = {
    **dict.fromkeys(SAME, same),
    **dict.fromkeys(PERMUTED, permuted),
    **dict.fromkeys(("square",), square),
    **dict.fromkeys(("pow", "float_power"), power),
    "prelu": prelu,
    "glu": glu,
}
