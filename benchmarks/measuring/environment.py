"""The machine that a number was measured on, and the process that it needs.

glibc gives large allocations back to the system at once: the next step pays for the pages again, and plain L2 itself
varies by a factor of 30. Three variables keep them. And all works run on one thread: with two beside two busy processes
a step of 2.5 ms takes 160 ms and burns 40 ms of CPU time, as each thread spins until the other one gets its core back.
All of this must be set before the process starts, hence the restart.
"""

import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

KEEP_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": "4294967295",
    "MALLOC_TRIM_THRESHOLD_": "68719476736",
    "MALLOC_TOP_PAD_": "268435456",
}
ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
}


def wanted() -> dict[str, str]:
    """The variables of a process that measures; where there is no glibc its own mean nothing."""
    return ONE_THREAD | (KEEP_MEMORY if sys.platform == "linux" else {})


def restart_for_measuring() -> None:
    """Replace this process by the same command with the variables set, unless they are."""
    if any(os.environ.get(key) != value for key, value in wanted().items()):
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **wanted()})


def machine(device: str) -> dict[str, object]:
    """Processor, memory settings and versions, as the record states them."""
    import numpy as np
    import scipy
    import torch

    import intertwine

    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "threads": torch.get_num_threads(),
        "thread_variables": {key: os.environ.get(key) for key in ONE_THREAD},
        "device": torch.cuda.get_device_name() if device == "cuda" else device,
        "malloc": {key: os.environ.get(key) for key in KEEP_MEMORY},
        "platform": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "intertwine": getattr(intertwine, "__version__", "unknown"),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    facts = dict(line.split(":", 1) for line in lines if ":" in line)
    named = {key.strip(): value.strip() for key, value in facts.items()}
    # Virtual machines often hide the name; family and model identify the chip all the same.
    family, model = named.get("cpu family", "?"), named.get("model", "?")
    return f"{named.get('model name', platform.machine())} (family {family}, model {model})"
