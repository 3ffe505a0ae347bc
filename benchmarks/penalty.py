"""The penalty with its gradient against plain L2, on irreps of SO(3)."""

from collections.abc import Iterator, Mapping
from functools import partial

from benchmarks.measuring.estimate import Question, answered, ratio
from benchmarks.measuring.timing import Work
from benchmarks.row import Row, estimate_row
from benchmarks.settings import Settings
from benchmarks.weights import bound_weight, penalty_gradient, plain_l2, so3_irreps


def rows(settings: Settings) -> Iterator[Row]:
    """One a size."""
    for dim in (64, 128) if settings.quick else (1184, 4096):
        questions = {"ratio": Question(ratio("penalty", "plain L2"), budget=1.5)}
        found = answered(partial(_works, dim, settings), questions, settings)
        work = f"penalty + gradient / plain L2 + gradient, SO(3) irreps l = 0..3, {dim}^2"
        yield estimate_row("penalty", work, found, questions, "ratio")


def _works(dim: int, settings: Settings) -> Mapping[str, Work]:
    rep = so3_irreps(dim)
    binding = bound_weight(rep, rep, settings)
    return {"plain L2": plain_l2(binding.model.weight), "penalty": penalty_gradient(binding)}
