"""P as a differentiable operation: self-adjoint, so each derivative is P again; only W and its residual are kept."""

from collections.abc import Callable
from typing import Any

import torch

from intertwine._numerics import squared_norm

Map = Callable[[torch.Tensor], torch.Tensor]


class SelfAdjoint(torch.autograd.Function):
    """``W -> A W`` for a self-adjoint linear ``A``; the backward pass is ``A`` again, to any order."""

    generate_vmap_rule = True

    @staticmethod
    def forward(W: torch.Tensor, apply: Map) -> torch.Tensor:
        return apply(W)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor, Map], output: torch.Tensor) -> None:
        ctx.linear_map = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return SelfAdjoint.apply(gradient, ctx.linear_map), None


class SquaredNorm(torch.autograd.Function):
    """``W -> (|A W|^2, A W)`` for an orthogonal projector ``A``; the first has the gradient ``2 A W``, already at hand.

    The second output carries the residual to the backward pass and has no gradient of its own.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(W: torch.Tensor, apply: Map) -> tuple[torch.Tensor, torch.Tensor]:
        image = apply(W)
        return squared_norm(image), image

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor, Map], output: tuple[torch.Tensor, torch.Tensor]) -> None:
        W, ctx.linear_map = inputs
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(W, output[1])
        ctx.set_materialize_grads(False)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor | None, _: torch.Tensor | None) -> tuple[torch.Tensor | None, None]:
        if gradient is None:
            return None, None
        W, image = ctx.saved_tensors
        # With a graph of the backward pass the residual must be one of W's descendants; without, it is already
        # computed.
        if torch.is_grad_enabled():
            image = SelfAdjoint.apply(W, ctx.linear_map)
        return image * (2 * gradient), None
