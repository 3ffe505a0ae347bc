"""How heads answer to moved inputs, and how their weights do: products of the features of heads, head by head."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn

from intertwine._numerics import Array
from intertwine.diagnostics.fitting.heads.runs import Heads, Piece
from intertwine.diagnostics.fitting.network import Features, Network
from intertwine.diagnostics.fitting.occurrences import Occurrence
from intertwine.diagnostics.fitting.responses import some_columns, watched_responses
from intertwine.diagnostics.fitting.weight_scores import trace
from intertwine.tracing.axes import fixed


def head_responses(network: Network, model: nn.Module, example: Any, heads: Sequence[Heads]) -> list[Array | None]:
    """For each of ``heads`` the products of features on ``g x``, turned back, with those on ``x``.

    Features are the outputs of the layers that make them, centred over samples and pixels; where a fused function keeps
    them to itself there are none.

    Returns:
        Arrays as those of ``head_weight_scores``, or None.
    """
    order = network.acting.group.order
    chosen: dict[int, list[tuple[Features, Occurrence, int]]] = {}
    made: list[tuple[int, Piece]] = []
    for number, one in enumerate(heads):
        for features in network.features:
            for place in features.places:
                piece = _of(one, features, place)
                if piece is not None:
                    chosen.setdefault(features.call.place.index, []).append((features, place, len(made)))
                    made.append((number, piece))
    scores = [_empty(one, order) for one in heads]
    base: dict[int, torch.Tensor] = {}

    def take(index: int, key: int, part: torch.Tensor) -> None:
        number, piece = made[key]
        rows = _centred(piece, part)
        if index == 0:
            base[key] = rows
        if base[key].shape == rows.shape:
            _add(scores[number], index, heads[number], piece, rows, base[key])

    watched_responses(network, model, example, chosen, take)
    seen = {made[key][0] for key in base}
    return [own if number in seen else None for number, own in enumerate(scores)]


def _of(heads: Heads, features: Features, place: Occurrence) -> Piece | None:
    """The runs of these features, if they are the output of a layer whose weight has them."""
    if place.node is not heads.node:
        return None
    for side in heads.sides:
        for piece in side.pieces:
            same = _spot(piece)[1:] == (place.start, place.sizes)
            if same and not piece.reads and piece.weight.name in features.call.parameters:
                return Piece(piece.weight, place, piece.size, piece.heads, piece.blocks)
    return None


def _centred(piece: Piece, part: torch.Tensor) -> torch.Tensor:
    rows = some_columns(piece.rows(part).flatten(0, 1)).to("cpu", torch.float64)
    rows = rows - rows.mean(1, keepdim=True)
    return (rows / rows.norm().clamp(min=1e-30)).reshape(len(piece.heads), piece.size, -1)


def head_weight_scores(network: Network, tensors: Mapping[str, torch.Tensor], heads: Heads) -> Array:
    """The products of rows of weights, moved by g, with rows of weights, by side and head.

    As ``weight_scores``, each weight of unit variance and the rank taken off, in place of which stands for the features
    of heads whose group acts inside the products of a head with itself, and else those of each pair of heads.

    Returns:
        Shape (sides, heads, order, size, size), or (sides, heads, heads, order, size, size) with ``[s, h', h, g]``.
    """
    elements = network.acting.group.elements()
    scores = _empty(heads, len(elements))
    for piece in _pieces(heads):
        W = tensors[piece.weight.name]
        square = float(W.square().sum())
        if not square:
            continue
        place = piece.place
        part = place.part(W)
        rows = piece.rows(part)
        others = [*place.others[: place.position], fixed(1), *place.others[place.position + 1 :]]
        for index, g in enumerate(elements):
            moved = piece.rows(place.moved(network.acting, g, part))
            _add(scores, index, heads, piece, rows, moved, W.numel() / square)
            if heads.inside:  # between heads it is the same for all of them
                rank = trace(network.acting, g, others) / len(piece.heads)
                _take_off(scores, index, heads, piece, rank)
    return scores


def _pieces(heads: Heads) -> Iterator[Piece]:
    """Every run of every side once."""
    found = {(id(p.weight), *_spot(p)): p for side in heads.sides for p in side.pieces}
    yield from found.values()


def _spot(piece: Piece) -> tuple[int, int, tuple[int, ...]]:
    return piece.place.axis, piece.place.start, piece.place.sizes


def _chosen(heads: Heads, piece: Piece) -> Iterator[tuple[int, Array]]:
    """By side, which runs of a piece belong to it."""
    for number, side in enumerate(heads.sides):
        for own, chosen in zip(side.pieces, side.chosen, strict=True):
            if (
                own.weight is piece.weight
                and own.place.start == piece.place.start
                and own.place.sizes == piece.place.sizes
            ):
                yield number, chosen


def _empty(heads: Heads, order: int) -> Array:
    pairs = () if heads.inside else (heads.count,)
    return np.zeros((len(heads.sides), heads.count, *pairs, order, heads.size, heads.size))


def _add(
    scores: Array,
    index: int,
    heads: Heads,
    piece: Piece,
    rows: torch.Tensor,
    moved: torch.Tensor,
    factor: float = 1.0,
) -> None:
    """Add the products of ``rows`` and ``moved``, shape (runs, size, everything else)."""
    for side, chosen in _chosen(heads, piece):
        for block in np.unique(piece.blocks[chosen]).tolist():
            runs = np.flatnonzero(chosen & (piece.blocks == block))
            own, ours, theirs = piece.heads[runs], rows[runs], moved[runs]
            if heads.inside:
                scores[side, own, index] += factor * (ours @ theirs.transpose(1, 2)).numpy()
            else:
                products = ours.flatten(0, 1) @ theirs.flatten(0, 1).T
                shape = (len(runs), heads.size, len(runs), heads.size)
                scores[side, own[:, None], own, index] += factor * products.reshape(shape).numpy().swapaxes(1, 2)


def _take_off(scores: Array, index: int, heads: Heads, piece: Piece, rank: float) -> None:
    for side, chosen in _chosen(heads, piece):
        for head in piece.heads[chosen].tolist():
            scores[side, head, index] -= rank * np.eye(heads.size)
