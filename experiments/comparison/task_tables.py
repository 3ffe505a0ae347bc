"""Tables of a task: one of the main metric, conditions across, and one with every column."""

import math
from collections.abc import Mapping, Sequence

from experiments.comparison.metric import Metric
from experiments.comparison.selection import Row
from experiments.comparison.tables import Table

MEGABYTE = 1e6


def metric_table(rows: Sequence[Row], labels: Mapping[str, str], metric: Metric) -> Table:
    """Methods down, conditions across: mean ± standard error, the best of each column stressed."""
    conditions = list(dict.fromkeys(row.condition for row in rows))
    methods = [method for method in labels if any(row.method == method for row in rows)]
    table = {(row.condition, row.method): row for row in rows}
    bold = {(methods.index(best_row(rows, c, metric).method), 1 + j) for j, c in enumerate(conditions)}
    texts = {condition: next(r for r in rows if r.condition == condition).condition_text() for condition in conditions}
    lines = []
    for method in methods:
        cells = [table.get((condition, method)) for condition in conditions]
        lines.append((labels[method], *("" if row is None else _text(row, metric) for row in cells)))
    better = "higher" if metric.higher_is_better else "lower"
    title = f"{metric.label} ± standard error over the seeds ({better} is better)"
    return Table(title, ("method", *(texts[condition] for condition in conditions)), tuple(lines), frozenset(bold))


def every_column(
    rows: Sequence[Row], labels: Mapping[str, str], metrics: Sequence[Metric], condition_label: str
) -> Table:
    """A line for each condition and method: metrics, errors, cost, and what validation chose."""
    lines: list[tuple[str, ...]] = []
    breaks: set[int] = set()
    bold: set[tuple[int, int]] = set()
    for condition in dict.fromkeys(row.condition for row in rows):
        here = [row for row in rows if row.condition == condition]
        best = best_row(rows, condition, metrics[0])
        for row in here:
            if row is best:
                bold.add((len(lines), 2))
            lines.append(
                (
                    labels[row.method],
                    row.condition_text(),
                    *(_text(row, metric) for metric in metrics),
                    size_text(row, "equivariance_error"),
                    _residual_text(row),
                    _number(row, "seconds_per_epoch", 3),
                    _number(row, "peak_memory", 2, MEGABYTE),
                    _number(row, "parameters", 0),
                    row.strength_text() or f"lr {_rates(row)}",
                )
            )
        breaks.add(len(lines) - 1)
    columns = (
        "method",
        condition_label,
        *(metric.label for metric in metrics),
        "equivariance error",
        "relative residual / chance",
        "s per epoch",
        "peak MB of a step",
        "parameters",
        "chosen strength",
    )
    return Table("Every column", columns, tuple(lines), frozenset(bold), frozenset(breaks))


def best_row(rows: Sequence[Row], condition: object, metric: Metric) -> Row:
    """The row of a condition with the best mean."""
    here = [row for row in rows if row.condition == condition]
    means = [row.summary(metric.name).mean for row in here]
    best = metric.best([mean for mean in means if math.isfinite(mean)] or means)
    return next((row for row, mean in zip(here, means, strict=True) if mean == best), here[0])


def size_text(row: Row, name: str) -> str:
    """Three decimals, or the power of ten where they would all be zeros."""
    summary = row.summary(name)
    if math.isnan(summary.mean):
        return ""
    return summary.text() if summary.mean >= 1e-3 else f"{summary.mean:.0e}" if summary.mean else "0"


def _residual_text(row: Row) -> str:
    """Beside chance; a dash for networks whose weights have no types."""
    residual = size_text(row, "relative_residual")
    return f"{residual} / {_number(row, 'chance', 3)}" if residual else "-"


def _text(row: Row, metric: Metric) -> str:
    summary = row.summary(metric.name)
    return "" if math.isnan(summary.mean) else summary.text(metric.decimals)


def _number(row: Row, name: str, decimals: int, unit: float = 1.0) -> str:
    mean = row.summary(name).mean / unit
    return f"{mean:.{decimals}f}" if math.isfinite(mean) else ""


def _rates(row: Row) -> str:
    low, high = min(row.learning_rates), max(row.learning_rates)
    return "" if math.isnan(low) else f"{low:g}" if low == high else f"{low:g} to {high:g}"
