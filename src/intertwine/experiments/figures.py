"""The two pictures of an experiment with a dial: accuracy along the dial, accuracy against equivariance error."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from intertwine.errors import missing_extra
from intertwine.experiments.selection import Row

# Okabe and Ito's colours, which most colour-blind readers tell apart.
STYLES = {
    "plain": ("#1d2430", "o"),
    "equivariant_start": ("#8a8f98", "v"),
    "weight_decay": ("#b58900", "s"),
    "augmentation": ("#56b4e9", "D"),
    "exact": ("#0072b2", "^"),
    "train_then_project": ("#cc79a7", "P"),
    "penalty": ("#009e73", "X"),
    "decay": ("#d55e00", "*"),
}
OTHER = ("#555555", ".")
# Rows this far below the best one are named below the axis instead of squeezing the others.
SHOWN_RANGE = 0.2
# float32 rounding: where an error of zero is drawn.
SMALLEST_ERROR = 1e-7


def plot_dial(rows: Sequence[Row], labels: Mapping[str, str], dial_label: str, path: Path) -> None:
    """Test accuracy with standard errors, a line per method, against the dial (on a square-root scale).

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = _figure(8.2, 4.8)
    axes = figure.add_subplot()
    methods = list(dict.fromkeys(row.method for row in rows))
    floor = max(row.summary("test_accuracy").mean for row in rows) - SHOWN_RANGE
    below = []
    for i, method in enumerate(methods):
        mine = sorted((row for row in rows if row.method == method), key=lambda row: row.condition)
        summaries = [row.summary("test_accuracy") for row in mine]
        means = [summary.mean for summary in summaries]
        if max(means) < floor:
            below.append(f"{labels[method]}: {min(means):.2f} to {max(means):.2f}")
            continue
        colour, marker = STYLES.get(method, OTHER)
        # Moved apart a little, so that error bars do not cover each other.
        x = [(math.sqrt(row.condition) + 0.006 * (i - len(methods) / 2)) for row in mine]
        axes.errorbar(
            x,
            means,
            yerr=[_drawn(summary.standard_error) for summary in summaries],
            color=colour,
            marker=marker,
            markersize=7,
            linewidth=2.2 if method == "decay" else 1.3,
            capsize=2.5,
            label=labels[method],
        )
    conditions = sorted({row.condition for row in rows})
    axes.set_xticks([math.sqrt(c) for c in conditions], [f"{c:g}" for c in conditions])
    axes.set_ylim(bottom=max(axes.get_ylim()[0], floor))
    outside = f"\n(below the axis: {'; '.join(below)})" if below else ""
    axes.set(xlabel=dial_label + outside, ylabel="test accuracy")
    _finish(axes)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    _save(figure, path)


def plot_error_accuracy(
    rows: Sequence[Row], curves: Sequence[Row], labels: Mapping[str, str], dial: str, path: Path
) -> None:
    """Test accuracy against the network's equivariance error, a panel per condition.

    Args:
        rows: the table's rows: a marker each.
        curves: rows at fixed strength: a line through the strengths of each method that has several.
        labels: names of the methods.
        dial: name of the dial.
        path: the PNG file.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    conditions = list(dict.fromkeys(row.condition for row in rows))
    columns = min(len(conditions), 2 if len(conditions) <= 4 else 3)
    height = math.ceil(len(conditions) / columns)
    figure = _figure(3.6 * columns + 1.9, 2.9 * height + 0.3)
    grid = figure.subplots(height, columns, sharex=True, sharey=True, squeeze=False)
    floor = max(row.summary("test_accuracy").mean for row in rows) - SHOWN_RANGE
    lowest = min(mean for row in rows if (mean := row.summary("test_accuracy").mean) >= floor)
    handles: dict[str, Any] = {}
    for i, (axes, condition) in enumerate(zip(grid.flat, conditions, strict=False)):
        for method in labels:
            colour, marker = STYLES.get(method, OTHER)
            line = sorted(
                (row for row in curves if (row.condition, row.method) == (condition, method)),
                key=lambda row: row.strengths[0] or 0.0,
            )
            if len(line) > 1 and method != "weight_decay":
                points = [(_error(row), row.summary("test_accuracy").mean) for row in line]
                axes.plot(*zip(*points, strict=True), color=colour, linewidth=1, alpha=0.6, marker=".", markersize=3)
            for row in rows:
                if (row.condition, row.method) != (condition, method):
                    continue
                accuracy = row.summary("test_accuracy")
                if accuracy.mean >= floor:
                    handles[labels[method]] = axes.errorbar(
                        _error(row), accuracy.mean, yerr=_drawn(accuracy.standard_error), color=colour, marker=marker,
                        markersize=8, linestyle="none", capsize=2.5,
                    )  # fmt: skip
        axes.set_xscale("log")
        axes.set_ylim(bottom=lowest - 0.01)
        axes.set_title(f"{dial} = {condition:g}", fontsize=10)
        if i % columns == 0:
            axes.set_ylabel("test accuracy")
        if i + columns >= len(conditions):
            axes.set_xlabel("relative equivariance error on the test digits")
        _finish(axes)
    for axes in grid.flat[len(conditions) :]:
        axes.set_visible(False)
    figure.legend(handles.values(), handles.keys(), frameon=False, loc="outside right center")
    _save(figure, path)


def _error(row: Row) -> float:
    """Geometric mean over the seeds, as the axis is logarithmic."""
    values = [min(max(value, SMALLEST_ERROR), 1e6) for value in row.values("equivariance_error")]
    return float(np.exp(np.mean(np.log(values))))


def _drawn(standard_error: float) -> float:
    return standard_error if math.isfinite(standard_error) else 0.0


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise missing_extra("matplotlib", "demo") from error
    return Figure(figsize=(width, height), layout="constrained")


def _finish(axes: Any) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e3e7ee", linewidth=0.8)
    axes.set_axisbelow(True)


def _save(figure: Any, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # No date and no version inside: the same record gives the same file.
    figure.savefig(path, dpi=130, metadata={"Software": None})
