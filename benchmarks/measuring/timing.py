"""Seconds that works take in turn, on a clock that stands still while other processes have the core.

The clock is the process's own CPU time, on one thread: on a busy machine a thread that waits for its core makes all
others of a parallel region wait (and spin) with it, for whole time slices. On an accelerator, its own events.

What this clock does not hide: processes share caches and memory, and each switch leaves cold caches behind. A ratio
beside a load is that of a machine under load, which is another one than that of an idle machine.
"""

import gc
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.settings import Settings

Work = Callable[[], object]
# Seconds a call by name of the work, an entry a round.
Samples = Mapping[str, NDArray[np.float64]]
SHORTEST = 1e-7


@dataclass(frozen=True)
class Timing:
    """Seconds per call of one work, one entry a round."""

    samples: tuple[float, ...]

    @classmethod
    def of(cls, passes: Sequence[NDArray[np.float64]]) -> "Timing":
        """Of all passes, one after the other."""
        return cls(tuple(np.concatenate(list(passes)).tolist()))

    @property
    def median(self) -> float:
        """For texts; ratios are taken within rounds."""
        return statistics.median(self.samples)

    def as_dict(self) -> dict[str, object]:
        """For the record."""
        return {
            "median": self.median,
            "min": min(self.samples),
            "max": max(self.samples),
            "rounds": len(self.samples),
        }


@dataclass(frozen=True)
class Plan:
    """How often each work is called for one sample, and how many rounds a pass has."""

    calls: Mapping[str, int]
    rounds: int


def planned(works: Mapping[str, Work], settings: Settings, times: float = 1.0) -> Plan:
    """Samples as long as the settings want them, and rounds for ``times`` their seconds."""
    calls = {}
    for name, work in works.items():
        work()
        taken = min(sample(work, 1, settings.device) for _ in range(2))
        calls[name] = max(1, min(10_000, math.ceil(settings.sample_seconds / max(taken, SHORTEST))))
    once = sum(sample(work, calls[name], settings.device) * calls[name] for name, work in works.items())
    rounds = math.floor(times * settings.seconds / max(once, SHORTEST))
    return Plan(calls, max(settings.least, min(settings.most, rounds)))


def in_turn(works: Mapping[str, Work], plan: Plan, device: str = "cpu") -> dict[str, NDArray[np.float64]]:
    """Seconds per call of all works in every round, without the garbage collector; each is called once before.

    Each round begins with another work and every second one runs backwards (a b c, c b a, b c a, ...): none is always
    first, and none always behind the same other one, whose data it finds in the caches.
    """
    names = list(works)
    samples: dict[str, list[float]] = {name: [] for name in names}
    for work in works.values():
        work()
    collecting = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        for number in range(plan.rounds):
            start = (number // 2) % len(names)
            order = names[start:] + names[:start]
            for name in reversed(order) if number % 2 else order:
                samples[name].append(sample(works[name], plan.calls[name], device))
    finally:
        if collecting:
            gc.enable()
    return {name: np.array(taken) for name, taken in samples.items()}


def sample(work: Work, calls: int, device: str = "cpu") -> float:
    """Mean seconds of one call: CPU time of this process, or between two events of an accelerator."""
    if device.startswith("cuda"):
        return _on_accelerator(work, calls)
    start = time.process_time()
    for _ in range(calls):
        work()
    return (time.process_time() - start) / calls


def _on_accelerator(work: Work, calls: int) -> float:
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize()
    start.record()
    for _ in range(calls):
        work()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / 1000 / calls
