"""A scope for code of the user's: it may print, raise and exit, and none of that may reach what the command says."""

import importlib
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

import torch

import intertwine
from intertwine.errors import ArgumentError, IntertwineError

LONGEST = 240


@contextmanager
def users_code(argument: str, expected: str) -> Iterator[None]:
    """Runs what is inside with standard output sent to standard error, and what it raises as one of our errors.

    Args:
        argument: what is run, for the error.
        expected: what it should do.

    Raises:
        ArgumentError: it raised, or called ``sys.exit``; our own errors and Ctrl-C pass.

    Examples:
        >>> with users_code("the model", "to run"):
        ...     1 / 0
        Traceback (most recent call last):
        ...
        intertwine.errors.ArgumentError: the model: expected to run; got ZeroDivisionError: division by zero...
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except IntertwineError:
        raise
    except (Exception, SystemExit) as error:
        raise ArgumentError(argument, expected=expected, got=raised(error), advice=_advice(error)) from error


def raised(error: BaseException) -> str:
    """An error of the user's on one line, with the place that it comes from."""
    said = " ".join(str(error).split())
    said = f"{said[:LONGEST]}..." if len(said) > LONGEST else said
    # The innermost line that is neither torch's nor ours; else the innermost.
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if not frame.filename.startswith("<")]
    own = [frame for frame in frames if not any(_inside(frame, package) for package in (torch, intertwine, importlib))]
    where = "".join(f" ({Path(place.filename).name}:{place.lineno})" for place in (own or frames)[-1:])
    return f"{type(error).__name__}{f': {said}' if said else ''}{where}"


def _advice(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = bool(frames) and _inside(frames[-1], intertwine)
    return f"{'This looks like a fault of intertwine: ' if ours else ''}--traceback shows all of it."


def _inside(frame: traceback.FrameSummary, package: object) -> bool:
    return Path(frame.filename).is_relative_to(Path(str(getattr(package, "__file__", "."))).parent)
