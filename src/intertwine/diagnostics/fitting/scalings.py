"""Positive factors of channels, folded into neighbouring layers where that leaves the function as it is."""

import copy
from collections.abc import Iterable
from typing import Any

import torch
from torch import nn

from intertwine.diagnostics.fitting.network import Network, Weight
from intertwine.diagnostics.fitting.occurrences import Occurrence
from intertwine.diagnostics.fitting.same_function import is_same, output
from intertwine.tracing.axes import Unknown

SWEEPS = 40


def rescaled(
    network: Network, model: nn.Module, example: Any, free: Iterable[Unknown]
) -> tuple[nn.Module, list[Unknown], list[Unknown]]:
    """A copy of ``model`` in which each channel's weights come in and go out with equal norms; the same function.

    Behind a function with ``f(c x) = c f(x)``, c > 0, a channel may be multiplied by c where the weights that read it
    are divided by c. Of all these models of one function the one whose channels have equal norms of incoming and
    outgoing weights is unique, so that it is equivariant wherever one of them is.

    Args:
        network: of the trace of the model.
        model: is left as it is.
        example: to compare the functions on.
        free: unknowns whose channels may be multiplied.

    Returns:
        The copy, the unknowns that were multiplied, and those that could not be, because the output changed.
    """
    wanted = [node for node in network.nodes if node in set(free) and _sides(network, node)[1]]
    twin = copy.deepcopy(model)
    done, refused = list(wanted), list[Unknown]()
    reference = output(network, model, example)
    _balance(network, twin, done)
    if not is_same(output(network, twin, example), reference):  # some of them: each by itself
        twin, done = copy.deepcopy(model), []
        for node in wanted:
            trial = copy.deepcopy(model)
            _balance(network, trial, [node])
            (done if is_same(output(network, trial, example), reference) else refused).append(node)
        _balance(network, twin, done)
    return twin, done, refused


def _sides(network: Network, node: Unknown) -> tuple[list[tuple[Weight, Occurrence]], list[tuple[Weight, Occurrence]]]:
    """The weights that make the channels, and those that read them."""
    made: list[tuple[Weight, Occurrence]] = []
    read: list[tuple[Weight, Occurrence]] = []
    for weight, place in network.weights_of(node):
        if weight.use.diagonal:
            continue
        vector = len(weight.use.type.axes) == 1
        (made if vector or weight.use.output in (None, place.axis) else read).append((weight, place))
    return made, read


@torch.no_grad()
def _balance(network: Network, model: nn.Module, nodes: list[Unknown]) -> None:
    parameters = dict((*model.named_parameters(), *model.named_buffers()))
    sides = {node: _sides(network, node) for node in nodes}
    for _ in range(SWEEPS):
        largest = 1.0
        for node in nodes:
            made, read = sides[node]
            into, out = (_norms(parameters, side) for side in (made, read))
            alive = (into > 0) & (out > 0)
            factor = torch.where(alive, (out / torch.where(alive, into, 1.0)).sqrt(), 1.0)
            _multiply(parameters, made, factor)
            _multiply(parameters, read, 1 / factor)
            largest = max(largest, float(factor.max()), float((1 / factor).max()))
        if largest < 1 + 1e-9:
            return


def _norms(parameters: dict[str, torch.Tensor], side: list[tuple[Weight, Occurrence]]) -> torch.Tensor:
    squares = [
        place.matrix(place.part(parameters[weight.name])).to(torch.float64).square().sum(1) for weight, place in side
    ]
    total: torch.Tensor = torch.stack(squares).sum(0).sqrt()
    return total


def _multiply(parameters: dict[str, torch.Tensor], side: list[tuple[Weight, Occurrence]], factor: torch.Tensor) -> None:
    for weight, place in side:
        W = parameters[weight.name]
        rows = place.matrix(place.part(W))
        W.copy_(place.whole(W, (rows.to(torch.float64) * factor[:, None]).to(W.dtype)))
