"""Rows of a table: the runs of one method in one condition, the strength of each seed chosen by validation."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from intertwine.experiments.grid import Settings
from intertwine.experiments.run_cache import Run
from intertwine.experiments.summary import Summary, summarise


@dataclass(frozen=True)
class Row:
    """One run per seed.

    Attributes:
        condition: the value of the experiment's dial.
        method: which method.
        seeds: the seeds, ascending.
        strengths: the strength of each seed's run; None for methods without.
        runs: the result of each seed.
    """

    condition: float
    method: str
    seeds: tuple[int, ...]
    strengths: tuple[float | None, ...]
    runs: tuple[Run, ...]

    def values(self, name: str) -> tuple[float, ...]:
        """One quantity, seed by seed."""
        return tuple(float(run[name]) for run in self.runs)

    def summary(self, name: str) -> Summary:
        """Mean and standard error of one quantity over the seeds."""
        return summarise(self.values(name))

    def strength_text(self) -> str:
        """``0.1 to 10, median 1``, or the one strength of all seeds; empty for methods without."""
        strengths = [s for s in self.strengths if s is not None]
        if not strengths:
            return ""
        low, high = min(strengths), max(strengths)
        return f"{low:g}" if low == high else f"{low:g} to {high:g}, median {statistics.median_low(strengths):g}"


def rows_by_strength(runs: Iterable[tuple[Settings, Run]], dial: str) -> list[Row]:
    """A row for each condition, method and strength, in the order in which they first come.

    Args:
        runs: settings with ``method``, ``strength``, ``seed`` and the dial, and results.
        dial: which setting is the condition.
    """
    found: dict[tuple[float, str, float | None], dict[int, Run]] = {}
    for settings, run in runs:
        key = (settings[dial], settings["method"], settings["strength"])
        found.setdefault(key, {})[settings["seed"]] = run
    rows = []
    for (condition, method, strength), by_seed in found.items():
        seeds = sorted(by_seed)
        chosen = tuple(by_seed[seed] for seed in seeds)
        rows.append(Row(condition, method, tuple(seeds), (strength,) * len(seeds), chosen))
    return rows


def select(rows: Sequence[Row], criterion: str = "validation_loss") -> list[Row]:
    """One row for each condition and method: each seed takes the strength with the lowest criterion, ties the first.

    Each seed chooses on its own validation split: a strength agreed on by all seeds would have been chosen with
    digits that other seeds test on.

    Examples:
        >>> runs = [
        ...     ({"f": 0.0, "method": "decay", "strength": s, "seed": 0}, {"validation_loss": l})
        ...     for s, l in [(0.1, 0.5), (1.0, 0.3), (10.0, 0.4)]
        ... ]
        >>> select(rows_by_strength(runs, "f"))[0].strengths
        (1.0,)
    """
    groups: dict[tuple[float, str], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.condition, row.method), []).append(row)
    selected = []
    for (condition, method), candidates in groups.items():
        seeds = candidates[0].seeds
        best = [
            min((row for row in candidates), key=lambda row: float(row.runs[i][criterion])) for i in range(len(seeds))
        ]
        strengths = tuple(row.strengths[i] for i, row in enumerate(best))
        selected.append(Row(condition, method, seeds, strengths, tuple(row.runs[i] for i, row in enumerate(best))))
    return selected
