"""Recurrent layers: gates are packed into one weight, and work on each hidden feature by itself."""

from collections.abc import Sequence
from typing import Any

import torch

from intertwine.tracing.axes import Axis, Nested, fixed
from intertwine.tracing.context import Context
from intertwine.tracing.functions.rule import Rule
from intertwine.tracing.normal_form import resolved

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


def layer(gates: int) -> Rule:
    """The rule of a whole layer, ``lstm(x, state, weights, has_biases, layers, ...)``, with so many gates.

    Of sequences of several lengths the steps of all are one axis, and their numbers come before the state.
    """

    def rule(ctx: Context, out: Any, x: torch.Tensor, *args: Any) -> Any:
        if isinstance(args[0], torch.Tensor) and args[0].ndim == 1 and not args[0].is_floating_point():
            args = args[1:]
        state, weights, _, layers, _, _, both = args[:7]
        directions = 1 + int(both)
        count = len(weights) // (layers * directions)
        axes = ctx.axes(x)
        states = state if isinstance(state, tuple | list) else (state,)
        inputs = axes[-1]
        found: list[Axis] = []
        for number in range(layers):
            made = []
            for direction in range(directions):
                start = (number * directions + direction) * count
                own = _gates(ctx, x, inputs, weights[start : start + count], gates)
                made.append(own[0])
                # The last states of all layers are one tensor, hence of one type.
                for first, axis in zip(found, own, strict=False):
                    ctx.unify(axis, first)
                found = found or list(own)
            inputs = resolved(Axis(tuple((Nested(axis),) for axis in made)))
        for tensor, axis in zip(states, found, strict=False):
            ctx.meet(tensor, ctx.axes(tensor)[-1], axis)
        ends = [[*ctx.axes(tensor)[:-1], resolved(axis)] for tensor, axis in zip(states, found, strict=False)]
        return [[*axes[:-1], inputs], *ends]

    return rule


def cell(gates: int) -> Rule:
    """The rule of one step, ``gru_cell(x, state, w_ih, w_hh, b_ih, b_hh)``."""

    def rule(ctx: Context, out: Any, x: torch.Tensor, state: Any, *weights: Any) -> Any:
        hidden, _ = _gates(ctx, x, ctx.axes(x)[-1], [weight for weight in weights if weight is not None], gates)
        for tensor in state if isinstance(state, tuple | list) else (state,):
            axes = ctx.axes(tensor)
            ctx.meet(tensor, axes[-1], hidden)
        found = [*ctx.axes(x)[:-1], hidden]
        return found if isinstance(out, torch.Tensor) else [found for _ in out]

    return rule


def _gates(
    ctx: Context, x: torch.Tensor, inputs: Axis, weights: Sequence[torch.Tensor], gates: int
) -> tuple[Axis, Axis]:
    """What one direction of one layer gives, and its cells: the same, unless a last weight projects these."""
    rows, columns = ctx.axes(weights[0])
    ctx.unify(columns, inputs)
    kinds, cells = ctx.factor(rows, (gates, rows.size // gates))
    ctx.alone(kinds, "tells its gates apart by number")
    ctx.carries(x, cells)
    ctx.need(cells, "pointwise")
    whole = ctx.product((kinds, cells))
    again, back = ctx.axes(weights[1])
    ctx.unify(again, whole)
    given = cells
    matrices, biases = list(weights[:2]), list(weights[2:])
    if biases and biases[-1].ndim == 2:
        matrices.append(biases.pop())
        given, taken = ctx.axes(matrices[-1])
        ctx.unify(taken, cells)
        ctx.carries(x, given)
    ctx.unify(back, given)
    for bias in biases:
        ctx.unify(ctx.axes(bias)[0], whole)
    for weight in matrices:
        ctx.output(weight, 0)
    return resolved(given), resolved(cells)


def packed(
    ctx: Context, out: Any, x: torch.Tensor, lengths: torch.Tensor, batch_first: bool = False, *args: Any
) -> Any:
    """Sequences of several lengths, step after step in one axis, and how many there are at each step."""
    first, second, *features = ctx.axes(x)
    for axis in (first, second):
        ctx.alone(axis, "packs sequences and steps by number")
    return [[fixed(out[0].shape[0]), *features], [fixed(out[1].shape[0])]]


def padded(ctx: Context, out: Any, x: torch.Tensor, counts: Any, batch_first: Any, value: Any = 0.0, *args: Any) -> Any:
    """The sequences again, side by side."""
    rows, *features = ctx.axes(x)
    ctx.alone(rows, "unpacks steps by number")
    if value:
        ctx.need_all(features, "ones")
    return [[*(fixed(size) for size in out[0].shape[:2]), *features], [fixed(out[1].shape[0])]]


RULES: dict[str, Rule] = {
    **{name: layer(gates) for name, gates in GATES.items()},
    **{f"{name}_cell": cell(gates) for name, gates in GATES.items()},
    "_pack_padded_sequence": packed,
    "_pad_packed_sequence": padded,
}
