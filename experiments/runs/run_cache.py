"""Finished runs of a grid in one file of JSON lines: each is kept the moment it is there."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from intertwine.errors import ArgumentError

Run = dict[str, Any]
CACHE = "runs.jsonl"


class RunCache:
    """Results by settings, in a file with a line per run, written by one process.

    A line is ``{"key", "settings", "result"}``; the key digests the settings and the version of the code, so that runs
    of other code stay in the file unused. A line cut short by a crash is skipped.

    Args:
        path: the file; it and its folder are made at the first ``add``.
        version: what the results depend on besides the settings, see ``code_version.digest``.

    Examples:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "runs.jsonl"
        >>> RunCache(path, "1").add({"seed": 0}, {"accuracy": 0.5})
        >>> RunCache(path, "1")[{"seed": 0}], {"seed": 0} in RunCache(path, "2")
        ({'accuracy': 0.5}, False)
    """

    def __init__(self, path: Path, version: str) -> None:
        self.path, self.version = Path(path), version
        self._results: dict[str, Run] = {}
        self._complete = True
        try:
            text = self.path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return
        self._complete = not text or text.endswith("\n")
        for line in text.splitlines():
            try:
                entry = json.loads(line)
                self._results[entry["key"]] = entry["result"]
            except (ValueError, TypeError, KeyError):
                continue

    def __contains__(self, settings: Mapping[str, Any]) -> bool:
        return self._key(settings) in self._results

    def __getitem__(self, settings: Mapping[str, Any]) -> Run:
        return self._results[self._key(settings)]

    def add(self, settings: Mapping[str, Any], result: Run) -> None:
        """Keeps a result, on disk when this returns."""
        key = self._key(settings)
        line = json.dumps({"key": key, "settings": dict(settings), "result": result}) + "\n"
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(line if self._complete else "\n" + line)
            file.flush()
            os.fsync(file.fileno())
        self._complete = True
        self._results[key] = result

    def clear(self) -> None:
        """Forgets everything, on disk too."""
        self.path.unlink(missing_ok=True)
        self._results.clear()
        self._complete = True

    def _key(self, settings: Mapping[str, Any]) -> str:
        text = json.dumps([self.version, dict(settings)], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:24]


def open_cache(out: Path, version: str, *, fresh: bool) -> RunCache:
    """The runs that an earlier call left in the folder ``out``, which is made; emptied if ``fresh``.

    Raises:
        ArgumentError: ``out`` cannot be written to.
    """
    expected = "a folder that can be written to"
    try:
        out.mkdir(parents=True, exist_ok=True)
        cache = RunCache(out / CACHE, version)
        if fresh:
            cache.clear()
    except OSError as error:
        raise ArgumentError("out", expected=expected, got=f"{out} ({error.strerror or error})") from error
    if not os.access(out, os.W_OK):
        raise ArgumentError("out", expected=expected, got=f"{out}, which is read-only")
    return cache
