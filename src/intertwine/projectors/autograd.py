"""P as a differentiable operation: self-adjoint, so each derivative is P again; only W and its residual are kept."""

from collections.abc import Callable
from typing import Any

import torch

from intertwine._numerics import squared_norm

Map = Callable[[torch.Tensor], torch.Tensor]


class SelfAdjoint(torch.autograd.Function):
    """``W -> A W`` for a self-adjoint linear ``A``; the backward pass is ``A`` again, to any order."""

    @staticmethod
    def forward(W: torch.Tensor, apply: Map) -> torch.Tensor:
        return apply(W)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor, Map], output: torch.Tensor) -> None:
        ctx.linear_map = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return SelfAdjoint.apply(gradient, ctx.linear_map), None

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, None], W: torch.Tensor, apply: Map) -> tuple[torch.Tensor, int]:
        """A batch of weights one by one: blocks are strided views, which batched tensors do not have."""
        return torch.stack([SelfAdjoint.apply(w, apply) for w in W.unbind(in_dims[0] or 0)]), 0


def squared_norm_of_image(W: torch.Tensor, apply: Map) -> torch.Tensor:
    """``|A W|^2`` for an orthogonal projector ``A``, a scalar, differentiable to any order, also under torch.func."""
    if torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active():
        return TransformableSquaredNorm.apply(W, apply)[0]
    return SquaredNorm.apply(W, apply)


class SquaredNorm(torch.autograd.Function):
    """``W -> |A W|^2``, whose gradient ``2 A W`` is already at hand.

    torch.func wants the other form below, whose argument binding alone costs as much as a small weight's arithmetic.
    """

    @staticmethod
    def forward(ctx: Any, W: torch.Tensor, apply: Map) -> torch.Tensor:
        image = apply(W)
        ctx.linear_map = apply
        ctx.save_for_backward(W, image)
        return squared_norm(image)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _gradient(ctx, gradient), None


def _gradient(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
    W, image = ctx.saved_tensors
    # With a graph of the backward pass the image must be one of W's descendants; without, it is already computed.
    if torch.is_grad_enabled():
        image = SelfAdjoint.apply(W, ctx.linear_map)
    return image * (2 * gradient)


class TransformableSquaredNorm(torch.autograd.Function):
    """``W -> (|A W|^2, A W)`` for an orthogonal projector ``A``; the first has the gradient ``2 A W``, already at hand.

    The second output carries the residual to the backward pass and has no gradient of its own.
    """

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
        return _gradient(ctx, gradient), None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, None], W: torch.Tensor, apply: Map
    ) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[int, int]]:
        """As of ``SelfAdjoint``."""
        pairs = [TransformableSquaredNorm.apply(w, apply) for w in W.unbind(in_dims[0] or 0)]
        return (torch.stack([value for value, _ in pairs]), torch.stack([image for _, image in pairs])), (0, 0)
