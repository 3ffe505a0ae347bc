"""Committed records of tasks, read back: what the page of evidence is made of."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.comparison.metric import Metric
from intertwine.errors import ArgumentError


@dataclass(frozen=True)
class Cell:
    """Mean and standard error of one quantity; NaN where there is none."""

    mean: float
    error: float

    def text(self, decimals: int = 3) -> str:
        """``0.912 ± 0.003``, or a dash."""
        if math.isnan(self.mean):
            return "–"
        error = "" if math.isnan(self.error) else f" ± {self.error:.{decimals}f}"
        return f"{self.mean:.{decimals}f}{error}"

    def signed(self, decimals: int = 3) -> str:
        """``+0.012 ± 0.003``, or a dash."""
        return f"+{self.text(decimals)}" if self.mean > 0 else self.text(decimals)


@dataclass(frozen=True, eq=False)
class TaskRecord:
    """``results/NAME/record.json`` of a task.

    Attributes:
        name: the folder.
        data: the record.
    """

    name: str
    data: Mapping[str, Any]

    @property
    def metric(self) -> Metric:
        """The main one."""
        return Metric(**self.data["metrics"][0])

    @property
    def labels(self) -> Mapping[str, str]:
        """Methods with their names."""
        labels: Mapping[str, str] = self.data["labels"]
        return labels

    @property
    def conditions(self) -> list[float | str]:
        """In the order of the record."""
        return list(dict.fromkeys(row["condition"] for row in self.data["rows"]))

    def rows(self, condition: float | str) -> dict[str, Mapping[str, Any]]:
        """The rows of a condition, by method."""
        return {row["method"]: row for row in self.data["rows"] if row["condition"] == condition}

    def cell(self, condition: float | str, method: str, name: str | None = None) -> Cell:
        """A quantity of a row, the main metric if none is named."""
        return cell(self.rows(condition).get(method, {}), name or self.metric.name)

    def best(self, condition: float | str) -> str:
        """The method with the best mean of the main metric."""
        means = {m: cell(row, self.metric.name).mean for m, row in self.rows(condition).items()}
        means = {m: mean for m, mean in means.items() if math.isfinite(mean)}
        return (max if self.metric.higher_is_better else min)(means, key=lambda m: means[m])

    def leads(self, method: str) -> Iterator[tuple[float | str, Cell]]:
        """By condition, how far a method is ahead of plain, paired by seed."""
        for condition in self.conditions:
            row = self.rows(condition).get(method, {})
            if "lead_over_plain" in row:
                yield condition, cell(row, "lead_over_plain")


def cell(row: Mapping[str, Any], name: str) -> Cell:
    """A quantity of a row of a record."""
    summary = row.get(name) or {}
    mean, error = summary.get("mean"), summary.get("standard_error")
    return Cell(math.nan if mean is None else mean, math.nan if error is None else error)


def condition_text(condition: float | str) -> str:
    """As tables show it."""
    return condition if isinstance(condition, str) else f"{condition:g}"


def read_record(results: Path, name: str) -> dict[str, Any] | None:
    """The record of an experiment, or None if there is none.

    Raises:
        ArgumentError: a file that is no record.
    """
    path = results / name / "record.json"
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ArgumentError(str(path), expected="a record in JSON", got=str(error)) from error
    if not isinstance(data, dict):
        raise ArgumentError(str(path), expected="a record, a JSON object", got=type(data).__name__)
    return data


def read_tasks(results: Path, names: tuple[str, ...]) -> list[TaskRecord]:
    """The records of tasks that are there."""
    found = [(name, read_record(results, name)) for name in names]
    return [TaskRecord(name, data) for name, data in found if data is not None and "metrics" in data]
