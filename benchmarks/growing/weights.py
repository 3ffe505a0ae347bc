"""Growth with the number of weights: the ratio to plain L2 should be flat."""

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import intertwine as iw
from benchmarks.measuring.estimate import Question, answered, ratio
from benchmarks.measuring.timing import Samples, Work
from benchmarks.row import Row, estimate_row
from benchmarks.settings import Settings
from benchmarks.weights import bound_weight, penalty_gradient, plain_l2, regular, so3_irreps

# From here on the work, and not the call, is what takes the time.
LARGE = 20
Family = Callable[[int], iw.Representation]


def rows(settings: Settings) -> Iterator[Row]:
    """For irreps and for a regular representation: the spread over all sizes, and over the large ones."""
    exponents = range(12, 17, 2) if settings.quick else range(14, 27, 2)
    large = [exponent for exponent in exponents if exponent >= LARGE]
    group = iw.Dihedral(4)
    families: dict[str, Family] = {
        "SO(3) irreps l = 0..3": so3_irreps,
        f"regular representation of {group}": lambda dim: regular(group, dim),
    }
    for name, family in families.items():
        questions = {str(exponent): Question(_at(exponent)) for exponent in exponents}
        questions["all"] = Question(partial(_spread, exponents), budget=20.0)
        if large:
            questions["large"] = Question(partial(_spread, large))
        found = answered(partial(_works, family, exponents, settings), questions, settings)
        ratios = {exponent: found.estimates[str(exponent)].value for exponent in exponents}
        for which, part in {"all": exponents, "large": large}.items():
            if part:
                yield estimate_row(
                    "growth",
                    f"spread of the ratio to plain L2 about its median, {name}, 2^{part[0]} .. 2^{part[-1]} weights",
                    found,
                    questions,
                    which,
                    works=tuple(found.timings) if which == "all" else (),
                    unit="%",
                    note="ratios " + ", ".join(f"2^{exponent}: {ratios[exponent]:.2f}" for exponent in part),
                    curve={2.0**exponent: ratios[exponent] for exponent in part} if which == "all" else {},
                )


def _works(family: Family, exponents: Sequence[int], settings: Settings) -> Mapping[str, Work]:
    works: dict[str, Work] = {}
    for exponent in exponents:
        rep = family(2 ** (exponent // 2))
        binding = bound_weight(rep, rep, settings)
        works[f"2^{exponent} plain L2"] = plain_l2(binding.model.weight)
        works[f"2^{exponent} penalty"] = penalty_gradient(binding)
    return works


def _at(exponent: int) -> Callable[[Samples], float]:
    return ratio(f"2^{exponent} penalty", f"2^{exponent} plain L2")


def _spread(exponents: Sequence[int], samples: Samples) -> float:
    ratios = [_at(exponent)(samples) for exponent in exponents]
    middle = statistics.median(ratios)
    return 100 * max(abs(value / middle - 1) for value in ratios)
