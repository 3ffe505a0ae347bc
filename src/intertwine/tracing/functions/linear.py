"""Linear maps and contractions: what is summed over is one type, what is left is that of the other factor."""

from collections.abc import Sequence
from typing import Any

import torch

from intertwine.tracing.axes import Axis, fixed
from intertwine.tracing.context import Axes, ConflictError, Context
from intertwine.tracing.functions.index import rows_read
from intertwine.tracing.functions.rule import Rule
from intertwine.tracing.normal_form import resolved


def linear(ctx: Context, out: Any, x: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor | None = None) -> Axes:
    """``y = x W^T + b``."""
    *lead, last = ctx.axes(x)
    w_out, w_in = ctx.axes(weight)
    ctx.unify(w_in, last)
    _between(ctx, x, weight, last)
    ctx.output(weight, 0)
    if bias is not None:
        ctx.meet(bias, ctx.axes(bias)[0], w_out)
    return [*lead, ctx.carries(x, w_out)]


def matmul(ctx: Context, out: Any, x: torch.Tensor, y: torch.Tensor) -> Axes:
    """``x @ y``, vectors and stacks of matrices too."""
    one, two = ctx.axes(x), ctx.axes(y)
    if x.ndim == 1 or y.ndim == 1:
        ctx.unify(one[-1], two[-2 if y.ndim > 1 else -1])
        rest = one[:-1] if x.ndim > 1 else [*two[:-2], *two[-1:]] if y.ndim > 1 else []
        return [_made(ctx, (x, y), axis) for axis in rest]
    ctx.unify(one[-1], two[-2])
    _between(ctx, x, y, one[-1])
    if not ctx.dynamic(y):
        ctx.output(y, y.ndim - 1)
    lead = stacked(ctx, out.ndim - 2, ((x, one[:-2]), (y, two[:-2])))
    return [*lead, _made(ctx, (x, y), one[-2]), _made(ctx, (x, y), two[-1])]


def _between(ctx: Context, x: torch.Tensor, y: torch.Tensor, axis: Axis) -> None:
    """Features between two weights that are multiplied, as those of an adapter, are hidden ones."""
    if not ctx.dynamic(x) and not ctx.dynamic(y) and ctx.trained(x) and ctx.trained(y):
        ctx.solver.mark_feature(axis)


def stacked(ctx: Context, count: int, parts: Sequence[tuple[torch.Tensor, Axes]]) -> Axes:
    """Leading axes along which a function works matrix by matrix, broadcast: the group must permute them."""
    found = []
    for position in range(-count, 0):
        row = [(tensor, axes[position]) for tensor, axes in parts if len(axes) >= -position]
        row = [pair for pair in row if pair[1].size != 1] or row
        first = row[0][1]
        for tensor, axis in row[1:]:
            if axis.size == first.size:
                ctx.meet(tensor, axis, first)
        ctx.need(first, "pointwise")
        found.append(resolved(first))
    return found


def addmm(ctx: Context, out: Any, x: torch.Tensor, y: Any = None, z: Any = None, **options: Any) -> Axes:
    """``x + y @ z``, stacks of matrices too."""
    y, z = (options.get(f"batch{n}", value) for n, value in ((1, y), (2, z)))
    axes = matmul(ctx, out, y, z)
    for row, axis in zip(ctx.aligned(out, (x,)), axes, strict=True):
        for tensor, other in row:
            ctx.meet(tensor, other, axis)
        if not row:
            ctx.need(axis, "ones")
    return axes


def grouped(ctx: Context, out: Any, x: torch.Tensor, y: torch.Tensor, offs: Any = None, **options: Any) -> Axes:
    """``x[run] @ y[expert]`` for runs of rows, each with its expert: experts are told apart by number."""
    if offs is None or y.ndim != 3 or x.ndim != 2:
        raise ConflictError("of grouped products only rows in runs by stacked matrices are read")
    rows, features = ctx.axes(x)
    experts, w_in, w_out = ctx.axes(y)
    ctx.unify(w_in, features)
    ctx.output(y, 2)
    rows = ctx.alone(rows, "sends them to experts by number")
    ctx.alone(experts, "tells its experts apart by number")
    return [rows, ctx.carries(x, w_out)]


def einsum(ctx: Context, out: Any, equation: Any, *operands: Any) -> Axes:
    """Letters that come up twice are one type; those that stay in both are permuted."""
    tensors = operands[0] if len(operands) == 1 and isinstance(operands[0], tuple | list) else operands
    if not isinstance(equation, str):
        raise ConflictError("einsum with lists of numbers for letters is not read")
    left, arrow, right = equation.replace(" ", "").partition("->")
    words = left.split(",")
    if not arrow:
        letters = "".join(words)
        right = "".join(sorted(letter for letter in set(letters) - {"."} if letters.count(letter) == 1))
        right = ("..." if "." in letters else "") + right
    found: dict[str, Axis] = {}
    count: dict[str, int] = {}
    for word, tensor in zip(words, tensors, strict=True):
        axes = ctx.axes(tensor)
        for letter, axis in zip(_letters(word, tensor.ndim), axes, strict=True):
            count[letter] = count.get(letter, 0) + 1
            if letter in found and found[letter].size == axis.size:
                ctx.meet(tensor, axis, found[letter])
            elif letter not in found or found[letter].size == 1:
                found[letter] = axis
    kept = _letters(right, out.ndim)
    for letter, axis in found.items():
        if letter in kept and count[letter] > 1:
            ctx.need(axis, "pointwise")
        if letter not in kept and count[letter] == 1:
            ctx.need(axis, "ones")
    return [_made(ctx, tensors, found[letter]) for letter in kept]


def _letters(word: str, ndim: int) -> list[str]:
    before, dots, after = word.partition("...")
    if not dots:
        return list(word)
    count = ndim - len(before) - len(after)
    return [*before, *(f".{i}" for i in range(-count, 0)), *after]


def tensordot(ctx: Context, out: Any, x: torch.Tensor, y: torch.Tensor, dims: Any = 2, **options: Any) -> Axes:
    """``sum_k x_..k y_k..``."""
    if isinstance(dims, int):
        dims = (range(x.ndim - dims, x.ndim), range(dims))
    first, second = ([d % t.ndim for d in side] for side, t in zip(dims, (x, y), strict=True))
    one, two = ctx.axes(x), ctx.axes(y)
    for a, b in zip(first, second, strict=True):
        ctx.unify(one[a], two[b])
    rest = [axis for i, axis in enumerate(one) if i not in first]
    rest += [axis for i, axis in enumerate(two) if i not in second]
    return [_made(ctx, (x, y), axis) for axis in rest]


def kron(ctx: Context, out: Any, x: torch.Tensor, y: torch.Tensor) -> Axes:
    """``x_ij y_kl`` on axes (i, k), (j, l)."""
    pairs = zip(ctx.axes(x), ctx.axes(y), strict=True)
    return [ctx.product(pair) for pair in pairs]


def blocks(ctx: Context, out: Any, *matrices: torch.Tensor) -> Axes:
    """Matrices along a diagonal: direct sums of their rows and of their columns."""
    axes = [ctx.axes(matrix) for matrix in matrices]
    return [resolved(Axis(tuple(term for own in axes for term in resolved(own[i]).terms))) for i in range(2)]


def solve(
    ctx: Context, out: Any, x: torch.Tensor, y: torch.Tensor, *args: Any, left: bool = True, **options: Any
) -> Axes:
    """``z`` of ``x z = y``, or of ``z x = y``."""
    *lead, rows, columns = ctx.axes(x)
    *_, above, beside = ctx.axes(y)
    ctx.unify(rows if left else columns, above if left else beside)
    return [*lead, columns, _made(ctx, (x, y), beside)] if left else [*lead, _made(ctx, (x, y), above), rows]


def inverse(ctx: Context, out: Any, x: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """``x^-1``: rows are columns."""
    *lead, rows, columns = ctx.axes(x)
    return [*lead, columns, rows]


def exponential(ctx: Context, out: Any, x: torch.Tensor) -> Axes:
    """``exp(x)`` of matrices that map a representation to itself."""
    axes = ctx.axes(x)
    ctx.unify(axes[-2], axes[-1])
    return axes


def outer(ctx: Context, out: Any, x: torch.Tensor, y: torch.Tensor) -> Axes:
    """``x_i y_j``."""
    return [ctx.axes(x)[0], ctx.axes(y)[0]]


def embedding(ctx: Context, out: Any, index: torch.Tensor, weight: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """Rows of a table: tokens that the group leaves alone, or positions that it permutes."""
    rows, width = ctx.axes(weight)
    return [*rows_read(ctx, rows, index), ctx.carries(index, width)]


def one_hot(ctx: Context, out: Any, index: torch.Tensor, classes: int = -1) -> Axes:
    """A 1 in the place that an index says, among classes that the group leaves alone."""
    return [*ctx.axes(index), fixed(out.shape[-1])]


def bilinear(ctx: Context, out: Any, x: torch.Tensor, y: torch.Tensor, weight: torch.Tensor, bias: Any = None) -> Axes:
    """``x^T A_k y + b_k``."""
    w_out, w_x, w_y = ctx.axes(weight)
    one, two = ctx.axes(x), ctx.axes(y)
    ctx.unify(w_x, one[-1])
    ctx.unify(w_y, two[-1])
    if bias is not None:
        ctx.meet(bias, ctx.axes(bias)[0], w_out)
    return [*stacked(ctx, out.ndim - 1, ((x, one[:-1]), (y, two[:-1]))), ctx.carries(x, w_out)]


def cdist(ctx: Context, out: Any, x: torch.Tensor, y: torch.Tensor, *args: Any, **options: Any) -> Axes:
    """Distances of all rows: of vectors, so that their own type goes."""
    one, two = ctx.axes(x), ctx.axes(y)
    ctx.unify(one[-1], two[-1])
    lead = stacked(ctx, out.ndim - 2, ((x, one[:-2]), (y, two[:-2])))
    ctx.need_all((one[-2], two[-2]))
    return [*lead, one[-2], two[-2]]


def _made(ctx: Context, tensors: Sequence[torch.Tensor], axis: Axis) -> Axis:
    """An axis of a contraction: features where one of its factors depends on the input."""
    for tensor in tensors:
        if ctx.dynamic(tensor):
            return ctx.carries(tensor, resolved(axis))
    return resolved(axis)


RULES: dict[str, Rule] = {
    "linear": linear,
    **dict.fromkeys(("matmul", "mm", "bmm", "mv", "dot", "inner_product"), matmul),
    "rmatmul": lambda ctx, out, x, y: matmul(ctx, out, y, x),
    **dict.fromkeys(("addmm", "baddbmm"), addmm),
    **dict.fromkeys(("grouped_mm", "_grouped_mm"), grouped),
    "einsum": einsum,
    "tensordot": tensordot,
    **dict.fromkeys(("outer", "ger"), outer),
    "kron": kron,
    "block_diag": blocks,
    **dict.fromkeys(("linalg_solve", "solve"), solve),
    **dict.fromkeys(("linalg_inv", "inverse", "linalg_pinv", "pinverse"), inverse),
    **dict.fromkeys(("matrix_exp", "linalg_matrix_exp"), exponential),
    "embedding": embedding,
    "one_hot": one_hot,
    "bilinear": bilinear,
    "cdist": cdist,
}
