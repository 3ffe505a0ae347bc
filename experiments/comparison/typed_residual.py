"""How far the typed weights of a network are from equivariance, all together."""

import math

from intertwine.binding import Binding


def typed_residual(binding: Binding) -> dict[str, float]:
    """``relative_residual`` of all typed weights together and its ``chance``; empty where nothing is typed.

    Running statistics of norm layers are no weights. Chance is what i.i.d. Gaussian weights have:
    ``sqrt(1 - rank / numel)``.

    Examples:
        >>> import torch
        >>> import intertwine as iw
        >>> binding = iw.bind(torch.nn.Linear(4, 4, bias=False), {"": (iw.Cyclic(4).regular(),) * 2})
        >>> round(typed_residual(binding)["chance"], 3)
        0.866
    """
    found = [entry for entry in binding.residuals().values() if entry.kind != "buffer"]
    if not found:
        return {}
    squared, norm = math.fsum(r.squared_residual for r in found), math.fsum(r.norm**2 for r in found)
    numel, rank = sum(math.prod(r.shape) for r in found), sum(r.rank for r in found)
    return {
        "relative_residual": math.sqrt(squared / norm) if norm else 0.0,
        "chance": math.sqrt(1 - rank / numel),
    }
