"""What luck gives: the same fit on weights whose entries are shuffled within each filter."""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from intertwine.diagnostics.fitting.found import Found, Kind
from intertwine.diagnostics.fitting.heads.runs import Heads
from intertwine.diagnostics.fitting.network import Network
from intertwine.diagnostics.fitting.search import search
from intertwine.tracing.axes import Unknown


def chance_fits(
    network: Network,
    model: nn.Module,
    example: Any,
    allowed: list[Kind],
    heads: Mapping[Unknown, Heads],
    draws: int,
    generator: torch.Generator,
    progress: Callable[[str], object],
) -> list[tuple[nn.Module, list[Found]]]:
    """Shuffled copies of a model, each with what the search finds for it."""
    fits = []
    for draw in range(draws):
        twin = shuffled(network, model, generator)

        def tell(what: str, draw: int = draw) -> object:
            return progress(f"chance, draw {draw + 1}: {what}")

        found = search(network, twin, example, allowed, heads, tell)
        turn_heads_(network, twin, heads, found)
        fits.append((twin, found))
    return fits


def turn_heads_(network: Network, model: nn.Module, heads: Mapping[Unknown, Heads], found: list[Found]) -> None:
    """Fold the bases of heads into the weights of a model."""
    for node, one in zip(network.nodes, found, strict=True):
        if node in heads and one.bases is not None:
            heads[node].turn_(model, one.bases)


@torch.no_grad()
def shuffled(network: Network, model: nn.Module, generator: torch.Generator) -> nn.Module:
    """A copy of ``model`` in which the entries of each filter are in random order; vectors stay as they are.

    A filter is what makes one output of a weight: norms of filters, biases and norm layers are kept, and with them what
    a symmetry leaves on those, so that chance is not too easy to beat.
    """
    twin = copy.deepcopy(model)
    tensors = dict((*twin.named_parameters(), *twin.named_buffers()))
    for name, weight in network.weights.items():
        W = tensors[name]
        axis = weight.use.output
        if W.ndim < 2 or weight.use.diagonal:
            continue
        rows = W.movedim(0 if axis is None else axis, 0)
        flat = rows.reshape(rows.shape[0], -1)
        order = torch.rand(flat.shape, generator=generator).argsort(1).to(flat.device)
        new = flat.gather(1, order).reshape(rows.shape).movedim(0, 0 if axis is None else axis)
        W.copy_(new)
    return twin
