"""The machine that a number was measured on, and the allocator that it needs.

glibc gives large allocations back to the system at once: the next step pays for the pages again, and plain L2 itself
varies by a factor of 30. Three variables keep them; they must be set before the process starts, hence the restart.
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
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "XLA_FLAGS")


def memory_is_kept() -> bool:
    """Whether the three variables are set as they should be; where there is no glibc they mean nothing."""
    return sys.platform != "linux" or all(os.environ.get(key) == value for key, value in KEEP_MEMORY.items())


def restart_keeping_memory() -> None:
    """Replace this process by the same command with the variables set, unless they are."""
    if not memory_is_kept():
        os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], {**os.environ, **KEEP_MEMORY})


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
        "thread_variables": {key: os.environ[key] for key in THREAD_VARIABLES if key in os.environ},
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
