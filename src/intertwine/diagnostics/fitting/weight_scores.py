"""How well an action fits the weights, beyond what it fits to any weights: scores for the refinement."""

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.diagnostics.fitting.network import Network, Weight
from intertwine.diagnostics.fitting.occurrences import Occurrence
from intertwine.tracing.acting import Acting
from intertwine.tracing.axes import Axis, Carried, Digit, Nested, fixed
from intertwine.tracing.normal_form import permutes, resolved


def weight_scores(network: Network, tensors: Mapping[str, torch.Tensor], number: int) -> Array:
    """``[g, c', c]``: the product of what channel c is in all weights, moved by g, with what channel c' is in them.

    For weights W of n entries that the unknown stands on, ``sum_W n <W_c', (g W)_c> / |W|^2`` with g acting on all
    other axes as what is known of them says: each entry counts alike, once its weight has unit variance. Since
    ``|a - b|^2 = |a|^2 + |b|^2 - 2 a b`` and each channel comes up once, the action of the highest score keeps most of
    the weights: ``|PW|^2 = mean_g <g W, W>``. Any action keeps rank / n of random weights, the trivial one most of all;
    that is taken off where c' = c: the trace of g on the other axes. No array is larger than weights or channels
    squared.

    Args:
        network: with all unknowns carrying something.
        tensors: the weights by name.
        number: of the unknown.

    Returns:
        Shape (order, channels, channels).
    """
    node = network.nodes[number]
    elements = network.acting.group.elements()
    scores = np.zeros((len(elements), node.size, node.size))
    diagonal = np.arange(node.size)
    for weight, place in _moved_by(network, number):
        W = tensors[weight.name]
        square = float(W.square().sum())
        if not square:
            continue
        part = place.part(W)
        rows = place.matrix(part)
        rest = [*place.others[: place.position], fixed(1), *place.others[place.position + 1 :]]
        for index, g in enumerate(elements):
            moved = place.matrix(place.moved(network.acting, g, part))
            scores[index] += (rows @ moved.T).numpy() * (W.numel() / square)
            scores[index, diagonal, diagonal] -= trace(network.acting, g, rest)
    return scores


def evidence(network: Network, tensors: Mapping[str, torch.Tensor], number: int) -> float:
    """``sum_W n |PW|^2 / |W|^2 - rank P`` over the weights of an unknown, under what all carry: 0 by chance."""
    elements = network.acting.group.elements()
    total = 0.0
    for weight in {id(weight): weight for weight, _ in _moved_by(network, number)}.values():
        W = tensors[weight.name]
        square = float(W.square().sum())
        axes = [resolved(axis) for axis in weight.use.type.axes]
        if square:
            for g in elements:
                kept = float((network.acting(g, W, axes) * W).sum()) * W.numel() / square
                total += (kept - trace(network.acting, g, axes)) / len(elements)
    return total


def trace(acting: Acting, g: torch.Tensor, axes: Sequence[Axis]) -> float:
    """The trace of g on tensors of these axes."""
    clean = [resolved(axis) for axis in axes]
    pixels = [axis for axis in clean if _has_digits(axis)]
    total = prod(_own_trace(axis, g) for axis in clean if not _has_digits(axis))
    if not pixels or not total:
        return total
    shape = [axis.size for axis in pixels]
    numbers = torch.arange(1, prod(shape) + 1, dtype=torch.float64).reshape(shape)
    moved = acting(g, numbers, pixels)
    if moved.shape != numbers.shape:
        return 0.0
    fixed_points = (moved.abs() - numbers).abs() < 0.5
    return total * float((fixed_points * moved.sign()).sum())


def _own_trace(axis: Axis, g: torch.Tensor) -> float:
    total = 0.0
    for term in axis.terms:
        value = 1.0
        for factor in term:
            if isinstance(factor, Carried):
                value *= float(factor.rep.character(g))
            elif isinstance(factor, Nested):
                value *= _own_trace(factor.axis, g)
            else:
                value *= factor.size
        total += value
    return total


def _has_digits(axis: Axis) -> bool:
    return any(
        isinstance(factor, Digit) or (isinstance(factor, Nested) and _has_digits(factor.axis))
        for term in axis.terms
        for factor in term
    )


def _moved_by(network: Network, number: int) -> list[tuple[Weight, Occurrence]]:
    """The weights of an unknown; diagonal maps only where it is permuted, as signs and mixtures move them otherwise."""
    found = network.weights_of(network.nodes[number])
    return [
        (weight, place)
        for weight, place in found
        if not weight.use.diagonal or all(permutes(resolved(axis)) for axis in weight.use.type.axes)
    ]
