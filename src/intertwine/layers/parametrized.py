"""The tensors of a module that ``torch.nn.utils.parametrize`` computes."""

import torch
from torch import nn


def parametrized_names(module: nn.Module) -> tuple[str, ...]:
    """The attributes of ``module`` that ``torch.nn.utils.parametrize`` computes."""
    # A missing attribute, and an empty ModuleDict, take as long as the arithmetic of a small weight.
    found = None if isinstance(module, torch.jit.ScriptModule) else module._modules.get("parametrizations")
    return tuple(found.keys()) if isinstance(found, nn.ModuleDict) else ()


def parametrizations(module: nn.Module) -> nn.ModuleDict:
    """The parametrisations of the module's attributes, by attribute."""
    found = module._modules.get("parametrizations")
    return found if isinstance(found, nn.ModuleDict) else nn.ModuleDict()
