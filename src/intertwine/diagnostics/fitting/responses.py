"""How alike channels answer to moved inputs: the proposal for the action, through any layer."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from intertwine._numerics import Array
from intertwine.diagnostics.fitting.network import Features, Network
from intertwine.diagnostics.fitting.occurrences import Occurrence
from intertwine.tracing.bindings import CannotActError
from intertwine.tracing.calls import leaves
from intertwine.tracing.models.value_trees import mapped
from intertwine.tracing.record import Place

# Of each tensor of features so many values of a channel are compared, of each unknown so many tensors.
MAX_VALUES, MAX_TENSORS = 2048, 4


def response_scores(network: Network, model: nn.Module, example: Any, *, correlated: bool = True) -> list[Array]:
    """For each unknown and element g how well channel c' on ``g x``, turned back, answers as channel c on ``x``.

    Correlations over samples and pixels, so that neither offsets nor positive factors count, averaged over tensors that
    carry the unknown: outputs of layers with weights where there are any.

    Args:
        network: what is open.
        model: the traced model, or one of the same structure.
        example: as it was traced.
        correlated: correlations; else plain products, ``(responses on g x)^T (responses on x)``.

    Returns:
        One array of shape (order, channels, channels) for each unknown, ``[g, c', c]``.
    """
    order = network.acting.group.order
    places: list[Occurrence] = []
    chosen: dict[int, list[tuple[Features, Occurrence, int]]] = {}
    for features, place in _chosen(network):
        chosen.setdefault(features.call.place.index, []).append((features, place, len(places)))
        places.append(place)
    scores = [np.zeros((order, node.size, node.size), dtype=np.float32) for node in network.nodes]
    counts = [np.zeros(order) for _ in network.nodes]
    number = {node: i for i, node in enumerate(network.nodes)}
    base: dict[int, torch.Tensor] = {}

    def take(index: int, key: int, part: torch.Tensor) -> None:
        value = _sampled(places[key].matrix(part), correlated)
        if index == 0:
            base[key] = value
        if base[key].shape == value.shape:  # with another number of pixels there is nothing to compare
            i = number[places[key].node]
            scores[i][index] += (value @ base[key].T).numpy()
            counts[i][index] += 1

    watched_responses(network, model, example, chosen, take)
    return [own / np.maximum(count, 1)[:, None, None] for own, count in zip(scores, counts, strict=True)]


def _chosen(network: Network) -> Iterator[tuple[Features, Occurrence]]:
    """Which tensors are compared, of each unknown some."""
    for node in network.nodes:
        pairs = [(one, place) for one in network.features for place in one.places if place.node is node]
        pairs = [pair for pair in pairs if pair[0].call.parameters] or pairs
        kept = np.unique(np.linspace(0, len(pairs) - 1, min(len(pairs), MAX_TENSORS)).round().astype(int))
        yield from (pairs[k] for k in kept.tolist() if pairs)


def watched_responses(
    network: Network,
    model: nn.Module,
    example: Any,
    chosen: Mapping[int, Sequence[tuple[Features, Occurrence, int]]],
    take: Callable[[int, int, torch.Tensor], None],
) -> None:
    """Run the model on ``g x`` for every element, and give features to ``take``, turned back but for the unknown's own.

    Args:
        network: what is open.
        model: the traced model, or one of the same structure.
        example: as it was traced.
        chosen: by the number of a call, which of its outputs, where the unknown stands, and a key.
        take: told the number of the element, the key, and the part that the unknown stands on.
    """
    elements = network.acting.group.elements()
    inverse = elements.transpose(-1, -2)  # compact groups: of orthogonal matrices
    for index, (g, back) in enumerate(zip(elements, inverse, strict=True)):

        def own(key: int, part: torch.Tensor, index: int = index) -> None:
            take(index, key, part)

        _watched(network, model, _moved_example(network, example, g), back, chosen, own)


def _moved_example(network: Network, example: Any, g: torch.Tensor) -> Any:
    acting = network.acting
    kinds = {id(tensor): end.axes(tensor) for tensor, end in network.trace.ends.inputs(example)}

    def moved(tensor: torch.Tensor) -> torch.Tensor:
        return acting(g, tensor, kinds[id(tensor)]) if id(tensor) in kinds else tensor

    return mapped(example, moved)


def _watched(
    network: Network,
    model: nn.Module,
    example: Any,
    back: torch.Tensor,
    chosen: Mapping[int, Sequence[tuple[Features, Occurrence, int]]],
    take: Callable[[int, torch.Tensor], None],
) -> None:
    def call(place: Place, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        out = function(*args, **kwargs)
        for features, occurrence, key in chosen.get(place.index, ()):
            if place.function != features.call.place.function:
                continue
            made = leaves(args[0] if place.function == "setitem" else out)
            if features.position < len(made):
                try:
                    part = occurrence.part(made[features.position].detach())
                    part = occurrence.moved(network.acting, back, part)
                except (CannotActError, RuntimeError):  # a shape that the turned input does not have
                    continue
                take(key, part)
        return out

    network.run(model, example, call)


def some_columns(matrix: torch.Tensor) -> torch.Tensor:
    """At most ``MAX_VALUES`` of the columns, of tensors of one shape the same ones."""
    if matrix.shape[1] <= MAX_VALUES:
        return matrix
    chosen = torch.randperm(matrix.shape[1], generator=torch.Generator().manual_seed(0))[:MAX_VALUES]
    return matrix[:, chosen.to(matrix.device)]


def _sampled(matrix: torch.Tensor, correlated: bool) -> torch.Tensor:
    """Some of the columns, each row centred and of length 1 (zero if it is constant); float32 on the CPU."""
    matrix = some_columns(matrix).to("cpu", torch.float32)
    if not correlated:
        return matrix / matrix.square().sum().sqrt().clamp(min=torch.finfo(torch.float32).tiny)
    centred = matrix - matrix.mean(1, keepdim=True)
    length = torch.linalg.vector_norm(centred, dim=1, keepdim=True)
    floor = 1e-5 * torch.linalg.vector_norm(matrix, dim=1, keepdim=True)
    return torch.where(length > floor, centred / length.clamp(min=torch.finfo(torch.float32).tiny), 0.0)
