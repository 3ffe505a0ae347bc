"""A model of the table: families were chosen before it was known whether they work."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass(frozen=True)
class Case:
    """A model, its ends and an example."""

    name: str
    source: str
    make: Callable[[], nn.Module]
    rep_in: Any
    rep_out: Any
    example: Any
    size: str


def seeded(make: Callable[[], nn.Module]) -> nn.Module:
    """A model in eval mode with weights of one seed, random running statistics, and nothing that begins as zero.

    Zeros at the end of a head or of a residual branch would make every error one of nothing.
    """
    torch.manual_seed(0)
    model = make().eval()
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm) and module.running_mean is not None:
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 1.5)  # type: ignore[union-attr]
    for parameter in model.parameters():
        if parameter.ndim > 1 and not parameter.any():
            nn.init.normal_(parameter, std=0.02)
    return model


def drawn(*shape: int) -> torch.Tensor:
    """An example of one seed."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def randomised(model: nn.Module) -> nn.Module:
    """A model with other weights than the first, of which many are zero, one or so small that nothing would show."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.is_floating_point():
                std = 0.1 if parameter.ndim < 2 else 0.15
                parameter.add_(std * torch.randn(parameter.shape, generator=generator))
    return model
