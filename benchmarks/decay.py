"""The decay's own update, without the optimiser's, against scaling the weight in place."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any

import torch

import intertwine as iw
from benchmarks.measuring.estimate import Question, answered, ratio
from benchmarks.measuring.timing import Work
from benchmarks.row import Row, estimate_row
from benchmarks.settings import Settings
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
        budget = 3.0 if dim**2 >= LARGE else 6.0
        questions = {"ratio": Question(ratio("decay", "in-place scaling"), budget)}
        found = answered(partial(_works, dim, settings), questions, settings)
        work = f"decay step / in-place W.mul_(), SO(3) irreps l = 0..3, {dim}^2"
        yield estimate_row("decay", work, found, questions, "ratio")


def _works(dim: int, settings: Settings) -> Mapping[str, Work]:
    rep = so3_irreps(dim)
    binding = bound_weight(rep, rep, settings)
    W = binding.model.weight
    W.grad = torch.zeros_like(W)  # parameters without a gradient are skipped
    optimizer = Still([W], lr=SHRINKAGE)
    iw.EquivarianceDecay(optimizer, binding, strength=1.0)
    return {"in-place scaling": _scaling(W), "decay": optimizer.step}


def _scaling(W: torch.Tensor) -> Callable[[], None]:
    @torch.no_grad()
    def work() -> None:
        W.mul_(1 - SHRINKAGE)

    return work
