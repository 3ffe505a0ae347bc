"""The penalty with its gradient against plain L2, on irreps of SO(3)."""

from collections.abc import Iterator

from benchmarks.row import Row, ratio_row
from benchmarks.settings import Settings
from benchmarks.timing import interleaved, ratio
from benchmarks.weights import bound_weight, penalty_gradient, plain_l2, so3_irreps


def rows(settings: Settings) -> Iterator[Row]:
    """One a size."""
    for dim in (64, 128) if settings.quick else (1184, 4096):
        rep = so3_irreps(dim)
        binding = bound_weight(rep, rep, settings)
        times = interleaved(
            {"plain L2": plain_l2(binding.model.weight), "penalty": penalty_gradient(binding)}, settings
        )
        yield ratio_row(
            "penalty",
            f"penalty + gradient / plain L2 + gradient, SO(3) irreps l = 0..3, {dim}^2",
            ratio(times["penalty"], times["plain L2"]),
            times,
            budget=1.5,
        )
