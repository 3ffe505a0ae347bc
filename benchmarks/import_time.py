"""How long ``import intertwine`` takes once torch is there."""

import subprocess
import sys
from collections.abc import Iterator

from benchmarks.measuring.estimate import estimate
from benchmarks.row import Row
from benchmarks.settings import Settings

PROGRAM = """
import time
import torch
start = time.process_time()
import intertwine
print(time.process_time() - start)
"""


def rows(settings: Settings) -> Iterator[Row]:
    """One row, CPU seconds of fresh processes; the first one, which may write byte code, is not counted."""
    samples = [_once() for _ in range(1 + (0 if settings.quick else settings.passes))]
    measured = estimate(samples[1:] or samples)
    yield Row(
        "import",
        "import intertwine beyond import torch",
        measured.value,
        unit="s",
        budget=0.5,
        low=measured.low,
        high=measured.high,
        passes=measured.passes,
        note=f"median of {measured.passes} fresh processes, CPU time",
    )


def _once() -> float:
    result = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    return float(result.stdout)
