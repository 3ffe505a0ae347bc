"""What the runs say: tables, differences to every = 1, sentences."""

from collections.abc import Mapping, Sequence

from experiments.comparison.differences import WITHIN, Difference, told
from experiments.comparison.paired_experiment import PairedFindings
from experiments.comparison.selection import Row, rows_by_strength
from experiments.comparison.tables import Table
from experiments.every.plan import CASES
from experiments.runs.grid import Settings
from experiments.runs.run_cache import Run

QUANTITIES = ("validation_loss", "test_accuracy", "relative_residual")
# By (case, method, strength), the rows by k.
Lines = Mapping[tuple[str, str, float], Mapping[int, Row]]


def findings(runs: Sequence[tuple[Settings, Run]]) -> PairedFindings:
    """Every k beside 1, at each strength."""
    rows, lines = by_every(runs)
    return PairedFindings(
        tables=(_accuracies(lines), _differences(lines), _residuals(lines)),
        panels={_title(key): _panel(by) for key, by in lines.items()},
        conclusions=conclusions(lines),
        rows=rows,
        quantities=QUANTITIES,
    )


def by_every(runs: Sequence[tuple[Settings, Run]]) -> tuple[list[Row], Lines]:
    """All rows, and those of each case, method and strength by k."""
    rows: list[Row] = []
    lines: dict[tuple[str, str, float], dict[int, Row]] = {}
    for every in dict.fromkeys(settings["every"] for settings, _ in runs):
        for row in rows_by_strength([pair for pair in runs if pair[0]["every"] == every], "case"):
            rows.append(row)
            lines.setdefault((row.condition, row.method, row.strengths[0] or 0.0), {})[every] = row
    return rows, lines


def conclusions(lines: Lines) -> list[str]:
    """Which k are within a standard error of 1, and which are not."""
    found = []
    for key, by in lines.items():
        differences = {f"every = {k}": d for k, d in differences_to_one(key[0], by).items()}
        verdicts = [WITHIN if d.is_within else d.verdict() for d in differences.values()]
        found.append(f"{_title(key)}: {told(differences, verdicts)}.")
    return found


def differences_to_one(case: str, by: Mapping[int, Row]) -> dict[int, Difference]:
    """How far each k is ahead of 1."""
    metric = next(c for c in CASES if c.name == case).metrics[0]
    return {every: Difference.between(row, by[1], metric) for every, row in by.items() if every > 1}


def _panel(by: Mapping[int, Row]) -> dict[str, Difference]:
    return {f"every = {k}": found for k, found in differences_to_one(by[1].condition, by).items()}


def _title(key: tuple[str, str, float]) -> str:
    case, method, strength = key
    return f"{case}, {method}, strength {strength:g}"


def _accuracies(lines: Lines) -> Table:
    rows = [(_title(key), *(row.summary("test_accuracy").text(4) for row in by.values())) for key, by in lines.items()]
    return Table("Test accuracy ± standard error", ("task", *_columns(lines, 1)), tuple(rows))


def _differences(lines: Lines) -> Table:
    rows = [(_title(k), *(d.text() for d in differences_to_one(k[0], by).values())) for k, by in lines.items()]
    title = "Ahead of every = 1 by: mean ± standard error of the paired difference (95 % t interval)"
    return Table(title, ("task", *_columns(lines, 4)), tuple(rows))


def _residuals(lines: Lines) -> Table:
    rows = [(_title(k), *(f"{row.summary('relative_residual').mean:.2g}" for row in by.values()))
            for k, by in lines.items()]  # fmt: skip
    return Table("Relative residual of the trained weights", ("task", *_columns(lines, 1)), tuple(rows))


def _columns(lines: Lines, least: int) -> list[str]:
    return [f"every = {k}" for k in next(iter(lines.values())) if k >= least]
