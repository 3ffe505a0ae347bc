"""How long ``import intertwine`` takes once torch is there."""

import statistics
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.row import Row
from benchmarks.settings import Settings

PROGRAM = """
import time
import torch
start = time.perf_counter()
import intertwine
print(time.perf_counter() - start)
"""


def rows(settings: Settings) -> Iterator[Row]:
    """One row, from fresh processes; the first one, which may write byte code, is not counted."""
    samples = [_once() for _ in range(1 if settings.quick else 6)]
    counted = samples[1:] or samples
    yield Row(
        "import",
        "import intertwine beyond import torch",
        statistics.median(counted),
        unit="s",
        budget=0.5,
        low=min(counted),
        high=max(counted),
        note=f"median of {len(counted)} fresh processes",
    )


def _once() -> float:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    return float(result.stdout)
