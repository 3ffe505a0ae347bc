"""A model of the table: families were chosen before it was known whether they work."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import nn


@dataclass(frozen=True)
class Case:
    """A model, its ends and an example."""

    name: str
    source: str
    make: Callable[[], nn.Module]
    rep_in: Any
    rep_out: Any
    example: Any
    size: str
