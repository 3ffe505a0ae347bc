"""Derivatives that a model takes of its own output: forces of an energy."""

from typing import Any

import torch

from intertwine.tracing.context import Axes, Context
from intertwine.tracing.functions.rule import Rule


def gradient(ctx: Context, out: Any, outputs: Any, inputs: Any = None, *args: Any, **options: Any) -> Any:
    """``torch.autograd.grad(E, x)`` and ``x.grad``: of invariants, and then of the type of x.

    The law: ``E(g x) = E(x)`` for all x gives ``grad E(g x) = g grad E(x)`` for orthogonal g.
    """
    if inputs is None:
        return ctx.axes(outputs)
    for tensor in [outputs] if isinstance(outputs, torch.Tensor) else outputs:
        ctx.need_all(ctx.axes(tensor), "ones")
    asked = [inputs] if isinstance(inputs, torch.Tensor) else inputs
    found: list[Axes | None] = [
        None if gradient is None else ctx.axes(tensor) for tensor, gradient in zip(asked, out, strict=True)
    ]
    return found


RULES: dict[str, Rule] = {"grad": gradient}
