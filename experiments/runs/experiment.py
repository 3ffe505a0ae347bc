"""The protocol of experiments that ``python -m experiments reproduce`` runs, and their list."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from experiments.runs.grid import RunFunction, Settings
from experiments.runs.run_cache import Run
from intertwine.errors import UnknownNameError, listing

# In the order of the paper's sections; split moments and rarer steps, fits to trained networks, the cost of all methods
# last.
MODULES = {name: f"experiments.{name}.task" for name in ("rings", "smoke", "ct", "medical3d", "rotmnist")}
MODULES |= {name: f"experiments.{name}.task" for name in ("split", "every")}
MODULES["pretrained"] = "experiments.pretrained.task"
MODULES["runtime"] = "experiments.runtime.experiment"
NAMES = tuple(MODULES)
# Full is the paper's widths and epochs, for an accelerator.
SIZES = ("smoke", "cpu", "full")


class Experiment(Protocol):
    """What ``python -m experiments reproduce`` runs; ``Task`` is the usual one.

    Attributes:
        name: as typed after ``python -m experiments reproduce``.
        title: heading of its page.
        summary: one line for ``--list``.
        run: one run, a function of a module: settings to result.
        packages: optional packages that it needs, as they are imported.
        extra: the extra that brings them.
        workers: processes if the user does not say; None: one per core; 1 for timings, which run alone.
        num_seeds: by size, how many seeds it takes by itself.
    """

    @property
    def name(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def summary(self) -> str: ...
    @property
    def run(self) -> RunFunction: ...
    @property
    def packages(self) -> tuple[str, ...]: ...
    @property
    def extra(self) -> str: ...
    @property
    def workers(self) -> int | None: ...
    @property
    def num_seeds(self) -> Mapping[str, int]: ...

    def grid(self, size: str, seeds: int | None = None, device: str = "cpu") -> list[dict[str, Any]]:
        """The settings of every run."""

    def get_ready(self, size: str, console: Any) -> None:
        """Whatever must be there before the first run, such as generated data."""

    def write(self, runs: Sequence[tuple[Settings, Run]], head: Mapping[str, Any], out: Path) -> list[Path]:
        """Record, pages and pictures; their paths."""

    def show(self, console: Any, runs: Sequence[tuple[Settings, Run]]) -> None:
        """The table and the conclusions on a rich console."""


def experiment(name: str) -> Experiment:
    """The experiment of that name.

    Raises:
        UnknownNameError: there is none.
    """
    if name not in NAMES:
        raise UnknownNameError("name", expected=f"one of {listing(NAMES)}", got=repr(name))
    task: Experiment = import_module(MODULES[name]).TASK
    return task


def missing_packages(task: Experiment) -> list[str]:
    """The optional packages that are not installed."""
    return [package for package in task.packages if find_spec(package) is None]
