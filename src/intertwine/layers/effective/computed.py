"""A tensor that a module computes of its parameters, and what can be asked of it."""

from abc import ABC, abstractmethod
from typing import Any

import torch


class Computed(ABC):
    """How a module computes a tensor; a value that holds names and functions, and no tensor of the module."""

    remedy = "let the module store it"

    def way_in(self, module: Any) -> str:
        """What a value would have to go through to get into it, for an error."""
        return f"what {type(module).__name__} computes it from"

    @abstractmethod
    def value(self, module: Any) -> torch.Tensor:
        """The tensor, computed by this call with a graph to the parameters."""

    def parameters(self, module: Any) -> tuple[torch.Tensor, ...]:
        """What it is computed from and an optimiser may update."""
        return tuple(module.parameters())

    def stored(self, module: Any) -> tuple[torch.Tensor, ...]:
        """All that it is computed from, buffers too."""
        return (*self.parameters(module), *module.buffers())

    def written(self, module: Any) -> tuple[torch.Tensor, ...]:
        """Those of its parameters that ``write_`` changes."""
        return self.parameters(module)

    def write_(self, module: Any, value: torch.Tensor) -> None:
        """Change ``written`` so that the tensor becomes ``value``, as far as that can be; called without gradients.

        Raises:
            NotImplementedError: it cannot be.
        """
        raise NotImplementedError("nothing says how a value gets into what it is computed from")

    def disagreement(self, module: Any) -> str:
        """How the module was seen to compute with another tensor than ``value``; empty if it was not."""
        return ""
