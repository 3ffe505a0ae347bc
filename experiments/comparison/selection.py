"""Rows of a table: the runs of one method in one condition, the configuration of each seed chosen by validation."""

import math
import statistics
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.comparison.summary import Summary, summarise
from experiments.runs.grid import Settings
from experiments.runs.run_cache import Run

# A number on a dial, or the name of a case.
Condition = Any


@dataclass(frozen=True)
class Row:
    """One run per seed.

    Attributes:
        condition: the value of the experiment's dial.
        method: which method.
        seeds: the seeds, ascending.
        settings: the settings of each seed's run.
        runs: the result of each seed.
    """

    condition: Condition
    method: str
    seeds: tuple[int, ...]
    settings: tuple[Settings, ...]
    runs: tuple[Run, ...]

    @property
    def strengths(self) -> tuple[float | None, ...]:
        """The strength of each seed's run; None for methods without."""
        return tuple(settings["strength"] for settings in self.settings)

    @property
    def learning_rates(self) -> tuple[float, ...]:
        """The learning rate of each seed's run, where the experiment names it."""
        return tuple(float(settings.get("learning_rate", math.nan)) for settings in self.settings)

    def values(self, name: str) -> tuple[float, ...]:
        """One quantity, seed by seed; NaN where a run does not have it."""
        return tuple(math.nan if run.get(name) is None else float(run[name]) for run in self.runs)

    def summary(self, name: str) -> Summary:
        """Mean and standard error of one quantity over the seeds."""
        return summarise(self.values(name))

    def condition_text(self) -> str:
        """The condition as tables show it."""
        return self.condition if isinstance(self.condition, str) else f"{self.condition:g}"

    def strength_text(self) -> str:
        """``0.1 to 10, median 1``, or the one strength of all seeds; empty for methods without."""
        return _range_text([s for s in self.strengths if s is not None])


def expand_variants(runs: Iterable[tuple[Settings, Run]]) -> Iterator[tuple[Settings, Run]]:
    """Runs, each followed by its ``variants``: other ways to finish the same training, as methods of their own.

    Examples:
        >>> run = {"accuracy": 0.9, "variants": {"projected": {"accuracy": 0.7}}}
        >>> list(expand_variants([({"method": "plain"}, run)]))[1]
        ({'method': 'projected'}, {'accuracy': 0.7})
    """
    for settings, run in runs:
        own = {name: value for name, value in run.items() if name != "variants"}
        yield settings, own
        for method, other in run.get("variants", {}).items():
            yield {**settings, "method": method}, own | other


def rows_by_strength(runs: Iterable[tuple[Settings, Run]], dial: str) -> list[Row]:
    """A row for each condition, method and configuration (strength, learning rate), in the order in which they come.

    Args:
        runs: settings with ``method``, ``strength``, ``seed`` and the dial, and results.
        dial: which setting is the condition.
    """
    found: dict[tuple[Condition, str, object], dict[int, tuple[Settings, Run]]] = {}
    for settings, run in runs:
        configuration = (settings["strength"], settings.get("learning_rate"))
        key = (settings[dial], settings["method"], configuration)
        found.setdefault(key, {})[settings["seed"]] = (settings, run)
    rows = []
    for (condition, method, _), by_seed in found.items():
        seeds = tuple(sorted(by_seed))
        chosen, results = zip(*(by_seed[seed] for seed in seeds), strict=True)
        rows.append(Row(condition, method, seeds, chosen, results))
    return rows


def select(rows: Sequence[Row], criterion: str = "validation_loss") -> list[Row]:
    """One row for each condition and method: each seed takes the configuration with the lowest criterion.

    Each seed chooses on its own validation split: a strength agreed on by all seeds would have been chosen with
    digits that other seeds test on. Ties go to the first; NaN is never chosen over a number.

    Examples:
        >>> runs = [
        ...     ({"f": 0.0, "method": "decay", "strength": s, "seed": 0}, {"validation_loss": l})
        ...     for s, l in [(0.1, 0.5), (1.0, 0.3), (10.0, 0.4)]
        ... ]
        >>> select(rows_by_strength(runs, "f"))[0].strengths
        (1.0,)
    """
    groups: dict[tuple[Condition, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.condition, row.method), []).append(row)
    selected = []
    for (condition, method), candidates in groups.items():
        seeds = candidates[0].seeds
        best = [min(candidates, key=lambda row: _loss(row.runs[i], criterion)) for i in range(len(seeds))]
        settings = tuple(row.settings[i] for i, row in enumerate(best))
        selected.append(Row(condition, method, seeds, settings, tuple(row.runs[i] for i, row in enumerate(best))))
    return selected


def _loss(run: Run, criterion: str) -> float:
    value = run[criterion]
    return math.inf if value is None or math.isnan(value) else float(value)


def _range_text(values: Sequence[float]) -> str:
    if not values:
        return ""
    low, high = min(values), max(values)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}, median {statistics.median_low(values):g}"
