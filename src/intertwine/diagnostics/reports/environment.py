"""On what a number was measured."""

import importlib.metadata
import os
import platform

import torch


def environment() -> dict[str, str]:
    """Versions, processor and threads, as text, for reports and records.

    Examples:
        >>> sorted(environment())
        ['accelerator', 'cores', 'intertwine', 'numpy', 'platform', 'python', 'threads', 'torch']
    """
    return {
        "intertwine": _version("intertwine"),
        "torch": torch.__version__,
        "numpy": _version("numpy"),
        "python": platform.python_version(),
        "platform": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "threads": str(torch.get_num_threads()),
        "accelerator": torch.cuda.get_device_name() if torch.cuda.is_available() else "none",
    }


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"
