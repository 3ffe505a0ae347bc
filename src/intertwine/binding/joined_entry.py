"""Several tensors of one module that the group exchanges: typed together, as one."""

from dataclasses import dataclass
from math import prod

import torch
from torch import nn

from intertwine.binding.entry import Entry


@dataclass(frozen=True)
class JoinedEntry(Entry):
    """Tensors whose parts the group takes to each other's, as the two weights of a Fourier layer: projected as one.

    The layer of Li et al. keeps the waves of positive and of negative first component in a weight each, and a mirror
    takes one to the other; an equivariant value of the pair is no pair of equivariant values. Here they are one tensor,
    the axes from ``start`` on flattened and put side by side; like a parametrised one it is computed, and writing to it
    writes to both.

    Attributes:
        attributes: names of the tensors in their module.
        start: the first of the axes that are flattened.
        last: how many axes after those are kept, 1 for (Re, Im).
    """

    attributes: tuple[str, ...] = ()
    start: int = 0
    last: int = 0

    def tensor(self, model: nn.Module) -> torch.Tensor:
        """The tensors side by side."""
        return torch.cat([self._flat(part) for part in self.sources(model)], self.start)

    def sources(self, model: nn.Module) -> tuple[torch.Tensor, ...]:
        """The tensors, in order."""
        owner = self.owner(model)
        found = tuple(getattr(owner, name, None) for name in self.attributes)
        parts = tuple(part for part in found if isinstance(part, torch.Tensor))
        if len(parts) < len(found):
            raise self._gone()
        return parts

    def underlying(self, model: nn.Module) -> tuple[torch.Tensor, ...]:
        """The same."""
        return self.sources(model)

    def is_parametrized(self, model: nn.Module) -> bool:
        """It is computed."""
        return True

    def is_hooked(self, model: nn.Module) -> bool:
        """By no hook."""
        return False

    def write_(self, model: nn.Module, value: torch.Tensor) -> None:
        """Write the parts of ``value`` to the tensors."""
        parts = self.sources(model)
        counts = [self._flat(part).shape[self.start] for part in parts]
        for part, own in zip(parts, value.split(counts, self.start), strict=True):
            part.copy_(own.reshape(part.shape))

    def _flat(self, part: torch.Tensor) -> torch.Tensor:
        end = part.ndim - self.last
        sides = part.shape[self.start : end]
        return part.reshape(*part.shape[: self.start], prod(sides), *part.shape[end:])
