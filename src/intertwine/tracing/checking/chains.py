"""Calls that break the symmetry one by one and not together: a shift by half a window, and the shift back."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch.utils.weak import WeakIdKeyDictionary

from intertwine.tracing.calls import TypedCall
from intertwine.tracing.functions import combine, pointwise

# Functions of each entry by itself undo nothing: where their results are right, values have met a limit or a step.
HIDING = frozenset((*pointwise.RULES, *combine.ENTRYWISE))
# What is undone becomes right in one step, by so large a factor.
AT_ONCE = 1e4


@dataclass
class Chain:
    """What a broken call really gives for moved arguments, followed through the module that it is in.

    The calls behind it undo what it has done if what they make of it is the image of their results: nothing may be
    taken out of the module before, or be mixed with what is in order.

    Attributes:
        module: path of the module of the first call.
        calls: numbers of the broken calls in it.
        values: for each moved run, what tensors really are there.
        least: how far the chain has been from what is right, where it was nearest.
        matched: whether something has come out right.
        failed: whether something was taken out, or mixed.
    """

    module: str
    calls: set[int]
    values: list[WeakIdKeyDictionary]
    least: float
    matched: bool = False
    failed: bool = False

    @classmethod
    def begun(
        cls, typed: TypedCall, worst: float, results: list[torch.Tensor], others: list[list[torch.Tensor]]
    ) -> "Chain":
        """The chain of a broken call with its results and what they are in each moved run."""
        chain = cls(typed.place.module, {typed.place.index}, [WeakIdKeyDictionary() for _ in others], worst)
        chain.keep(worst, results, others)
        return chain

    def comes_right(self, worst: float, limit: float) -> bool:
        """Whether a result is right, at once: what a layer only attenuates, or hides behind a bias, is not."""
        return worst <= min(limit, self.least / AT_ONCE)

    def keep(self, worst: float, results: list[torch.Tensor], others: list[list[torch.Tensor]]) -> None:
        """What further tensors really are, and how far from what is right."""
        self.least = min(self.least, worst)
        for values, moved in zip(self.values, others, strict=True):
            for tensor, other in zip(results, moved, strict=True):
                values[tensor] = (tensor._version, other)

    def holds(self, tensor: torch.Tensor) -> bool:
        """Whether a tensor is one of the chain, as it was then."""
        found = self.values[0].get(tensor)
        return found is not None and found[0] == tensor._version

    def value(self, number: int, tensor: torch.Tensor) -> torch.Tensor:
        """What it really is."""
        found: torch.Tensor = self.values[number][tensor][1]
        return found

    def takes(self, typed: TypedCall, given: list[torch.Tensor]) -> bool:
        """Whether a call goes on with the chain; it fails where the call does so from outside or with others beside."""
        if self.failed:
            return False
        moving = [tensor for tensor, kind in zip(given, typed.inputs, strict=True) if kind.dynamic]
        inside = [self.holds(tensor) for tensor in moving]
        if not any(inside):
            return False
        within = not self.module or f"{typed.place.module}.".startswith(f"{self.module}.")
        self.failed = not (within and all(inside))
        return not self.failed

    @property
    def undone(self) -> bool:
        """Whether the calls behind the first have undone it."""
        return self.matched and not self.failed


def undone(chains: Iterable[Chain], output: Iterable[torch.Tensor]) -> set[int]:
    """The calls of chains that came out right, none of which reaches the output as it is."""
    left = list(output)
    whole = [chain for chain in chains if chain.undone and not any(chain.holds(tensor) for tensor in left)]
    return {index for chain in whole for index in chain.calls}
