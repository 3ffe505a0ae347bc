"""Growth with the number of weights: the ratio to plain L2 should be flat."""

import statistics
from collections.abc import Callable, Iterator

import intertwine as iw
from benchmarks.row import Row
from benchmarks.settings import Settings
from benchmarks.timing import Timing, interleaved
from benchmarks.weights import bound_weight, penalty_gradient, plain_l2, regular, so3_irreps

# From here on the work, and not the call, is what takes the time.
LARGE = 2**20


def rows(settings: Settings) -> Iterator[Row]:
    """For irreps and for a regular representation: the spread over all sizes, and over the large ones."""
    exponents = range(12, 17, 2) if settings.quick else range(14, 27, 2)
    group = iw.Dihedral(4)
    families: dict[str, Callable[[int], iw.Representation]] = {
        "SO(3) irreps l = 0..3": so3_irreps,
        f"regular representation of {group}": lambda dim: regular(group, dim),
    }
    for name, representation in families.items():
        curve, times = {}, {}
        for exponent in exponents:
            measured = _at(representation(2 ** (exponent // 2)), settings)
            curve[float(2**exponent)] = measured["penalty"].median / measured["plain L2"].median
            times |= {f"2^{exponent} {work}": timing for work, timing in measured.items()}
        yield _spread(f"{name}, 2^{exponents[0]} .. 2^{exponents[-1]} weights", curve, times, budget=20.0)
        if exponents[-1] > 20:
            large = {numel: value for numel, value in curve.items() if numel >= LARGE}
            yield _spread(f"{name}, 2^20 .. 2^{exponents[-1]} weights", large, {})


def _at(rep: iw.Representation, settings: Settings) -> dict[str, Timing]:
    binding = bound_weight(rep, rep, settings)
    works = {"plain L2": plain_l2(binding.model.weight), "penalty": penalty_gradient(binding)}
    return interleaved(works, settings)


def _spread(work: str, curve: dict[float, float], times: dict[str, Timing], budget: float | None = None) -> Row:
    middle = statistics.median(curve.values())
    spread = 100 * max(abs(value / middle - 1) for value in curve.values())
    texts = ", ".join(f"2^{int(numel).bit_length() - 1}: {value:.2f}" for numel, value in curve.items())
    return Row(
        "growth",
        f"spread of the ratio to plain L2 about its median, {work}",
        spread,
        unit="%",
        budget=budget,
        low=min(curve.values()),
        high=max(curve.values()),
        timings=times,
        note=f"ratios {texts}",
        curve=curve if times else {},
    )
