"""Heads of attention: runs of features on weights, and how these are turned, head by head."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod

import numpy as np
import torch
from torch import nn

from intertwine._numerics import Array
from intertwine.diagnostics.fitting.network import Network, Weight
from intertwine.diagnostics.fitting.occurrences import Occurrence
from intertwine.tracing.axes import Axis, Unknown
from intertwine.tracing.normal_form import is_alone, resolved


@dataclass(frozen=True, eq=False)
class Piece:
    """The runs of one head's size on one weight.

    Attributes:
        weight: that they lie on.
        place: where the unknown stands on it.
        size: of a run.
        heads: which head each run belongs to.
        blocks: runs of one block are those of different heads.
    """

    weight: Weight
    place: Occurrence
    size: int
    heads: Array
    blocks: Array

    @property
    def reads(self) -> bool:
        """Whether the weight takes these features in."""
        use = self.weight.use
        return len(use.type.axes) > 1 and use.output not in (None, self.place.axis)

    def rows(self, part: torch.Tensor) -> torch.Tensor:
        """``part``, taken apart into factors, as (runs, size, everything else)."""
        first, count = self.place.axis, len(self.place.sizes)
        moved = part.movedim(tuple(range(first, first + count)), tuple(range(count)))
        return moved.reshape(len(self.heads), self.size, -1)

    def turned(self, W: torch.Tensor, matrices: torch.Tensor, chosen: Array) -> torch.Tensor:
        """``W`` with the runs that are ``chosen`` multiplied by the matrices of their heads."""
        rows = self.rows(self.place.part(W)).clone()
        where = torch.as_tensor(np.flatnonzero(chosen), device=W.device)
        own = matrices[torch.as_tensor(self.heads[chosen])].to(W.device)
        rows[where] = (own @ rows[where].to(own.dtype)).to(W.dtype)
        first, length = self.place.axis, prod(self.place.sizes)
        rest = [size for axis, size in enumerate(W.shape) if axis != first]
        out = W.clone()
        out.narrow(first, self.place.start, length).copy_(rows.reshape(length, *rest).movedim(0, first))
        return out


@dataclass(frozen=True, eq=False)
class Side:
    """Runs that are turned alike: those of queries and keys, or those of values and what reads them.

    Attributes:
        pieces: the runs, by weight.
        chosen: for each of them which runs belong to this side.
    """

    pieces: tuple[Piece, ...]
    chosen: tuple[Array, ...]

    def turned(self, tensors: Mapping[str, torch.Tensor], matrices: torch.Tensor) -> dict[str, torch.Tensor]:
        """The tensors that change, by name, for one matrix a head, shape (heads, size, size)."""
        found: dict[str, torch.Tensor] = {}
        for piece, chosen in zip(self.pieces, self.chosen, strict=True):
            name = piece.weight.name
            found[name] = piece.turned(found.get(name, tensors[name]), matrices, chosen)
        return found

    def apart(self, tensors: Mapping[str, torch.Tensor], generator: torch.Generator) -> dict[str, torch.Tensor]:
        """The same with another random matrix for every run: the function is not to be kept."""
        found: dict[str, torch.Tensor] = {}
        for piece, chosen in zip(self.pieces, self.chosen, strict=True):
            name = piece.weight.name
            each = Piece(piece.weight, piece.place, piece.size, np.arange(len(piece.heads)), piece.blocks)
            matrices = random_matrices(len(piece.heads), piece.size, generator)
            found[name] = each.turned(found.get(name, tensors[name]), matrices, chosen)
        return found

    def where(self) -> str:
        """Its weights, in words."""
        names = [piece.weight.name for piece, chosen in zip(self.pieces, self.chosen, strict=True) if chosen.any()]
        return ", ".join(dict.fromkeys(name for name in names if not name.endswith("bias")))


@dataclass(frozen=True, eq=False)
class Heads:
    """The heads that one unknown is about.

    Attributes:
        node: the unknown.
        count: how many heads.
        size: features of a head.
        inside: whether the unknown is what the features of every head carry; else the group permutes the heads.
        sides: that may be turned by themselves, with the same function.
        refused: in words, what may not be turned.
    """

    node: Unknown
    count: int
    size: int
    inside: bool
    sides: tuple[Side, ...]
    refused: tuple[str, ...] = ()

    def turned(self, tensors: Mapping[str, torch.Tensor], bases: Array) -> dict[str, torch.Tensor]:
        """All tensors, those of the heads turned by ``bases``, shape (sides, heads, size, size)."""
        found = dict(tensors)
        for side, own in zip(self.sides, torch.from_numpy(bases), strict=True):
            found |= side.turned(found, own)
        return found

    @torch.no_grad()
    def turn_(self, model: nn.Module, bases: Array) -> None:
        """The same in a model."""
        tensors = dict((*model.named_parameters(), *model.named_buffers()))
        for name, new in self.turned({name: x.detach() for name, x in tensors.items()}, bases).items():
            if new is not tensors[name]:
                tensors[name].copy_(new)


def random_matrices(count: int, size: int, generator: torch.Generator) -> torch.Tensor:
    """Orthogonal, float64, shape (count, size, size)."""
    noise = torch.randn(count, size, size, dtype=torch.float64, generator=generator)
    return torch.linalg.qr(noise)[0]


# -- candidates ---------------------------------------------------------------------------------


def candidates(network: Network, node: Unknown) -> list[Heads]:
    """The ways in which an unknown may be about heads: which runs belong to which head and side; the freest first."""
    places = [(weight, place) for weight, place in network.weights_of(node) if not weight.use.diagonal]
    if not places:
        return []
    inside = all(place.position - place.axis == len(place.sizes) - 1 for _, place in places)
    if inside:
        size = node.size
    else:
        inner = [prod(place.sizes[place.position - place.axis + 1 :]) for _, place in places]
        size = min(inner)
        fixed = all(is_alone(resolved(axis)) for _, place in places for axis in _inner(place))
        if size < 2 or not fixed or any(length % size for length in inner):
            return []
    runs = [prod(place.sizes) // size for _, place in places]
    count = min(runs) if inside else node.size
    if count < 2 or any(number % count for number in runs):
        return []
    found = []
    for outermost in (False, True) if inside and len(set(runs)) > 1 else (False,):
        pieces = tuple(
            _piece(weight, place, size, count, outermost=outermost if inside else None) for weight, place in places
        )
        found += [Heads(node, count, size, inside, sides) for sides in _patterns(pieces)]
    return found


def _inner(place: Occurrence) -> Iterable[Axis]:
    return place.others[place.position + 1 : place.axis + len(place.sizes)]


def _piece(weight: Weight, place: Occurrence, size: int, count: int, *, outermost: bool | None) -> Piece:
    """Runs numbered: heads innermost, outermost, or where the unknown stands that counts them."""
    number = np.arange(prod(place.sizes) // size)
    if outermost is None:
        behind = prod(place.sizes[place.position - place.axis + 1 :]) // size
        heads, blocks = number // behind % count, number // (behind * count) * behind + number % behind
    elif outermost:
        heads, blocks = number // (len(number) // count), number % (len(number) // count)
    else:
        heads, blocks = number % count, number // count
    return Piece(weight, place, size, heads, blocks)


def _patterns(pieces: tuple[Piece, ...]) -> Iterable[tuple[Side, ...]]:
    """Which runs are values: those of one stream of features (the last one, most often), and all that read; or none."""
    everything = Side(pieces, tuple(np.ones(len(piece.heads), dtype=bool) for piece in pieces))
    streams = list(dict.fromkeys(key for piece in pieces if not piece.reads for key in _streams(piece)))
    if any(piece.reads for piece in pieces) and len(streams) > 1:
        for values in reversed(streams):
            chosen = tuple(
                np.array([piece.reads or key == values for key in _streams(piece)], dtype=bool) for piece in pieces
            )
            yield (Side(pieces, tuple(~one for one in chosen)), Side(pieces, chosen))
    yield (everything,)


def _streams(piece: Piece) -> list[tuple[str, int, int]]:
    """For each run the layer that makes it, and which block of its output."""
    module = piece.weight.name.rpartition(".")[0]
    return [(module, piece.place.start, int(block)) for block in piece.blocks]
