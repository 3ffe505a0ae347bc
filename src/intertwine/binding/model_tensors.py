"""The tensors of a model that can be typed, by their names."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import cast

import torch
from torch import nn

from intertwine.layers.adapters import Ways, chosen
from intertwine.layers.effective.computed import Computed
from intertwine.layers.effective.parametrized import parametrized_names
from intertwine.layers.layer_type import Kind
from intertwine.layers.registry import effective_of
from intertwine.layers.rule import ATTRIBUTE, Rules


@dataclass(frozen=True)
class ModelTensor:
    """A tensor that can be typed: who owns it, and what makes it the same as one under another name."""

    owner: nn.Module
    module: str
    attribute: str
    kind: Kind
    identity: object
    ways: Ways = ()

    @cached_property
    def effective(self) -> Computed | None:
        """How its module computes it of others, where neither it nor a parametrisation stores it.

        Raises:
            ArgumentError: in no way that is known.
        """
        name = f"{self.module}.{self.attribute}" if self.module else self.attribute
        return chosen(self.owner, name, self.ways, f"the type of {name}") if self.ways else None

    @property
    def value(self) -> torch.Tensor:
        """The tensor; computed if the module does not store it."""
        with torch.no_grad():
            if self.effective is not None:
                return self.effective.value(self.owner)
            return cast(torch.Tensor, getattr(self.owner, self.attribute))


def model_tensors(modules: Mapping[str, nn.Module], rules: Rules) -> dict[str, ModelTensor]:
    """Every parameter, buffer and computed tensor by its full name, tied ones under each of theirs."""
    found: dict[str, ModelTensor] = {}
    for name, module in modules.items():
        prefix = f"{name}." if name else ""
        for attribute, parameter in module._parameters.items():
            if parameter is not None:
                found[prefix + attribute] = ModelTensor(module, name, attribute, "parameter", id(parameter))
        for attribute, buffer in module._buffers.items():
            if buffer is not None:
                found[prefix + attribute] = ModelTensor(module, name, attribute, "buffer", id(buffer))
        for attribute in parametrized_names(module):
            found[prefix + attribute] = ModelTensor(module, name, attribute, "parameter", (id(module), attribute))
        # Torch's own layers store all that they compute with, and there are many of them.
        own = rules or "base_layer" in module._modules or hasattr(type(module), ATTRIBUTE)
        for attribute, ways in effective_of(module, rules).items() if own else ():
            identity = (id(module), attribute)
            found[prefix + attribute] = ModelTensor(module, name, attribute, "parameter", identity, ways)
    return found
