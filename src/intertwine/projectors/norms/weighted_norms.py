"""A weighted sum of squared residuals and projections of many parameters, as one node of the autograd graph."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch.autograd import forward_ad

from intertwine._numerics import accumulation_dtype, in_own_precision, squared_norm
from intertwine.projectors.autograd import Map, derivative_of_square, is_transformed, self_adjoint
from intertwine.projectors.norms.joint import JointMaps, is_joinable
from intertwine.projectors.projector import Projector

# Whether the graph can be walked again after this backward pass; torch before 2.5 does not say.
graph_is_kept: Callable[[], bool] = getattr(torch._C._autograd, "_get_current_graph_task_keep_graph", lambda: True)


class NormTerm(NamedTuple):
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

    @property
    def linear_map(self) -> Map:
        """``W -> W - P W`` or ``W -> P W``, without autograd; raises if W does not fit."""
        return self.projector.checked_map(self.tensor, projected=self.projected)


@dataclass(frozen=True, eq=False)
class _Image:
    """``A W`` of some of the terms, flat or not, and how their gradients follow from it.

    Attributes:
        terms: their numbers.
        weight: of all of them.
        compute: tensors of the terms -> their image.
        split: an image -> one tensor a term, in the term's shape.
    """

    terms: tuple[int, ...]
    weight: float
    compute: Callable[[Sequence[torch.Tensor]], torch.Tensor]
    split: Callable[[torch.Tensor], Sequence[torch.Tensor]]


def weighted_squared_norms(terms: Sequence[NormTerm], maps: JointMaps | None = None) -> torch.Tensor:
    """The sum of the terms, a scalar on the device of the first, twice differentiable.

    A small parameter's arithmetic takes less time than the bookkeeping of one autograd node, so that terms that can
    share a node do; the others, and all of them under torch.compile and torch.func, are added up one by one.

    Args:
        terms: at least one.
        maps: where joint maps of small weights are kept from one call to the next; None for none of them.
    """
    device = terms[0].tensor.device
    together: list[NormTerm] = []
    apart: list[NormTerm] = []
    one_by_one = is_transformed()
    # Those of one full precision; half precision accumulates in another dtype.
    dtype = next((t.tensor.dtype for t in terms if t.tensor.dtype == accumulation_dtype(t.tensor.dtype)), None)
    for term in terms:
        W = term.tensor
        alike = not one_by_one and not term.projector.has_own_norm and W.dtype == dtype and W.device == device
        (together if alike else apart).append(term)
    values = [term.value for term in apart]
    if together:
        images = _images(together, maps)
        tensors = [term.tensor for term in together]
        values.insert(0, WeightedSquaredNorms.apply(images, tuple(together), *tensors))
    result = values[0]
    for value in values[1:]:
        result = result + value.to(result.device)
    return result.to(device)


def _images(terms: Sequence[NormTerm], maps: JointMaps | None) -> tuple[_Image, ...]:
    """Small weights of equal weight in the sum together, each of the others by itself."""
    if maps is None:
        return tuple(_single(i, term) for i, term in enumerate(terms))
    joint: dict[tuple[float, bool], list[int]] = {}
    images: list[_Image] = []
    for i, term in enumerate(terms):
        if is_joinable(term.projector, term.tensor):
            joint.setdefault((term.weight, term.projected), []).append(i)
        else:
            images.append(_single(i, term))
    for (weight, projected), numbers in joint.items():
        chosen = [terms[i] for i in numbers]
        joined = maps.get([term.projector for term in chosen], [term.tensor for term in chosen])
        compute = joined.projections if projected else joined.residuals
        images.append(_Image(tuple(numbers), weight, compute, joined.split))
    return tuple(images)


def _single(number: int, term: NormTerm) -> _Image:
    apply = term.linear_map
    return _Image((number,), term.weight, lambda tensors: apply(tensors[0]), lambda image: (image,))


class WeightedSquaredNorms(torch.autograd.Function):
    """``sum_i w_i |A_i W_i|^2`` for orthogonal projectors A_i, whose gradients ``2 w_i A_i W_i`` are at hand."""

    @staticmethod
    def forward(
        ctx: Any, images: tuple[_Image, ...], terms: tuple[NormTerm, ...], *tensors: torch.Tensor
    ) -> torch.Tensor:
        computed = [image.compute([tensors[i] for i in image.terms]) for image in images]
        ctx.images, ctx.terms = images, terms
        ctx.save_for_backward(*tensors, *computed)
        total = images[0].weight * squared_norm(computed[0])
        for image, value in zip(images[1:], computed[1:], strict=True):
            total.add_(squared_norm(value), alpha=image.weight)
        return total

    @staticmethod
    @in_own_precision
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        count = len(ctx.terms)
        tensors, computed = ctx.saved_tensors[:count], ctx.saved_tensors[count:]
        out: list[torch.Tensor | None] = [None] * count
        needed = ctx.needs_input_grad[2:]
        if torch.is_grad_enabled():
            # With a graph of the backward pass what was computed must be a descendant of W.
            for i, (term, W) in enumerate(zip(ctx.terms, tensors, strict=True)):
                if needed[i]:
                    out[i] = self_adjoint(W, term.linear_map) * (2 * term.weight * gradient)
            return (None, None, *out)
        # On the CPU reading a number is free, and spares a tensor for each parameter; elsewhere it would be waited for.
        scale = gradient if gradient.device.type != "cpu" else gradient.item()
        kept = graph_is_kept()
        for image, value in zip(ctx.images, computed, strict=True):
            if any(needed[i] for i in image.terms):
                factor = 2 * image.weight * scale
                # Nobody reads the image after the last backward pass, so that it becomes the gradient.
                scaled = value * factor if kept else value.mul_(factor)
                for i, part in zip(image.terms, image.split(scaled), strict=True):
                    out[i] = part if needed[i] else None
        return (None, None, *out)

    @staticmethod
    @in_own_precision
    def jvp(ctx: Any, _: None, __: None, *tangents: torch.Tensor | None) -> torch.Tensor:
        total = ctx.terms[0].tensor.new_zeros((), dtype=ctx.terms[0].tensor.dtype.to_real())
        for term, tangent in zip(ctx.terms, tangents, strict=True):
            if tangent is not None:
                # The weight as it was given, with its graph, so that the derivative has one too.
                W = forward_ad.unpack_dual(term.tensor).primal
                total = total + term.weight * derivative_of_square(self_adjoint(W, term.linear_map), tangent)
        return total
