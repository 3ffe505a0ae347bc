"""Interleaved timing: a b c a b c ..., so that whatever slows the machine down slows all of them."""

import math
import statistics
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.settings import Settings
from experiments.runtime.timing import Work, sample, taken_in_turn


@dataclass(frozen=True)
class Timing:
    """Seconds per call of one work, a number a round.

    Attributes:
        samples: one entry a round.
        calls: calls per sample, over which the entry is the mean.
    """

    samples: tuple[float, ...]
    calls: int

    @property
    def median(self) -> float:
        """The number that ratios are made of."""
        return statistics.median(self.samples)

    def as_dict(self) -> dict[str, object]:
        """For the record."""
        return {
            "median": self.median,
            "min": min(self.samples),
            "max": max(self.samples),
            "rounds": len(self.samples),
            "calls": self.calls,
        }


@dataclass(frozen=True)
class Ratio:
    """The ratio of the medians of two works, and the range of the ratios within single rounds."""

    value: float
    low: float
    high: float


def ratio(numerator: Timing, denominator: Timing) -> Ratio:
    """``numerator / denominator`` of works that were measured in the same rounds."""
    rounds = [a / b for a, b in zip(numerator.samples, denominator.samples, strict=True)]
    return Ratio(numerator.median / denominator.median, min(rounds), max(rounds))


def interleaved(works: Mapping[str, Work], settings: Settings, *, times: float = 1.0) -> dict[str, Timing]:
    """Times of all works, measured in turn; each round begins with another one, so that none is always first.

    Args:
        works: what to call, by name.
        settings: rounds and device.
        times: multiple of ``settings.seconds`` to spend, for works that take long or must be compared closely.
    """
    for work in works.values():
        work()
    calls = {name: _calls(work, settings) for name, work in works.items()}
    once = sum(sample(work, calls[name], settings.device) * calls[name] for name, work in works.items())
    rounds = max(settings.least, min(settings.most, math.floor(times * settings.seconds / once)))
    samples = taken_in_turn(works, calls, dict.fromkeys(works, rounds), settings.device)
    return {name: Timing(tuple(samples[name].values()), calls[name]) for name in works}


def _calls(work: Work, settings: Settings) -> int:
    """Calls until a sample is as long as the settings want it."""
    taken = min(sample(work, 1, settings.device) for _ in range(2))
    return max(1, min(10_000, math.ceil(settings.sample_seconds / taken)))
