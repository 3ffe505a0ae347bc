"""How far two results are apart."""

import math

import torch

from intertwine._numerics import TOLERANCES

MOST_SUMMED = 2.0**12
# Outputs that are zero but for rounding are measured against so small a share of the arguments.
FLOOR = 1e-3


def _root_mean_square(tensor: torch.Tensor) -> float:
    if not tensor.numel() or not (tensor.is_floating_point() or tensor.is_complex()):
        return 0.0
    values = tensor.detach().abs().nan_to_num(0.0, 0.0, 0.0).float()
    return float(torch.linalg.vector_norm(values)) / tensor.numel() ** 0.5


def distance(one: torch.Tensor, two: torch.Tensor, arguments: list[torch.Tensor]) -> float:
    """``|one - two|`` over ``|two|``, or over a small share of the arguments' size where that is larger."""
    if one.shape != two.shape:
        return float("inf")
    if not one.numel():
        return 0.0
    if not (one.is_floating_point() or one.is_complex()):
        return float((one != two).to(torch.float32).mean())
    one, two = one.detach(), two.detach()
    difference = one - two
    total = float(torch.linalg.vector_norm(difference))
    if not math.isfinite(total):  # infinities and NaN in the same places are equal
        equal = (one == two) | (torch.isnan(one) & torch.isnan(two))
        total = float(torch.linalg.vector_norm(difference.masked_fill(equal, 0.0)))
    if total == 0:
        return 0.0
    size = float(torch.linalg.vector_norm(two))
    relative = total / size if 0 < size < math.inf else math.inf
    if relative > TOLERANCES.get(one.dtype, 0.0):  # which a sum that ought to be zero is too
        # A sum over n entries rounds like sqrt(n) of them.
        summed = (_root_mean_square(t) * min(max(t.numel() / one.numel(), 1.0), MOST_SUMMED) ** 0.5 for t in arguments)
        floor = FLOOR * max(summed, default=0.0)
        size = max(_root_mean_square(two), floor, 1e-30)
        relative = total / one.numel() ** 0.5 / size
    return relative if math.isfinite(relative) else math.inf
