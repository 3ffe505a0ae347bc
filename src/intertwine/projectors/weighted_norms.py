"""A weighted sum of squared residuals and projections of many parameters, as one node of the autograd graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from intertwine._numerics import accumulation_dtype, squared_norm
from intertwine.projectors.autograd import Map, SelfAdjoint
from intertwine.projectors.projector import Projector


@dataclass(frozen=True, eq=False)
class NormTerm:
    """``weight * |W - P W|^2``, or ``weight * |P W|^2`` if ``projected``.

    Attributes:
        projector: P.
        tensor: W, as ``P.squared_residual`` takes it.
        weight: a number.
        projected: which of the two.
    """

    projector: Projector
    tensor: torch.Tensor
    weight: float
    projected: bool = False

    @property
    def value(self) -> torch.Tensor:
        """The term by itself, twice differentiable."""
        P, W = self.projector, self.tensor
        return self.weight * (P.squared_projection(W) if self.projected else P.squared_residual(W))

    def joins(self, other: "NormTerm") -> bool:
        """Whether both can be computed together: the measure is Frobenius's own, device and dtype are the same."""
        W, V = self.tensor, other.tensor
        # Subclasses measure in norms of their own.
        return (
            type(self.projector) is Projector
            and W.device == V.device
            and W.dtype == V.dtype == accumulation_dtype(W.dtype)
        )


def weighted_squared_norms(terms: Sequence[NormTerm]) -> torch.Tensor:
    """The sum of the terms, a scalar on the device of the first, twice differentiable.

    A small parameter's arithmetic takes less time than the bookkeeping of one autograd node, so that terms that can
    share a node do; the others, and all of them under torch.compile and torch.func, are added up one by one.

    Args:
        terms: at least one.
    """
    first = terms[0]
    together: list[NormTerm] = []
    if not (torch.compiler.is_compiling() or torch._C._are_functorch_transforms_active()):
        together = [term for term in terms if term.joins(first)]
    if len(together) < 2:
        together = []
    values = [term.value for term in terms if term not in together]
    if together:
        maps, tensors = [], []
        for term in together:
            maps.append(term.projector.checked_map(term.tensor, projected=term.projected))
            tensors.append(term.tensor)
        values.insert(0, WeightedSquaredNorms.apply(tuple(maps), tuple(term.weight for term in together), *tensors))
    result = values[0]
    for value in values[1:]:
        result = result + value.to(result.device)
    return result.to(first.tensor.device)


class WeightedSquaredNorms(torch.autograd.Function):
    """``sum_i w_i |A_i W_i|^2`` for orthogonal projectors A_i, whose gradients ``2 w_i A_i W_i`` are at hand."""

    @staticmethod
    def forward(ctx: Any, maps: tuple[Map, ...], weights: tuple[float, ...], *tensors: torch.Tensor) -> torch.Tensor:
        images = [apply(W) for apply, W in zip(maps, tensors, strict=True)]
        ctx.maps, ctx.weights = maps, weights
        ctx.save_for_backward(*tensors, *images)
        total = weights[0] * squared_norm(images[0])
        for weight, image in zip(weights[1:], images[1:], strict=True):
            total.add_(squared_norm(image), alpha=weight)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        count = len(ctx.maps)
        tensors, images = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        # With a graph of the backward pass the images must be descendants of W; without, they are already computed.
        graph = torch.is_grad_enabled()
        # On the CPU reading a number is free, and spares a tensor for each parameter; elsewhere it would be waited for.
        scale = gradient if graph or gradient.device.type != "cpu" else gradient.item()
        out: list[torch.Tensor | None] = [None, None]
        for i, (apply, weight, W, image) in enumerate(zip(ctx.maps, ctx.weights, tensors, images, strict=True)):
            if not ctx.needs_input_grad[2 + i]:
                out.append(None)
                continue
            here = SelfAdjoint.apply(W, apply) if graph else image
            out.append(here * (2 * weight * scale))
        return tuple(out)
