"""How a malformed call ends."""

import signal
import traceback
import warnings
from dataclasses import dataclass
from typing import Any

import torch

import intertwine as iw
from tests.attack.target import Target

SECONDS = 20
NAMED, SIGNATURE, SILENT, RAW, SLOW = "named error", "missing or unknown argument", "SILENT", "RAW", "SLOW"
FAULTS = (SILENT, RAW, SLOW)


@dataclass(frozen=True)
class Outcome:
    """How one call ended."""

    target: str
    call: str
    kind: str
    said: str


class TooSlow(BaseException):
    pass


def outcome(target: Target, arguments: dict[str, Any], names: list[str], signature: bool) -> Outcome:
    """How the call ends."""
    call = ", ".join(f"{name}={short(arguments[name])}" for name in names) or "an unknown argument"
    try:
        with warnings.catch_warnings(), limited():
            warnings.simplefilter("ignore")
            result = target.function(**arguments)
    except iw.IntertwineError as error:
        text = str(error)
        named = ": expected " in text and "; got " in text
        return Outcome(target.name, call, NAMED if named else RAW, text)
    except TooSlow:
        return Outcome(target.name, call, SLOW, f"more than {SECONDS} s")
    except BaseException as error:  # noqa: BLE001 - every other end is what this looks for
        if signature and isinstance(error, TypeError) and "argument" in str(error):
            return Outcome(target.name, call, SIGNATURE, str(error))
        where = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{where.filename.rpartition('/')[2]}:{where.lineno}"
        return Outcome(target.name, call, RAW, f"{type(error).__name__} at {place}: {str(error)[:120]}")
    return Outcome(target.name, call, SILENT, short(result))


class limited:  # noqa: N801 - reads as a word
    """Ends a call after ``SECONDS`` seconds of wall time."""

    def __enter__(self) -> None:
        def stop(*_: object) -> None:
            raise TooSlow

        self.before = signal.signal(signal.SIGALRM, stop)
        signal.alarm(SECONDS)

    def __exit__(self, *_: object) -> None:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, self.before)


def short(value: object) -> str:
    if isinstance(value, torch.Tensor):
        return f"tensor{list(value.shape) if not value.is_nested else ''} {value.dtype} {value.layout} {value.device}"
    try:
        text = repr(value)
    except Exception as error:  # noqa: BLE001 - an object that cannot be printed is a finding too
        text = f"unprintable {type(value).__name__}: {error}"
    return " ".join(text.split())[:90]
