"""Functions that combine tensors entry by entry, broadcasting them."""

from typing import Any

import torch

from intertwine.tracing.axes import Axis, Carried, fixed
from intertwine.tracing.context import Axes, Context
from intertwine.tracing.functions.rule import Rule
from intertwine.tracing.known_fields import first_of_fields
from intertwine.tracing.normal_form import is_squared, resolved, unknowns

ADD = ["add", "add_", "sub", "sub_", "rsub", "subtract", "lerp", "lerp_", "addcmul_", "copy_", "hypot"]
MULTIPLY = ["mul", "mul_", "multiply"]
DIVIDE = ["div", "div_", "divide", "truediv", "truediv_"]
ENTRYWISE = [
    "maximum",
    "minimum",
    "fmax",
    "fmin",
    "masked_fill",
    "masked_fill_",
    "gt",
    "ge",
    "lt",
    "le",
    "eq",
    "ne",
    "greater",
    "less",
    "logical_and",
    "logical_or",
    "logical_xor",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "and",
    "or",
    "xor",
    "and_",
    "or_",
    "atan2",
    "arctan2",
    "remainder",
    "fmod",
    "mod",
    "floordiv",
    "floor_divide",
    "isclose",
    "binary_cross_entropy",
    "masked_scatter",
    "copysign",
    "clamp_tensor",
    "xlogy",
    "complex",
    "polar",
    "bucketize",
    "isin",
    "logaddexp",
]

# The tensors that have one axis of a result, with their axes.
Row = list[tuple[torch.Tensor, Axis]]


def add(ctx: Context, out: Any, *args: Any, **options: Any) -> Axes:
    """``x + y``: one type. What is added alike along an axis asks that the group fixes the vector of ones there."""
    values = [*args, *options.values()]
    numbers = any(isinstance(value, int | float) and value != 0 for value in values[:2])
    tensors = sum(isinstance(value, torch.Tensor) for value in values)
    found = []
    for row in ctx.aligned(out, values):
        axis = _unified(ctx, row)
        if numbers or len(row) < tensors:
            ctx.need(axis, "ones")
        found.append(axis)
    return found


def multiply(ctx: Context, out: Any, x: Any, y: Any, *args: Any, **options: Any) -> Axes:
    """``x * y``: parameters are diagonal maps; the product of two features of one type is a square."""
    if not (isinstance(x, torch.Tensor) and isinstance(y, torch.Tensor)):
        return ctx.axes(x if isinstance(x, torch.Tensor) else y, squares=True)
    both = ctx.dynamic(x) and ctx.dynamic(y)
    smaller = y if ctx.dynamic(x) or (y.numel() < x.numel() and not ctx.dynamic(y)) else x
    found = []
    for position, row in zip(range(-out.ndim, 0), ctx.aligned(out, (x, y)), strict=True):
        if len(row) == 2 and not both and not ctx.trained(smaller):
            _left_alone(ctx, row[0][1], smaller, position)
        factors = _without_equal(ctx, row, position)
        axis = _unified(ctx, factors)
        if len(factors) == 2 and both:
            axis = ctx.squared(axis)
        found.append(axis)
    if not both:
        ctx.diagonal(smaller)
        ctx.scaled(out, smaller)
    return found


def _without_equal(ctx: Context, row: Row, position: int) -> Row:
    """A row of factors without those that multiply all entries of one field by one number.

    That is what counts and masks do that are laid out in full; of them nothing else is known than that they are no
    features of the model.
    """
    if len(row) < 2:
        return row
    left = []
    for i, (tensor, axis) in enumerate(row):
        nodes = unknowns(resolved(axis))
        bare = bool(nodes) and not any(node.feature for node in nodes) and not ctx.type_of(tensor).parameters
        if bare and _scales_fields(tensor.detach(), position, resolved(row[1 - i][1])):
            ctx.unify(axis, fixed(axis.size))
        else:
            left.append((tensor, axis))
    return left or row


def _scales_fields(values: torch.Tensor, position: int, other: Axis) -> bool:
    """Whether numbers are equal along an axis, or within each field of one that is known and not permuted."""
    known = other.terms[0][0] if len(other.terms) == len(other.terms[0]) == 1 else None
    if isinstance(known, Carried) and not known.rep.is_permutation:
        first = torch.tensor(first_of_fields(known.rep), device=values.device)
        return bool((values == values.index_select(position, first)).all())
    return bool((values == values.narrow(position, 0, 1)).all()) and bool(values.any())


def _left_alone(ctx: Context, axis: Axis, constant: torch.Tensor, position: int) -> None:
    """Hidden features that a constant of the model scales each by another number, as rotary embeddings do."""
    if constant.shape[position] < 2 or not any(node.feature for node in unknowns(resolved(axis))):
        return
    values = constant.detach()
    if bool((values != values.narrow(position, 0, 1)).any()):
        ctx.alone(axis, "multiplies them by a constant that differs from one to the other")


def divide(ctx: Context, out: Any, x: Any, y: Any, *args: Any, **options: Any) -> Axes:
    """``x / y``."""
    if isinstance(y, torch.Tensor):
        ctx.need_all(ctx.axes(y))
    return multiply(ctx, out, x, y)


def entrywise(ctx: Context, out: Any, *args: Any, **options: Any) -> Axes:
    """Any other function of entries in the same place: the group must permute them."""
    axes = [_unified(ctx, row) for row in ctx.aligned(out, (*args, *options.values()))]
    ctx.need_all(axes)
    return axes


def addcmul(ctx: Context, out: Any, x: torch.Tensor, y: torch.Tensor, z: torch.Tensor, **options: Any) -> Axes:
    """``x + c y z``."""
    product = multiply(ctx, torch.broadcast_tensors(y, z)[0], y, z)
    axes = [fixed(1)] * (out.ndim - len(product)) + product
    for position, row in enumerate(ctx.aligned(out, (x,))):
        if not row:
            ctx.need(axes[position], "ones")
        elif axes[position].size == row[0][1].size:
            ctx.meet(x, row[0][1], axes[position])
        else:
            axes[position] = row[0][1]
    return [resolved(axis) for axis in axes]


def _unified(ctx: Context, row: Row) -> Axis:
    """One axis of all tensors that have it; those that depend on the input come first."""
    if not row:
        return fixed(1)
    if any(not is_squared(resolved(axis)) for _, axis in row):
        row = [(tensor, ctx.unsquared(resolved(axis))) for tensor, axis in row]
    first = row[0][1]
    for tensor, axis in row[1:]:
        ctx.meet(tensor, axis, first)
    return resolved(first)


RULES: dict[str, Rule] = {
    **dict.fromkeys(ADD, add),
    **dict.fromkeys(MULTIPLY, multiply),
    **dict.fromkeys(DIVIDE, divide),
    **dict.fromkeys(ENTRYWISE, entrywise),
    "addcmul": addcmul,
}
