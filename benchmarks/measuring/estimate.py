"""From times to a verdict: passes until every budget is decided, and an interval that says how sure it is.

A pass builds its works anew, in other memory, and yields one number: the median of what its rounds say. Where the data
lie shifts a ratio by some percent for as long as they lie there, so that rounds of one pass agree too well. The
interval runs between two order statistics of the passes: it holds the median with 95 % whatever the distribution is,
and a pass that was disturbed moves it no further than any other pass.
"""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from benchmarks.measuring.timing import Plan, Samples, Timing, Work, in_turn, planned
from benchmarks.settings import Settings

CONFIDENCE = 0.95
# Between two passes this many floats (37 pages of 4 KiB) more are taken, so that what follows lies elsewhere.
SHIFT = 37 * 1024
# Passes between two looks at the interval: each look is a chance to decide by accident.
LOOK = 3


@dataclass(frozen=True)
class Estimate:
    """The median over passes, and the interval that holds the true one."""

    value: float
    low: float
    high: float
    passes: int


def estimate(values: Sequence[float]) -> Estimate:
    """Median and interval of independent numbers; of fewer than six the interval is their whole range.

    With n numbers, the k-th smallest and the k-th largest lie around the median unless fewer than k of them are on one
    side of it: probability ``2 sum_{i<k} C(n, i) / 2^n``.

    Example:
        >>> estimate([1.0, 2.0, 3.0, 4.0, 5.0, 60.0])
        Estimate(value=3.5, low=1.0, high=60.0, passes=6)
        >>> estimate([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 90.0])
        Estimate(value=5.0, low=2.0, high=8.0, passes=9)
    """
    ordered, n = sorted(values), len(values)
    k, missed = 1, 2.0 ** (1 - n)
    while 2 * (k + 1) <= n and missed + math.comb(n, k) * 2.0 ** (1 - n) <= 1 - CONFIDENCE:
        missed += math.comb(n, k) * 2.0 ** (1 - n)
        k += 1
    return Estimate(statistics.median(ordered), ordered[k - 1], ordered[n - k], n)


def verdict(low: float, high: float, budget: float, *, at_least: bool = False) -> str:
    """``"met"`` or ``"missed"`` where the whole interval says so, else ``"undecided"``."""
    kept = [end >= budget if at_least else end <= budget for end in (low, high)]
    return "undecided" if kept[0] != kept[1] else "met" if kept[0] else "missed"


@dataclass(frozen=True)
class Question:
    """What is asked of the times of one pass.

    Attributes:
        statistic: from the times, round by round, to the number of the pass.
        budget: what it is held against; None where nothing is judged.
        at_least: whether the budget is the smallest value allowed.
    """

    statistic: Callable[[Samples], float]
    budget: float | None = None
    at_least: bool = False

    def is_decided(self, values: Sequence[float]) -> bool:
        """Whether more passes would be of no use."""
        if self.budget is None:
            return True
        found = estimate(values)
        return verdict(found.low, found.high, self.budget, at_least=self.at_least) != "undecided"


@dataclass(frozen=True)
class Answers:
    """An estimate a question, by its name, and the times of all passes behind them."""

    estimates: Mapping[str, Estimate]
    timings: Mapping[str, Timing]


def answered(
    build: Callable[[], Mapping[str, Work]],
    questions: Mapping[str, Question],
    settings: Settings,
    *,
    times: float = 1.0,
) -> Answers:
    """Measures passes, ``settings.passes`` of them and more while a budget is undecided, to ``settings.most_passes``.

    Args:
        build: makes the works, by name, with all that they work on.
        questions: by name.
        settings: lengths and numbers of passes, device.
        times: multiple of ``settings.seconds`` for one pass, for works that must be compared closely.
    """
    plan: Plan | None = None
    passes: list[Samples] = []
    values: dict[str, list[float]] = {name: [] for name in questions}
    gaps = []
    while len(passes) < settings.most_passes:
        gaps.append(torch.empty(SHIFT, device=settings.device))
        works = build()
        if plan is None:
            plan = planned(works, settings, times)
        passes.append(in_turn(works, plan, settings.device))
        del works
        for name, question in questions.items():
            values[name].append(float(question.statistic(passes[-1])))
        look = len(passes) >= settings.passes and (len(passes) - settings.passes) % LOOK == 0
        if look and all(question.is_decided(values[name]) for name, question in questions.items()):
            break
    timings = {name: Timing.of([taken[name] for taken in passes]) for name in passes[0]}
    return Answers({name: estimate(found) for name, found in values.items()}, timings)


def ratio(numerator: str, denominator: str) -> Callable[[Samples], float]:
    """Median of ``numerator / denominator`` within rounds."""
    return lambda samples: float(np.median(samples[numerator] / samples[denominator]))
