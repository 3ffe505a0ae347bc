"""Which heads may be turned: where the function stays the same, tried with random matrices."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from intertwine.diagnostics.fitting.heads.runs import Heads, Side, candidates, random_matrices
from intertwine.diagnostics.fitting.network import Network
from intertwine.diagnostics.fitting.same_function import distance, output
from intertwine.tracing.axes import Unknown

# A side may be turned if that changes the output by less than this part of what it changes if each run turns by itself.
KEPT = 0.05
# Functions that move features without changing them, and those in which queries meet keys.
PASSING = frozenset(
    [
        *("linear", "addmm", "matmul", "bmm", "baddbmm", "einsum", "scaled_dot_product_attention", "dropout"),
        *("view", "reshape", "transpose", "permute", "flatten", "unflatten", "contiguous", "clone", "to"),
        *("unbind", "split", "chunk", "getitem", "expand", "repeat", "repeat_interleave", "stack", "cat"),
    ]
)


def turnable(network: Network, model: nn.Module, example: Any) -> dict[Unknown, Heads]:
    """By unknown the heads whose features may be turned, each by an orthogonal matrix of its own.

    Queries and keys of a head may be multiplied by Q and ``Q^-T = Q``, as their products are what counts; values by R
    if what reads them takes it back. Whether a model leaves this open (it does not where rotary embeddings or norms
    within heads come between), and which of its runs are queries, keys and values, is found by turning them: the output
    must stay, to rounding, where it would change if each run turned by itself.
    """
    reference = output(network, model, example)
    twin, generator = copy.deepcopy(model), torch.Generator().manual_seed(0)
    tensors = {name: x.detach().clone() for name, x in (*model.named_parameters(), *model.named_buffers())}

    def changed(new: Mapping[str, torch.Tensor]) -> float:
        parts = dict((*twin.named_parameters(), *twin.named_buffers()))
        with torch.no_grad():
            for name, value in new.items():
                parts[name].copy_(value)
            found = distance(output(network, twin, example), reference)
            for name in new:
                parts[name].copy_(tensors[name])
        return found

    def stays(side: Side, heads: Heads) -> bool:
        matrices = random_matrices(heads.count, heads.size, generator)
        return changed(side.turned(tensors, matrices)) < KEPT * changed(side.apart(tensors, generator))

    found: dict[Unknown, Heads] = {}
    for node in network.nodes:
        best: Heads | None = None
        for heads in candidates(network, node):
            good = tuple(side for side in heads.sides if stays(side, heads))
            refused = tuple(side for side in heads.sides if side not in good)
            if best is None or len(good) > len(best.sides):
                words = tuple(_refusal(network, node, side) for side in refused)
                best = replace(heads, sides=good, refused=words)
            if not refused:
                break
        if best is not None:
            found[node] = best
    return found


def _refusal(network: Network, node: Unknown, side: Side) -> str:
    between = [
        str(one.call.place)
        for one in network.features
        if one.call.place.function not in PASSING and any(place.node is node for place in one.places)
    ]
    why = (
        f"as {between[0]} comes between" if between else "as the output changes (rotary embeddings, norms within heads)"
    )
    return f"{side.where()}: not turned within heads, {why}"
