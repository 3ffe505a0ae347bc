"""Several tensors of one module that the group exchanges: typed together, as one."""

from dataclasses import dataclass
from math import prod
from typing import Any

import torch

from intertwine.layers.effective.computed import Computed


@dataclass(frozen=True)
class Joined(Computed):
    """Tensors whose parts the group takes to each other's, as the two weights of a Fourier layer: projected as one.

    The layer of Li et al. keeps the waves of positive and of negative first component in a weight each, and a mirror
    takes one to the other; an equivariant value of the pair is no pair of equivariant values. Here they are one tensor,
    the axes from ``start`` on flattened and put side by side; writing to it writes to both.

    Attributes:
        attributes: names of the tensors in their module.
        start: the first of the axes that are flattened.
        last: how many axes after those are kept, 1 for (Re, Im).
    """

    attributes: tuple[str, ...]
    start: int
    last: int

    def value(self, module: Any) -> torch.Tensor:
        """The tensors side by side."""
        return torch.cat([self._flat(part) for part in self.parameters(module)], self.start)

    def parameters(self, module: Any) -> tuple[torch.Tensor, ...]:
        """The tensors, in order."""
        return tuple(getattr(module, name) for name in self.attributes)

    def stored(self, module: Any) -> tuple[torch.Tensor, ...]:
        """The same."""
        return self.parameters(module)

    def write_(self, module: Any, value: torch.Tensor) -> None:
        """The parts of ``value`` to the tensors."""
        parts = self.parameters(module)
        counts = [self._flat(part).shape[self.start] for part in parts]
        for part, own in zip(parts, value.split(counts, self.start), strict=True):
            part.copy_(own.reshape(part.shape))

    def _flat(self, part: torch.Tensor) -> torch.Tensor:
        end = part.ndim - self.last
        sides = part.shape[self.start : end]
        return part.reshape(*part.shape[: self.start], prod(sides), *part.shape[end:])
