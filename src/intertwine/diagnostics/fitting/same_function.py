"""Whether two models of one structure are one function, on an example."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from intertwine._numerics import TOLERANCES
from intertwine.diagnostics.fitting.network import Network
from intertwine.tracing.models.value_trees import tensors

# Of the tolerance of one operation.
MARGIN = 100


def output(network: Network, model: nn.Module, example: Any) -> list[torch.Tensor]:
    """Every tensor that the model gives."""
    return [tensor.detach().clone() for tensor in tensors(network.run(model, example))]


def is_same(ours: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor]) -> bool:
    """To rounding."""
    for mine, other in zip(ours, wanted, strict=True):
        limit = MARGIN * TOLERANCES.get(other.dtype, 0.0) * float(torch.linalg.vector_norm(other))
        if not float(torch.linalg.vector_norm(mine - other)) <= limit:
            return False
    return True


def distance(ours: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor]) -> float:
    """Relative, the largest over tensors of numbers."""
    pairs = [(a, b) for a, b in zip(ours, wanted, strict=True) if b.is_floating_point()]
    return max((float((a - b).norm()) / max(float(b.norm()), 1e-30) for a, b in pairs), default=0.0)
