"""A public name that is attacked."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.attack.domains import Domain


@dataclass(frozen=True)
class Target:
    """A public name: how to call it rightly (fresh arguments each time), and the domains of its arguments."""

    name: str
    function: Callable[..., object]
    arguments: Callable[[], dict[str, Any]]
    domains: dict[str, Domain]
