"""Runs in a process of their own, whose allocator keeps its memory and which has built no projector before.

glibc gives large allocations back to the system at once: the next step pays for the pages again, and plain L2 itself
varies by a factor of 30. Three variables keep them; they must be set before the process starts.
"""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from experiments.runtime.measure import measure_steps
from experiments.runtime.variance import measure_variance

KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "4294967295",
    "MALLOC_TRIM_THRESHOLD_": "68719476736",
    "MALLOC_TOP_PAD_": "268435456",
}
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
MEASURES = {"steps": measure_steps, "variance": measure_variance}


def run_runtime(settings: Mapping[str, Any]) -> dict[str, Any]:
    """One run of the grid, in a fresh process if ``settings["isolated"]``; as ``MEASURES[settings["measure"]]``.

    Raises:
        RuntimeError: the process failed; with its last words.
    """
    if not settings["isolated"]:
        return measured(settings)
    threads = dict.fromkeys(THREAD_VARIABLES, str(settings["threads"]))
    done = subprocess.run(
        [sys.executable, "-m", "experiments.runtime.process"],
        input=json.dumps(dict(settings)),
        capture_output=True,
        text=True,
        env={**os.environ, **KEEP_MEMORY, **threads},
        cwd=Path(__file__).parents[2],
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"The measuring process ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def measured(settings: Mapping[str, Any]) -> dict[str, Any]:
    """The run in this process, with as many threads as the settings say."""
    threads = torch.get_num_threads()
    torch.set_num_threads(settings["threads"])
    try:
        return MEASURES[settings["measure"]](settings)
    finally:
        torch.set_num_threads(threads)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(measured(json.loads(sys.stdin.read()))))
