"""Functions that do away with axes, or normalise along them."""

from typing import Any

import torch

from intertwine.tracing.axes import Axis, Digit, fixed, single
from intertwine.tracing.context import Axes, Context
from intertwine.tracing.functions.combine import entrywise
from intertwine.tracing.functions.rule import Rule
from intertwine.tracing.normal_form import is_squared, resolved

LINEAR = ["sum", "mean", "nansum", "nanmean"]
NORMS = ["norm", "vector_norm", "linalg_norm", "linalg_vector_norm", "linalg_matrix_norm", "frobenius_norm"]
OTHERS = [
    "amax",
    "amin",
    "max",
    "min",
    "prod",
    "std",
    "var",
    "std_mean",
    "var_mean",
    "logsumexp",
    "any",
    "all",
    "median",
    "mode",
    "count_nonzero",
    "aminmax",
]


def _dims(x: torch.Tensor, dim: Any) -> list[int]:
    if dim is None or (isinstance(dim, tuple | list) and not dim):
        return list(range(x.ndim))
    return [d % x.ndim for d in (dim if isinstance(dim, tuple | list) else (dim,))]


def _left(axes: Axes, dims: list[int], keepdim: bool) -> Axes:
    found = []
    for position, axis in enumerate(axes):
        if position not in dims:
            found.append(axis)
        elif keepdim:
            found.append(_one(axis))
    return found


def _one(axis: Axis) -> Axis:
    """What is left of an axis: of pixels a single one, so that later layers know the coordinate."""
    term = resolved(axis).terms[0]
    if len(resolved(axis).terms) == len(term) == 1 and isinstance(term[0], Digit):
        return single(Digit(term[0].coordinate, 1))
    return fixed(1)


def total(ctx: Context, out: Any, x: torch.Tensor, dim: Any = None, keepdim: bool = False, **options: Any) -> Axes:
    """Sums and means: of products ``u_i w_i`` they are invariant; of features, if the group permutes them.

    Of features that a parameter scaled they are its scalar product with these, so that it is a vector and no diagonal.
    """
    dims = _dims(x, options.get("axis", dim) if not isinstance(dim, torch.dtype) else None)
    axes = ctx.axes(x, squares=True)
    for d in dims:
        if not is_squared(axes[d]) and not ctx.contracted(x, d):
            ctx.need(axes[d], "ones")
    rest = [axis if i in dims else ctx.unsquared(axis) for i, axis in enumerate(axes)]
    return _left(rest, dims, keepdim)


def norm(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """``|x|`` along some axes: invariant under orthogonal representations; the others are permuted."""
    numbers = [value for value in args if isinstance(value, int | float | str) and not isinstance(value, bool)]
    order = options.get("p", options.get("ord", args[0] if args else 2))
    dim = options.get("dim", args[1] if len(args) > 1 else None)
    keepdim = bool(options.get("keepdim", args[2] if len(args) > 2 else False))
    axes = ctx.axes(x)
    dims = _dims(x, dim)
    ctx.need_all([axis for i, axis in enumerate(axes) if i not in dims])
    if order not in (2, 2.0, "fro", None) and numbers:
        ctx.need_all([axes[d] for d in dims])
    return _left(axes, dims, keepdim)


def other(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Any:
    """Maxima, variances, ...: of what the group permutes."""
    if args and isinstance(args[0], torch.Tensor):
        return entrywise(ctx, out, x, *args)  # torch.max(x, y)
    axes = ctx.axes(x)
    ctx.need_all(axes)
    first = out if isinstance(out, torch.Tensor) else out[0]
    dim = options.get("dim", options.get("axis", args[0] if args and not isinstance(args[0], bool) else None))
    dims = _dims(x, dim)
    found = _left(axes, dims, first.ndim == x.ndim)
    return found if isinstance(out, torch.Tensor) else [found for _ in out]


def number(ctx: Context, out: Any, x: torch.Tensor, dim: Any = None, *args: Any, **options: Any) -> Any:
    """Where the largest entry is: along an axis that the group leaves alone."""
    dims = _dims(x, options.get("axis", dim))
    for d in dims:
        ctx.alone(ctx.axes(x)[d], "gives the number of one of them")
    return _left(ctx.axes(x), dims, out.ndim == x.ndim)


def along(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """Softmax: entries that the group permutes, normalised together."""
    axes = ctx.axes(x)
    ctx.need_all(axes)
    return axes


def running(ctx: Context, out: Any, x: torch.Tensor, dim: int = -1, *args: Any, **options: Any) -> Any:
    """Cumulative sums: along an axis that the group leaves alone."""
    axes = ctx.axes(x)
    axes[dim] = ctx.alone(axes[dim], "adds them up in order")
    return axes if isinstance(out, torch.Tensor) else [axes for _ in out]


def cosine(ctx: Context, out: Any, x: torch.Tensor, y: torch.Tensor, dim: int = 1, *args: Any, **options: Any) -> Axes:
    """Scalar products along one axis."""
    found = []
    for row in ctx.aligned(torch.broadcast_tensors(x, y)[0], (x, y)):
        for tensor, axis in row[1:]:
            ctx.meet(tensor, axis, row[0][1])
        found.append(resolved(row[0][1]))
    found.pop(dim)
    ctx.need_all(found)
    return found


RULES: dict[str, Rule] = {
    **dict.fromkeys(LINEAR, total),
    **dict.fromkeys(NORMS, norm),
    **dict.fromkeys(OTHERS, other),
    **dict.fromkeys(("argmax", "argmin"), number),
    **dict.fromkeys(("softmax", "log_softmax", "softmin", "_softmax"), along),
    **dict.fromkeys(("cumsum", "cumprod", "cummax", "cummin", "logcumsumexp", "diff"), running),
    "cosine_similarity": cosine,
}
