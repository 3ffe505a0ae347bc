"""The protocol of experiments that ``intertwine reproduce`` runs, and their list."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

from intertwine.errors import UnknownNameError, listing
from intertwine.experiments.grid import RunFunction, Settings
from intertwine.experiments.run_cache import Run, code_version

# In the order of the paper's sections, the cost of all methods last.
NAMES = ("rings", "smoke", "ct", "medical3d", "rotmnist", "runtime")
# Full is the paper's widths and epochs, for an accelerator.
SIZES = ("smoke", "cpu", "full")


class Experiment(Protocol):
    """What ``intertwine reproduce`` runs; ``Task`` is the usual one.

    Attributes:
        name: as typed after ``intertwine reproduce``.
        title: heading of its page.
        summary: one line for ``--list``.
        run: one run, a function of a module: settings to result.
        sources: modules whose code the results depend on.
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
    def sources(self) -> tuple[ModuleType, ...]: ...
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
    task: Experiment = import_module(f"intertwine.experiments.{name}").TASK
    return task


def missing_packages(task: Experiment) -> list[str]:
    """The optional packages that are not installed."""
    return [package for package in task.packages if find_spec(package) is None]


def experiment_version(task: Experiment) -> str:
    """A digest of the code that the results of an experiment depend on: its own and the baselines'."""
    baselines = import_module("intertwine.baselines")
    modules = {method.__module__: method for method in baselines.BASELINES.values()}
    return code_version(*task.sources, *(modules[name] for name in sorted(modules)))
