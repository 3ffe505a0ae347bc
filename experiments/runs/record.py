"""The record of an experiment: what was run, when, on what, and what came out."""

import json
import math
import os
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, packages_distributions, version
from pathlib import Path
from typing import Any

from intertwine.diagnostics import environment

# Raised when the meaning of a key changes.
SCHEMA = 1


def provenance(command: str, packages: Sequence[str] = ()) -> dict[str, Any]:
    """Schema, command, date (UTC), versions and machine; ``packages`` are named with their versions too."""
    versions = environment()
    # Runs have one thread each, whatever this process has.
    del versions["threads"]
    return {
        "schema": SCHEMA,
        "command": command,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "environment": versions | {name: _version(name) for name in packages} | {"processor": processor()},
    }


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """JSON, whole or not at all; NaN and infinity become null."""
    write_text(path, json.dumps(_plain(record), indent=1, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """UTF-8, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def processor() -> str:
    """The processor's name, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def _version(package: str) -> str:
    """Of a distribution, or of the one that brings the module of that name (skimage: scikit-image)."""
    try:
        return version(package)
    except PackageNotFoundError:
        names = packages_distributions().get(package, [])
        return version(names[0]) if names else "not installed"


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(entry) for entry in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
