"""Recurrent layers: gates are packed into one weight, and work on each hidden feature by itself."""

from collections.abc import Sequence
from typing import Any

import torch

from intertwine.tracing.axes import Axis, Nested
from intertwine.tracing.bindings import ConflictError
from intertwine.tracing.context import Context
from intertwine.tracing.functions.rule import Rule
from intertwine.tracing.normal_form import resolved

GATES = {"lstm": 4, "gru": 3, "rnn_tanh": 1, "rnn_relu": 1}


def layer(gates: int) -> Rule:
    """The rule of a whole layer, ``lstm(x, state, weights, has_biases, layers, ...)``, with so many gates."""

    def rule(
        ctx: Context, out: Any, x: torch.Tensor, state: Any, weights: Any, has_biases: Any, layers: Any, *args: Any
    ) -> Any:
        if not isinstance(weights, tuple | list) or isinstance(layers, bool) or not isinstance(layers, int):
            raise ConflictError("sequences of several lengths are packed in an order that no rule reads")
        directions = 1 + int(args[2])
        count = 2 + 2 * int(has_biases)
        if len(weights) != layers * directions * count:
            raise ConflictError("weights that are projected once more (proj_size) have no rule")
        axes = ctx.axes(x)
        states = state if isinstance(state, tuple | list) else (state,)
        # The last states of all layers are one tensor, hence of one type.
        inputs, hidden = axes[-1], ctx.axes(states[0])[-1]
        for number in range(layers):
            made = []
            for direction in range(directions):
                start = (number * directions + direction) * count
                made.append(_gates(ctx, x, inputs, weights[start : start + count], gates))
                ctx.unify(made[-1], hidden)
            inputs = resolved(Axis(tuple((Nested(axis),) for axis in made)))
        for tensor in states[1:]:
            ctx.meet(tensor, ctx.axes(tensor)[-1], hidden)
        last = [*ctx.axes(states[0])[:-1], hidden]
        return [[*axes[:-1], inputs], *([last] * (len(out) - 1))]

    return rule


def cell(gates: int) -> Rule:
    """The rule of one step, ``gru_cell(x, state, w_ih, w_hh, b_ih, b_hh)``."""

    def rule(ctx: Context, out: Any, x: torch.Tensor, state: Any, *weights: Any) -> Any:
        hidden = _gates(ctx, x, ctx.axes(x)[-1], [weight for weight in weights if weight is not None], gates)
        for tensor in state if isinstance(state, tuple | list) else (state,):
            axes = ctx.axes(tensor)
            ctx.meet(tensor, axes[-1], hidden)
        found = [*ctx.axes(x)[:-1], hidden]
        return found if isinstance(out, torch.Tensor) else [found for _ in out]

    return rule


def _gates(ctx: Context, x: torch.Tensor, inputs: Axis, weights: Sequence[torch.Tensor], gates: int) -> Axis:
    """The hidden features of one direction of one layer: of all gates, of both weights and of their biases."""
    rows, columns = ctx.axes(weights[0])
    ctx.unify(columns, inputs)
    kinds, hidden = ctx.factor(rows, (gates, rows.size // gates))
    ctx.alone(kinds, "tells its gates apart by number")
    ctx.carries(x, hidden)
    ctx.need(hidden, "pointwise")
    whole = ctx.product((kinds, hidden))
    again, back = ctx.axes(weights[1])
    ctx.unify(again, whole)
    ctx.unify(back, hidden)
    for bias in weights[2:]:
        ctx.unify(ctx.axes(bias)[0], whole)
    for weight in weights[:2]:
        ctx.output(weight, 0)
    return resolved(hidden)


RULES: dict[str, Rule] = {
    **{name: layer(gates) for name, gates in GATES.items()},
    **{f"{name}_cell": cell(gates) for name, gates in GATES.items()},
}
