"""Works timed in turn, a b c a b c ..., so that whatever slows the machine down slows all of them."""

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch

Work = Callable[[], object]
# A sample of a short work is the mean of so many calls as take this long.
SAMPLE_SECONDS = 0.004
MOST_ROUNDS = 41
# Works that take this many seconds are long enough that their first call tells how long.
LONG = 0.1


@dataclass(frozen=True)
class Timing:
    """Seconds per call, by number of the round: long works sit out some of the rounds."""

    samples: Mapping[int, float]

    @property
    def median(self) -> float:
        """Over the rounds."""
        return statistics.median(self.samples.values())

    def minus(self, other: "Timing") -> float:
        """Median of the differences to ``other`` within the rounds that both took part in."""
        return statistics.median(value - other.samples[n] for n, value in self.samples.items() if n in other.samples)

    def over(self, other: "Timing") -> tuple[float, float, float]:
        """Median, lower and upper quartile of the ratios to ``other`` within the rounds that both took part in."""
        ratios = sorted(value / other.samples[n] for n, value in self.samples.items() if n in other.samples)
        low, high = ratios[len(ratios) // 4], ratios[(3 * len(ratios)) // 4 if len(ratios) > 1 else 0]
        return statistics.median(ratios), low, high


def interleaved(works: Mapping[str, Work], seconds: float, least: int, device: str = "cpu") -> dict[str, Timing]:
    """Times all works in turn; each round begins with another one, so that none is always first.

    Args:
        works: what to call, by name; called once before anything is timed.
        seconds: to spend on each work, about.
        least: rounds of each work at least; short ones have up to ``MOST_ROUNDS``. Works with fewer rounds than others
            take part in rounds spread over all of them.
        device: an accelerator is waited for.
    """
    calls, wanted = {}, {}
    for name, work in works.items():
        once = sample(work, 1, device)
        if once < LONG:
            once = min(sample(work, 1, device) for _ in range(2))
        calls[name] = max(1, math.ceil(SAMPLE_SECONDS / max(once, 1e-7)))
        wanted[name] = max(least, min(MOST_ROUNDS, int(seconds / (once * calls[name]))))
    return {name: Timing(samples) for name, samples in taken_in_turn(works, calls, wanted, device).items()}


def taken_in_turn(
    works: Mapping[str, Work], calls: Mapping[str, int], wanted: Mapping[str, int], device: str = "cpu"
) -> dict[str, dict[int, float]]:
    """Seconds per call by number of the round, without the garbage collector.

    Args:
        works: what to call, by name.
        calls: how often for one sample.
        wanted: how many samples, spread evenly over as many rounds as the most of them.
        device: an accelerator is waited for.
    """
    rounds, names = max(wanted.values()), list(works)
    samples: dict[str, dict[int, float]] = {name: {} for name in names}
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for number in range(rounds):
            start = number % len(names)
            for name in names[start:] + names[:start]:
                if _takes_part(number, wanted[name], rounds):
                    samples[name][number] = sample(works[name], calls[name], device)
    finally:
        if collecting:
            gc.enable()
    return samples


def _takes_part(number: int, wanted: int, rounds: int) -> bool:
    """Whether one of ``wanted`` evenly spread rounds is this one."""
    return (number + 1) * wanted // rounds > number * wanted // rounds


def sample(work: Work, calls: int, device: str = "cpu") -> float:
    """Mean seconds of one call; an accelerator is waited for before and after."""
    _wait(device)
    start = time.perf_counter()
    for _ in range(calls):
        work()
    _wait(device)
    return (time.perf_counter() - start) / calls


def _wait(device: str) -> None:
    if device.startswith("cuda"):
        torch.cuda.synchronize()
