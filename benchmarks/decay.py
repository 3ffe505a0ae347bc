"""The decay's own update, without the optimiser's, against scaling the weight in place."""

from collections.abc import Callable, Iterator
from typing import Any

import torch

import intertwine as iw
from benchmarks.row import Row, ratio_row
from benchmarks.settings import Settings
from benchmarks.timing import interleaved, ratio
from benchmarks.weights import bound_weight, so3_irreps

LARGE = 2**24
# As in training, and so small that thousands of repetitions reach no denormal numbers, which are slow.
SHRINKAGE = 1e-3


class Still(torch.optim.Optimizer):
    """An optimiser that leaves everything as it is, so that its step costs what its hooks cost."""

    def __init__(self, params: Any, lr: float) -> None:
        super().__init__(params, {"lr": lr})

    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Nothing."""


def rows(settings: Settings) -> Iterator[Row]:
    """One a size."""
    for dim in (64, 128) if settings.quick else (1184, 4096):
        rep = so3_irreps(dim)
        binding = bound_weight(rep, rep, settings)
        W = binding.model.weight
        W.grad = torch.zeros_like(W)  # parameters without a gradient are skipped
        optimizer = Still([W], lr=SHRINKAGE)
        decay = iw.EquivarianceDecay(optimizer, binding, strength=1.0)
        times = interleaved({"in-place scaling": _scaling(W), "decay": optimizer.step}, settings)
        decay.remove()
        yield ratio_row(
            "decay",
            f"decay step / in-place W.mul_(), SO(3) irreps l = 0..3, {dim}^2",
            ratio(times["decay"], times["in-place scaling"]),
            times,
            budget=3.0 if W.numel() >= LARGE else 6.0,
        )


def _scaling(W: torch.Tensor) -> Callable[[], None]:
    @torch.no_grad()
    def work() -> None:
        W.mul_(1 - SHRINKAGE)

    return work
