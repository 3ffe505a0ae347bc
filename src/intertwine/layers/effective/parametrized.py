"""The tensors of a module that ``torch.nn.utils.parametrize`` computes."""

from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import nn
from torch.nn.utils.parametrize import ParametrizationList

from intertwine.layers.effective.computed import Computed


def parametrized_names(module: nn.Module) -> tuple[str, ...]:
    """The attributes of ``module`` that ``torch.nn.utils.parametrize`` computes."""
    # A missing attribute, and an empty ModuleDict, take as long as the arithmetic of a small weight.
    found = None if isinstance(module, torch.jit.ScriptModule) else module._modules.get("parametrizations")
    return tuple(found.keys()) if isinstance(found, nn.ModuleDict) else ()


def parametrizations(module: nn.Module) -> nn.ModuleDict:
    """The parametrisations of the module's attributes, by attribute."""
    found = module._modules.get("parametrizations")
    return found if isinstance(found, nn.ModuleDict) else nn.ModuleDict()


@dataclass(frozen=True)
class Parametrized(Computed):
    """A tensor that ``torch.nn.utils.parametrize`` computes; written to as torch does on assignment.

    Attributes:
        attribute: its name in the module.
    """

    attribute: str

    remedy = "parametrize.remove_parametrizations"

    def way_in(self, module: Any) -> str:
        """The right inverse, with the names of the parametrisations."""
        kinds = ", ".join(type(step).__name__.strip("_") for step in self._source(module))
        return f"the right inverse of its parametrisation ({kinds})"

    def value(self, module: Any) -> torch.Tensor:
        """As its parametrisations make it of what they have now, whatever ``parametrize.cached`` holds."""
        return cast(torch.Tensor, self._source(module)())

    def parameters(self, module: Any) -> tuple[torch.Tensor, ...]:
        """Of its parametrisations alone."""
        return tuple(self._source(module).parameters())

    def stored(self, module: Any) -> tuple[torch.Tensor, ...]:
        """Likewise."""
        source = self._source(module)
        return (*source.parameters(), *source.buffers())

    def write_(self, module: Any, value: torch.Tensor) -> None:
        """Through right inverses, which may keep what they are given."""
        self._source(module).right_inverse(value.clone())

    def _source(self, module: Any) -> ParametrizationList:
        return cast(ParametrizationList, parametrizations(module)[self.attribute])
