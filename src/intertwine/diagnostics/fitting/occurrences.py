"""Where a hidden representation stands in the type of a tensor, and the tensor as a matrix of its features."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod

import torch

from intertwine.tracing.acting import Acting, can_act
from intertwine.tracing.axes import Axis, Fixed, Unknown, single, term_size
from intertwine.tracing.normal_form import resolved


@dataclass(frozen=True, eq=False)
class Occurrence:
    """One place of an unknown on the axes of a tensor.

    Attributes:
        node: the unknown.
        axis: on which axis of the tensor it stands.
        start: where its term of the direct sum on that axis begins.
        sizes: the factors of that term, in order.
        position: which axis of the tensor it is once the term is taken apart.
        others: the axes of the tensor taken apart, the unknown's own as a number.
    """

    node: Unknown
    axis: int
    start: int
    sizes: tuple[int, ...]
    position: int
    others: tuple[Axis, ...]

    def part(self, x: torch.Tensor) -> torch.Tensor:
        """The part of a tensor that it is about, its term taken apart into factors."""
        part = x.narrow(self.axis, self.start, prod(self.sizes))
        return part.reshape(*x.shape[: self.axis], *self.sizes, *x.shape[self.axis + 1 :])

    def moved(self, acting: Acting, g: torch.Tensor, part: torch.Tensor) -> torch.Tensor:
        """``part`` moved along all axes but the unknown's own."""
        return acting(g, part, self.others)

    def matrix(self, part: torch.Tensor) -> torch.Tensor:
        """``part`` as (features, everything else)."""
        return part.movedim(self.position, 0).reshape(part.shape[self.position], -1)

    def whole(self, x: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
        """``x`` with ``matrix``, as ``matrix()`` gives it, for its part."""
        part = self.part(x)
        new = matrix.reshape(part.movedim(self.position, 0).shape).movedim(0, self.position)
        out = x.clone()
        target = out.narrow(self.axis, self.start, prod(self.sizes))
        target.copy_(new.reshape(target.shape))
        return out

    @property
    def is_movable(self) -> bool:
        """Whether the group is known to act on all other axes."""
        return can_act(self.others)


def occurrences(axes: Sequence[Axis], nodes: frozenset[Unknown]) -> Iterator[Occurrence]:
    """The places of open unknowns among ``nodes`` on a tensor's axes; those inside of nested sums are left out."""
    clean = [resolved(axis) for axis in axes]
    for axis, own in enumerate(clean):
        start = 0
        for term in own.terms:
            for index, factor in enumerate(term):
                if isinstance(factor, Unknown) and factor in nodes:
                    inner = [single(Fixed(f.size)) if i == index else single(f) for i, f in enumerate(term)]
                    others = (*clean[:axis], *inner, *clean[axis + 1 :])
                    sizes = tuple(f.size for f in term)
                    yield Occurrence(factor, axis, start, sizes, axis + index, others)
            start += term_size(term)
