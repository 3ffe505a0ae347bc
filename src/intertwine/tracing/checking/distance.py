"""How far two results are apart."""

import math

import torch

from intertwine._numerics import HALF, TOLERANCES

MOST_SUMMED = 2.0**12
# Outputs that are zero but for rounding are measured against so small a share of the arguments.
FLOOR = 1e-3


class Scale(list[torch.Tensor]):
    """The arguments of a call, whose sizes are computed when they are asked for, once."""

    _found: list[float] | None = None

    def summed(self, entries: int) -> float:
        """The root mean square of the largest, if sums over its entries make a result of so many."""
        if self._found is None:
            self._found = [_root_mean_square(tensor) for tensor in self]
        # A sum over n entries rounds like sqrt(n) of them.
        pairs = zip(self._found, self, strict=True)
        summed = (size * min(max(t.numel() / entries, 1.0), MOST_SUMMED) ** 0.5 for size, t in pairs)
        return max(summed, default=0.0)


def _root_mean_square(tensor: torch.Tensor, total: float = math.nan) -> float:
    """Of the finite entries; ``total`` is the norm, if it is known."""
    if not tensor.numel() or not (tensor.is_floating_point() or tensor.is_complex()):
        return 0.0
    if math.isnan(total) and tensor.dtype not in HALF:
        total = float(torch.linalg.vector_norm(tensor.detach()))
    if not math.isfinite(total):
        values = tensor.detach().abs().nan_to_num(0.0, 0.0, 0.0).float()
        total = float(torch.linalg.vector_norm(values))
    return total / tensor.numel() ** 0.5


def distance(one: torch.Tensor, two: torch.Tensor, arguments: list[torch.Tensor]) -> float:
    """``|one - two|`` over ``|two|``, or over a small share of the arguments' size where that is larger."""
    if one.shape != two.shape:
        return float("inf")
    if not one.numel():
        return 0.0
    if not (one.is_floating_point() or one.is_complex()):
        return 0.0 if torch.equal(one, two) else float((one != two).to(torch.float32).mean())
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
        scale = arguments if isinstance(arguments, Scale) else Scale(arguments)
        size = max(_root_mean_square(two, size), FLOOR * scale.summed(one.numel()), 1e-30)
        relative = total / one.numel() ** 0.5 / size
    return relative if math.isfinite(relative) else math.inf
