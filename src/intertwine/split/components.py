"""The joint components of weights under commuting projectors: what an optimiser keeps moments of."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from intertwine.decay.targets import COMMUTATION_TOLERANCE, Target
from intertwine.projectors import Projector
from intertwine.projectors.norms.joint import JointMaps, is_joinable
from intertwine.split import layout
from intertwine.split.labels import Labels, labels_of
from intertwine.split.layout import Piece, Sparse, are_means, is_large, pieces_of, sparse_of

Tensors = list[torch.Tensor]
# A component's name has a sign for each projector: "+" for the image of P, "-" for that of 1 - P.
Parts = dict[str, Tensors]


@dataclass(frozen=True)
class Split:
    """How one weight falls apart, ``W = sum_c W_c``.

    Attributes:
        projectors: commuting ones, at least one.
        names: the components that are not zero, in order; fewer where a strength is always infinite.
        pieces: of a large weight whose equivariant part has moments by coefficient; none of others.
        sparse: likewise, where P makes most entries zero; None of others.
        labels: of a small one, or of the entries that P does not make zero; None of others.
    """

    projectors: tuple[Projector, ...]
    names: tuple[str, ...]
    pieces: tuple[Piece, ...] = ()
    sparse: Sparse | None = None
    labels: Labels | None = None

    @property
    def is_by_coefficient(self) -> bool:
        """Whether the equivariant part has moments by coefficient."""
        return bool(self.pieces) or self.labels is not None

    @property
    def has_own_norm(self) -> bool:
        """Whether the projector measures in a norm of its own, so that the step of the penalty is not a factor."""
        return self.projectors[0].has_own_norm


def split_of(target: Target, strengths: Sequence[float | None]) -> Split:
    """Of a tensor with commuting projectors; ``strengths`` that no step changes, None for others."""
    projectors = tuple(term.entry.projector for term in target.terms)
    names = ["".join(signs) for signs in itertools.product("+-", repeat=len(projectors))]
    always = [i for i, strength in enumerate(strengths) if strength == math.inf]
    names = [name for name in names if all(name[i] == "+" for i in always)]
    W = target.tensor()
    if len(projectors) == 1:
        P = projectors[0]
        zero = {"+": P.rank == 0, "-": P.rank == P.ambient_dim}
        names = [name for name in names if not zero[name]]
        if "+" not in names or not are_means(P, W):
            return Split(projectors, tuple(names))
        if is_large(P, W):
            sparse = sparse_of(P, W.shape)
            if sparse is not None:
                return Split(projectors, tuple(names), sparse=sparse, labels=sparse.labels)
            return Split(projectors, tuple(names), pieces_of(P, W.shape))
        small = W.numel() < layout.LEAST and W.device.type == "cpu"
        return Split(projectors, tuple(names), labels=labels_of(P, W.shape) if small else None)
    kind = torch.complex128 if W.is_complex() else torch.float64
    X = torch.randn(W.shape, dtype=kind, generator=torch.Generator().manual_seed(0))
    parts = components([X], [Split(projectors, tuple(names))], None)
    least = COMMUTATION_TOLERANCE * torch.linalg.vector_norm(X)
    return Split(projectors, tuple(name for name in names if torch.linalg.vector_norm(parts[name][0]) > least))


def factor(strengths: Sequence[float], name: str, lr: Any) -> Any:
    """``1 / (1 + lr s)`` with the sum s of the strengths that penalise the component of that name; 0 at infinity."""
    total = sum(s for s, sign in zip(strengths, name, strict=True) if sign == "-")
    return 0.0 if total == math.inf else 1 / (1 + lr * total) if total else 1.0


def components(tensors: Tensors, splits: Sequence[Split], maps: JointMaps | None) -> Parts:
    """``W_c`` of several weights that have components of equal names, by name.

    Args:
        tensors: of one dtype and device.
        splits: one a tensor.
        maps: where joint maps of small weights are kept; None for none.
    """
    names = splits[0].names
    parts: Parts = {"": tensors}
    for number in range(len(splits[0].projectors)):
        deeper: Parts = {}
        for name, values in parts.items():
            wanted = {other[number] for other in names if other.startswith(name)}
            if not wanted:
                continue
            kept = projections(values, [split.projectors[number] for split in splits], maps)
            if "+" in wanted:
                deeper[f"{name}+"] = kept
            if "-" in wanted:
                deeper[f"{name}-"] = list(torch._foreach_sub(values, kept))
        parts = deeper
    return parts


def joined(parts: Mapping[str, Tensors], splits: Sequence[Split], maps: JointMaps | None) -> Tensors | None:
    """``sum_c C_c y_c`` with the projector C_c on component c; None if there is none.

    ``C_+ y_+ + C_- y_- = y_- + P (y_+ - y_-)``, so that one projection does for two components.
    """
    found = dict(parts)
    for number in reversed(range(len(splits[0].projectors))):
        projectors = [split.projectors[number] for split in splits]
        outer: Parts = {}
        for prefix in dict.fromkeys(name[:-1] for name in found):
            kept, rest = found.get(f"{prefix}+"), found.get(f"{prefix}-")
            if rest is None and kept is not None:
                outer[prefix] = projections(kept, projectors, maps)
            elif rest is not None and kept is None:
                outer[prefix] = list(torch._foreach_sub(rest, projections(rest, projectors, maps)))
            elif rest is not None and kept is not None:
                change = projections(list(torch._foreach_sub(kept, rest)), projectors, maps)
                outer[prefix] = list(torch._foreach_add(rest, change))
        found = outer
    return found.get("")


def projections(tensors: Tensors, projectors: Sequence[Projector], maps: JointMaps | None) -> Tensors:
    """The nearest equivariant tensors in the norm of the stored numbers, those of small weights together.

    That is ``P W`` where P is orthogonal in this norm.
    """
    together = [] if maps is None else [i for i, P in enumerate(projectors) if is_joinable(P, tensors[i])]
    out: dict[int, torch.Tensor] = {}
    if maps is not None and together:
        chosen = [tensors[i] for i in together]
        joint = maps.get([projectors[i] for i in together], chosen)
        out.update(zip(together, joint.split(joint.projections(chosen)), strict=True))
    for i, P in enumerate(projectors):
        if i not in out:
            out[i] = nearest(tensors[i], P)
    return [out[i] for i in range(len(tensors))]


def nearest(W: torch.Tensor, P: Projector) -> torch.Tensor:
    """The equivariant tensor nearest to W in the norm of the stored numbers, in memory of its own."""
    if not P.has_own_norm:
        return P.checked_map(W, projected=True)(W)
    W = W.clone(memory_format=torch.contiguous_format)
    P.shrink_(W, 0.0)
    return W
