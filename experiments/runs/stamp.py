"""``python -m experiments reproduce NAME --stamp``: whether changed code still gives a record's numbers."""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from experiments.runs.code_version import code_version
from experiments.runs.data_folder import DATA_VARIABLE
from experiments.runs.experiment import Experiment, experiment
from experiments.runs.record import processor, write_record
from intertwine.diagnostics import environment
from intertwine.errors import ArgumentError

# A number is the record's if they differ by at most this part of it, or by float32's rounding of numbers near one.
RELATIVE, ABSOLUTE = 1e-3, 1e-6
DIGITS = 6
# Beside the task's own metrics; times and bytes are of a machine.
MEASURED = ("equivariance_error", "relative_residual", "chance", "parameters")


@dataclass(frozen=True)
class Repeated:
    """One number of one run, as the record has it and as the code gives it now."""

    run: str
    name: str
    recorded: float | None
    now: float | None

    @property
    def difference(self) -> float:
        """Relative to the record; 0 within ``ABSOLUTE``, infinite where one of the two is no number."""
        if self.recorded is None or self.now is None:
            return 0.0 if self.recorded == self.now else math.inf
        distance = abs(self.now - self.recorded)
        return 0.0 if distance <= ABSOLUTE else distance / abs(self.recorded) if self.recorded else math.inf

    @property
    def is_equal(self) -> bool:
        """To the last digit that the record has."""
        return self.recorded == self.now

    def __str__(self) -> str:
        return f"{self.run}: {self.name} {self.recorded} in the record, {self.now} now"


def stamp(name: str, *, seeds: int = 1, data: Path | None = None, folder: Path | None = None) -> int:
    """Repeats runs of a committed record; if each number comes back, the record counts as made by the code of today.

    Of each method the chosen run of the first ``seeds`` seeds, in the first condition, is trained again. The record is
    stamped with the digests of the code and with what was compared and how far it was off; if a number is further off
    than ``RELATIVE`` of it, nothing is written and all such numbers are printed.

    Args:
        name: of the experiment.
        seeds: how many runs of each method.
        data: a folder with the data sets that are not shipped.
        folder: the checkout; the working directory if None.

    Returns:
        0 if the record was stamped, 1 if not.

    Raises:
        ArgumentError: no record, one without rows of methods (``runtime``, ``every``), or one that was made with
            data which are not shipped and not given.
    """
    from rich.console import Console

    console = Console(highlight=False)
    if data is not None:
        os.environ[DATA_VARIABLE] = str(data.resolve())
    task = experiment(name)
    path = (Path.cwd() if folder is None else folder) / "results" / name / "record.json"
    if not path.is_file():
        raise ArgumentError("name", expected="an experiment with a record in results/", got=repr(name))
    record = json.loads(path.read_text(encoding="utf-8"))
    metrics = [metric["name"] for metric in record.get("metrics", ()) if isinstance(metric, Mapping)]
    if not metrics:
        raise ArgumentError("name", expected="a record of methods", got=f"{name}, whose record has no rows of methods")
    if "--data" in str(record.get("command", "")).split() and not os.environ.get(DATA_VARIABLE):
        advice = f"Give --data, or set {DATA_VARIABLE}."
        raise ArgumentError("data", expected="the data that the record was made with", got="none", advice=advice)
    task.get_ready("cpu", console)
    repeated: list[Repeated] = []
    for settings, row, place in chosen_runs(task, record["rows"], seeds):
        found = compared(settings, task.run(settings), row, place, (*metrics, *MEASURED))
        console.print(f"{found[0].run}: {sum(one.is_equal for one in found)} of {len(found)} numbers to the last digit")
        repeated += found
    off = [one for one in repeated if one.difference > RELATIVE]
    for one in off:
        console.print(str(one), soft_wrap=True)
    summary = compared_text(repeated)
    if off or not repeated:
        console.print(f"{name}: not stamped. {summary}", soft_wrap=True)
        return 1
    versions = environment()
    record["code"] = code_version(task.run)
    record["stamp"] = {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": f"python -m experiments reproduce {name} --stamp --seeds {seeds}"
        + (" --data FOLDER" if data else ""),
        "environment": {"torch": versions["torch"], "processor": processor()},
        "compared": summary,
        "runs": sorted({one.run for one in repeated}),
    }
    write_record(path, record)
    console.print(f"{name}: stamped. {summary}", soft_wrap=True)
    return 0


def chosen_runs(
    task: Experiment, rows: Sequence[Mapping[str, Any]], seeds: int
) -> Iterator[tuple[dict[str, Any], Mapping[str, Any], int]]:
    """``(settings, row, place of the seed in it)`` of each method's first row whose runs are in the grid."""
    grid, done = task.grid("cpu"), set()
    for row in rows:
        places = range(min(seeds, len(row["seeds"])))
        found = [next((s for s in grid if _is_run(s, row, place)), None) for place in places]
        if row["method"] in done or None in found:
            continue  # what comes with another method's run, as projecting after plain training, has none of its own
        done.add(row["method"])
        yield from ((settings, row, place) for place, settings in enumerate(found) if settings is not None)


def compared(
    settings: Mapping[str, Any], run: Mapping[str, Any], row: Mapping[str, Any], place: int, names: Sequence[str]
) -> list[Repeated]:
    """The numbers that both the record's row and the run have."""
    text = f"{settings['condition']}, {settings['method']}, seed {settings['seed']}"
    return [
        Repeated(text, name, row[name]["values"][place], _rounded(run.get(name)))
        for name in dict.fromkeys(names)
        if name in row and (name in run or row[name]["values"][place] is not None)
    ]


def compared_text(repeated: Sequence[Repeated]) -> str:
    """How many numbers were compared, and how far they are off."""
    equal = sum(one.is_equal for one in repeated)
    worst = max((one.difference for one in repeated), default=0.0)
    text = f"{equal} of {len(repeated)} numbers of {len({one.run for one in repeated})} runs equal to {DIGITS} digits"
    return f"{text}, the others to {worst:.1e} of their value or {ABSOLUTE:g} (allowed: {RELATIVE:g})"


def _is_run(settings: Mapping[str, Any], row: Mapping[str, Any], place: int) -> bool:
    named = settings.get("method") == row["method"] and settings.get("condition") == row["condition"]
    tuned = settings.get("seed") == row["seeds"][place] and settings.get("strength") == row["strengths"][place]
    return named and tuned and settings.get("learning_rate") in (row["learning_rates"][place], None)


def _rounded(value: object) -> float | None:
    """As a record rounds."""
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(f"{value:.{DIGITS}g}")
