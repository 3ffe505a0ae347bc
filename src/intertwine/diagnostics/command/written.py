"""Files that commands write: pages, and numbers as JSON."""

import json
import math
from pathlib import Path
from typing import Any, Protocol

from intertwine.errors import ArgumentError


class Result(Protocol):
    """What was found: as a page and as plain values."""

    def to_html(self, path: Path) -> str:
        """Write a page."""

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""


def check_writable(path: Path, option: str) -> None:
    """Whether a file can be made there, before what takes a while.

    Raises:
        ArgumentError: its folder is none, or it is a folder itself.
    """
    if path.is_dir() or not path.parent.is_dir():
        got = f"{str(path)!r}, {'a folder' if path.is_dir() else 'whose folder there is not'}"
        raise ArgumentError(option, expected="a file that can be written", got=got)


def write_numbers(result: Result, path: Path) -> None:
    """The values as JSON; what is not finite as ``"inf"``, ``"-inf"`` or ``"nan"``, as JSON has no numbers for them.

    Raises:
        ArgumentError: ``path`` is no file that can be written.
    """
    text = json.dumps(_finite(result.to_dict()), indent=2, allow_nan=False) + "\n"
    try:
        path.write_text(text, encoding="utf-8")
    except (OSError, ValueError) as error:
        got = getattr(error, "strerror", None) or type(error).__name__
        raise ArgumentError(str(path), expected="a file that can be written", got=got) from error


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(entry) for key, entry in value.items()}
    return [_finite(entry) for entry in value] if isinstance(value, list | tuple) else value
