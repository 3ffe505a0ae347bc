"""The components of weights as parameters of another optimiser: drawn from the weights, put in place, joined again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from intertwine.decay.averages import Correction
from intertwine.decay.decay_step import Averaging
from intertwine.projectors.norms.joint import JointMaps
from intertwine.projectors.norms.proximal import Rate
from intertwine.split.components import Split, Tensors, components, projections


@dataclass(frozen=True, eq=False)
class Parts:
    """One weight's components, by name: leaves of an optimiser, which hold values during its step alone.

    Attributes:
        split: of the weight.
        leaves: one a component that is not zero.
    """

    split: Split
    leaves: dict[str, nn.Parameter]

    @classmethod
    def of(cls, W: torch.Tensor, split: Split) -> "Parts":
        """Those of W, not yet drawn."""
        return cls(split, {name: nn.Parameter(torch.zeros_like(W)) for name in split.names})


Pairs = Sequence[tuple[torch.Tensor, Parts]]


def draw(pairs: Pairs, maps: JointMaps, *, gradients: bool) -> None:
    """Values of the leaves, and their gradients where the weight has one."""
    for together in _alike(pairs):
        splits = [parts.split for _, parts in together]
        values = components([W.detach() for W, _ in together], splits, maps)
        slopes = components([W.grad for W, _ in together if W.grad is not None], splits, maps) if gradients else {}
        for name, found in values.items():
            for i, (_, parts) in enumerate(together):
                leaf = parts.leaves[name]
                leaf.copy_(found[i])
                leaf.grad = slopes[name][i] if gradients else None


def join(pairs: Pairs) -> None:
    """Writes the sum of its leaves into each weight."""
    for W, parts in pairs:
        leaves = list(parts.leaves.values())
        if not leaves:
            W.zero_()
            continue
        W.copy_(leaves[0])
        for leaf in leaves[1:]:
            W.add_(leaf)


def put_in_place(
    pairs: Pairs,
    factors: Sequence[Mapping[str, Rate]],
    groups: Sequence[Mapping[str, Any]],
    averaging: Averaging,
    maps: JointMaps,
) -> None:
    """Projects each leaf, and what the optimiser averages, onto its component, and takes the proximal step.

    Args:
        pairs: that the optimiser updated.
        factors: of each, by name, what its component is multiplied by.
        groups: the optimiser's param group of each.
        averaging: how the optimiser averages.
        maps: where joint maps of small weights are kept.
    """
    steps: list[tuple[Correction, torch.Tensor, Rate]] = []
    by_name: dict[tuple[object, ...], tuple[Tensors, list[Split], str]] = {}
    for (_, parts), factor, group in zip(pairs, factors, groups, strict=True):
        for name, leaf in parts.leaves.items():
            sequences = averaging.sequences(leaf)
            for V in sequences:
                tensors, splits, _ = by_name.setdefault((name, V.device, V.dtype), ([], [], name))
                tensors.append(V)
                splits.append(parts.split)
            if not isinstance(factor[name], torch.Tensor) and factor[name] == 0:
                steps += [(Correction(V), V, 0.0) for V in sequences]
            elif isinstance(factor[name], torch.Tensor) or factor[name] != 1:
                found = averaging.correction(leaf, group)
                steps.append((found, found.stepped, factor[name]))
    for tensors, splits, name in by_name.values():
        torch._foreach_copy_(tensors, _onto(tensors, splits, name, maps))
    for found, stepped, scale in steps:
        before = stepped.clone() if found.followers else stepped
        stepped.mul_(scale)
        for follower, share in found.followers:
            follower.add_((stepped - before) * share)


def _onto(tensors: Tensors, splits: Sequence[Split], name: str, maps: JointMaps) -> Tensors:
    """``C_c`` of the component of that name."""
    for number, sign in enumerate(name):
        kept = projections(tensors, [split.projectors[number] for split in splits], maps)
        tensors = kept if sign == "+" else list(torch._foreach_sub(tensors, kept))
    return tensors


def _alike(pairs: Pairs) -> list[list[tuple[torch.Tensor, Parts]]]:
    """Together what ``components`` takes together."""
    found: dict[tuple[object, ...], list[tuple[torch.Tensor, Parts]]] = {}
    for W, parts in pairs:
        found.setdefault((W.device, W.dtype, parts.split.names, len(parts.split.projectors)), []).append((W, parts))
    return list(found.values())
