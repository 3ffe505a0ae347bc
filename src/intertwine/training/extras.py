"""Trainers are imported where they are used; without them the error names the extra that brings them."""

import importlib
from typing import Any

from intertwine.errors import missing_extra


def imported(module: str, extra: str) -> Any:
    """A module of an optional package.

    Raises:
        MissingExtraError: it is not there.
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise missing_extra(module.partition(".")[0], extra) from error
