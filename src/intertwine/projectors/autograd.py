"""P as a differentiable operation: each derivative is P or its adjoint again; only W and its residual are kept."""

from collections.abc import Callable
from typing import Any

import torch
from torch.autograd import forward_ad

from intertwine._numerics import in_own_precision, squared_norm

Map = Callable[[torch.Tensor], torch.Tensor]


class CompiledLinearMap(torch.autograd.Function):
    """``W -> A W`` for a linear ``A``; backward it is the adjoint, to any order.

    As torch.compile takes it, which refuses autograd functions with a forward mode.
    """

    @staticmethod
    def forward(W: torch.Tensor, apply: Map, adjoint: Map) -> torch.Tensor:
        return apply(W)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor, Map, Map], output: torch.Tensor) -> None:
        _, ctx.linear_map, ctx.adjoint_map = inputs

    @staticmethod
    @in_own_precision
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        return linear(gradient, ctx.adjoint_map, ctx.linear_map), None, None


class LinearMap(CompiledLinearMap):
    """Likewise, with the forward mode, in which it is A again, and batches."""

    @staticmethod
    @in_own_precision
    def jvp(ctx: Any, tangent: torch.Tensor, *_: None) -> torch.Tensor:
        with forward_ad._set_fwd_grad_enabled(True):
            return LinearMap.apply(tangent, ctx.linear_map, ctx.adjoint_map)

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, None, None], W: torch.Tensor, apply: Map, adjoint: Map
    ) -> tuple[torch.Tensor, int]:
        """A batch of weights one by one: blocks are strided views, which batched tensors do not have."""
        return torch.stack([LinearMap.apply(w, apply, adjoint) for w in W.unbind(in_dims[0] or 0)]), 0


def linear(W: torch.Tensor, apply: Map, adjoint: Map) -> torch.Tensor:
    """``A W`` for a linear ``A``, given without autograd, and its adjoint; differentiable to any order."""
    if torch.compiler.is_compiling():
        return CompiledLinearMap.apply(W, apply, adjoint)
    # Where nothing is differentiated: a Function takes longer than the arithmetic of a small weight.
    if not (torch.is_grad_enabled() and W.requires_grad) and not is_transformed() and forward_ad._current_level < 0:
        return apply(W)
    return LinearMap.apply(W, apply, adjoint)


def self_adjoint(W: torch.Tensor, apply: Map) -> torch.Tensor:
    """``A W`` for a self-adjoint linear ``A``, differentiable to any order."""
    return linear(W, apply, apply)


def squared_norm_of_image(W: torch.Tensor, apply: Map) -> torch.Tensor:
    """``|A W|^2`` for an orthogonal projector ``A``, a scalar, differentiable to any order, also under torch.func."""
    if not is_transformed():
        return SquaredNorm.apply(W, apply)
    kind = CompiledSquaredNorm if torch.compiler.is_compiling() else TransformableSquaredNorm
    return kind.apply(W, apply)[0]


def is_transformed() -> bool:
    """Whether torch.compile or torch.func is at work, which want autograd functions in their newer form."""
    return torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()


class SquaredNorm(torch.autograd.Function):
    """``W -> |A W|^2``, whose gradient ``2 A W`` is already at hand.

    torch.func wants the other form below, whose argument binding alone costs as much as a small weight's arithmetic.
    """

    @staticmethod
    def forward(ctx: Any, W: torch.Tensor, apply: Map) -> torch.Tensor:
        image = apply(W)
        ctx.linear_map = apply
        ctx.save_for_backward(W, image)
        ctx.save_for_forward(W)
        return squared_norm(image)

    @staticmethod
    @in_own_precision
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return _gradient(ctx, gradient), None

    @staticmethod
    @in_own_precision
    def jvp(ctx: Any, tangent: torch.Tensor, _: None) -> torch.Tensor:
        return derivative_of_square(self_adjoint(ctx.saved_tensors[0], ctx.linear_map), tangent)


def _gradient(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
    W, image = ctx.saved_tensors
    # With a graph of the backward pass the image must be one of W's descendants; without, it is already computed.
    if torch.is_grad_enabled():
        image = self_adjoint(W, ctx.linear_map)
    return image * (2 * gradient)


def derivative_of_square(image: torch.Tensor, tangent: torch.Tensor) -> torch.Tensor:
    """``2 Re <A W, V>``, the derivative of ``|A W|^2`` along V, from the image ``A W``."""
    product = image.conj() * tangent
    return 2 * (product.real if product.is_complex() else product).sum()


class CompiledSquaredNorm(torch.autograd.Function):
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
    @in_own_precision
    def backward(ctx: Any, gradient: torch.Tensor | None, _: torch.Tensor | None) -> tuple[torch.Tensor | None, None]:
        if gradient is None:
            return None, None
        return _gradient(ctx, gradient), None


class TransformableSquaredNorm(CompiledSquaredNorm):
    """Likewise, with the forward mode and batches, as torch.func takes it."""

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[torch.Tensor, Map], output: tuple[torch.Tensor, torch.Tensor]) -> None:
        CompiledSquaredNorm.setup_context(ctx, inputs, output)
        ctx.save_for_forward(inputs[0])

    @staticmethod
    @in_own_precision
    def jvp(ctx: Any, tangent: torch.Tensor | None, _: None) -> tuple[torch.Tensor | None, None]:
        if tangent is None:
            return None, None
        with forward_ad._set_fwd_grad_enabled(True):
            W = forward_ad.unpack_dual(ctx.saved_tensors[0]).primal
            return derivative_of_square(self_adjoint(W, ctx.linear_map), tangent), None

    @staticmethod
    def vmap(
        info: Any, in_dims: tuple[int | None, None], W: torch.Tensor, apply: Map
    ) -> tuple[tuple[torch.Tensor, torch.Tensor], tuple[int, int]]:
        """As of ``LinearMap``."""
        pairs = [TransformableSquaredNorm.apply(w, apply) for w in W.unbind(in_dims[0] or 0)]
        return (torch.stack([value for value, _ in pairs]), torch.stack([image for _, image in pairs])), (0, 0)
