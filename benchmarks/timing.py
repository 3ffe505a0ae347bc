"""Interleaved timing: a b c a b c ..., so that whatever slows the machine down slows all of them."""

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

from benchmarks.settings import Settings

Work = Callable[[], object]


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
    once = sum(_sample(work, calls[name], settings.device) * calls[name] for name, work in works.items())
    rounds = max(settings.least, min(settings.most, math.floor(times * settings.seconds / once)))
    names = list(works)
    samples: dict[str, list[float]] = {name: [] for name in names}
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            start = number % len(names)
            for name in names[start:] + names[:start]:
                samples[name].append(_sample(works[name], calls[name], settings.device))
    finally:
        if collecting:
            gc.enable()
    return {name: Timing(tuple(samples[name]), calls[name]) for name in names}


def _calls(work: Work, settings: Settings) -> int:
    """Calls until a sample is as long as the settings want it."""
    taken = min(_sample(work, 1, settings.device) for _ in range(2))
    return max(1, min(10_000, math.ceil(settings.sample_seconds / taken)))


def _sample(work: Work, calls: int, device: str) -> float:
    """Mean seconds of one call; an accelerator is waited for before and after."""
    _wait(device)
    start = time.perf_counter()
    for _ in range(calls):
        work()
    _wait(device)
    return (time.perf_counter() - start) / calls


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()
