"""The tensors of a model that can be typed, by their names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn

from intertwine.layers.layer_type import Kind
from intertwine.layers.parametrized import parametrized_names


@dataclass(frozen=True)
class ModelTensor:
    """A tensor that can be typed: who owns it, and what makes it the same as one under another name."""

    owner: nn.Module
    module: str
    attribute: str
    kind: Kind
    identity: object

    @property
    def value(self) -> torch.Tensor:
        """The tensor; computed if it is parametrised."""
        with torch.no_grad():
            return cast(torch.Tensor, getattr(self.owner, self.attribute))


def model_tensors(modules: Mapping[str, nn.Module]) -> dict[str, ModelTensor]:
    """Every parameter, buffer and parametrised tensor by its full name, tied ones under each of theirs."""
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
    return found
