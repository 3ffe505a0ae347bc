"""Pictures of an experiment: a metric along the dial, a metric against equivariance error or time."""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np

from experiments.comparison.canvas import blank_figure, save, tidy
from experiments.comparison.metric import Metric
from experiments.comparison.selection import Row

# Okabe and Ito's colours, which most colour-blind readers tell apart.
STYLES = {
    "plain": ("#1d2430", "o"),
    "equivariant_start": ("#8a8f98", "v"),
    "weight_decay": ("#b58900", "s"),
    "augmentation": ("#56b4e9", "D"),
    "exact": ("#0072b2", "^"),
    "e2cnn": ("#4d4d9f", "v"),
    "e3nn": ("#4d4d9f", "v"),
    "train_then_project": ("#cc79a7", "P"),
    "sampled_operator": ("#6a3d9a", "<"),
    "sampled_activation": ("#b15928", ">"),
    "orbit_averaging": ("#b8a9d9", "h"),
    "remul": ("#e31a1c", "p"),
    "lie_derivative": ("#1f78b4", "d"),
    "rpp": ("#33a02c", "8"),
    "per": ("#ff7f00", "H"),
    "penalty": ("#009e73", "X"),
    "penalty_norm": ("#7fc97f", "X"),
    "decay": ("#d55e00", "*"),
}
# For methods without a style of their own.
OTHERS = ("#a6761d", "#666666", "#e7298a", "#17becf")
MARKERS = ("1", "2", "3", "4")
OTHER = ("#555555", ".")
# Rows further from the best than so many times the median row are named instead of drawn.
SHOWN_SPREADS = 4.0
# Rows this far below the best one are named below the axis instead of squeezing the others.
SHOWN_RANGE = 0.2


def plot_dial(rows: Sequence[Row], labels: Mapping[str, str], dial_label: str, path: Path) -> None:
    """Test accuracy with standard errors, a line per method, against the dial (on a square-root scale).

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    figure = blank_figure(8.2, 4.8)
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
    tidy(axes)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, path)


@dataclass(frozen=True)
class Axis:
    """A quantity along a logarithmic axis.

    Attributes:
        name: its key in a run's result.
        label: what stands below the axis.
        smallest: where smaller values, such as an error of zero, are drawn.
    """

    name: str
    label: str
    smallest: float

    def place(self, row: Row) -> float:
        """Geometric mean over the seeds, as the axis is logarithmic; NaN for a row without the quantity."""
        values = [min(max(value, self.smallest), 1e6) for value in row.values(self.name)]
        return float(np.exp(np.mean(np.log(values))))


def plot_panels(
    rows: Sequence[Row],
    curves: Sequence[Row],
    labels: Mapping[str, str],
    axis: Axis,
    metric: Metric,
    condition_label: str,
    path: Path,
) -> None:
    """A metric against a quantity, a panel per condition; rows too far from the best are named in the panel.

    Args:
        rows: the table's rows: a marker each.
        curves: rows at fixed strength: a line through the strengths of each method that has several.
        labels: names of the methods.
        axis: the quantity below.
        metric: the quantity on the left.
        condition_label: name of the conditions.
        path: the PNG file.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    conditions = list(dict.fromkeys(row.condition for row in rows))
    columns = min(len(conditions), 2 if len(conditions) <= 4 else 3 if len(conditions) <= 9 else 4)
    height = math.ceil(len(conditions) / columns)
    figure = blank_figure(3.6 * columns + 2.2, max(2.9 * height + 0.3, 4.2))
    grid = figure.subplots(height, columns, sharex=True, squeeze=False)
    handles: dict[str, Any] = {}
    for i, (axes, condition) in enumerate(zip(grid.flat, conditions, strict=False)):
        here = [row for row in rows if row.condition == condition]
        shown, outside = _shown(here, metric)
        for number, method in enumerate(labels):
            colour, marker = style(method, number)
            line = sorted(
                (row for row in curves if (row.condition, row.method) == (condition, method) and row.strengths[0]),
                key=lambda row: row.strengths[0] or 0.0,
            )
            if len(line) > 1 and method != "weight_decay":
                points = [(axis.place(row), row.summary(metric.name).mean) for row in line]
                axes.plot(*zip(*points, strict=True), color=colour, linewidth=1, alpha=0.6, marker=".", markersize=3,
                          scaley=False)  # fmt: skip
            for row in shown:
                if row.method == method:
                    value = row.summary(metric.name)
                    handles[labels[method]] = axes.errorbar(
                        axis.place(row), value.mean, yerr=_drawn(value.standard_error), color=colour, marker=marker,
                        markersize=8, linestyle="none", capsize=2.5,
                    )  # fmt: skip
        axes.set_xscale("log")
        _limits(axes, shown, metric)
        title = f"{condition_label}: {here[0].condition_text()}"
        axes.set_title(title if len(title) < 40 else here[0].condition_text(), fontsize=10)
        if outside:
            names = "; ".join(f"{labels[r.method]} {r.summary(metric.name).text(metric.decimals)}" for r in outside)
            axes.text(0.5, 0.01, "\n".join(wrap(f"outside: {names}", 52)), transform=axes.transAxes, fontsize=6.5,
                      ha="center", va="bottom", color="#555555")  # fmt: skip
        if i % columns == 0:
            axes.set_ylabel(metric.label)
        if i + columns >= len(conditions):
            axes.set_xlabel(axis.label)
        tidy(axes)
    for axes in grid.flat[len(conditions) :]:
        axes.set_visible(False)
    order = [label for label in labels.values() if label in handles]
    figure.legend([handles[label] for label in order], order, frameon=False, loc="outside right center", fontsize=8)
    save(figure, path)


def style(method: str, number: int) -> tuple[str, str]:
    """Colour and marker of a method; ``number`` tells those apart that have none of their own."""
    return STYLES.get(method) or (OTHERS[number % len(OTHERS)], MARKERS[number % len(MARKERS)])


def _shown(rows: Sequence[Row], metric: Metric) -> tuple[list[Row], list[Row]]:
    """Rows to draw, and those so far behind that they would squeeze the others."""
    means = {row.method: row.summary(metric.name).mean for row in rows}
    finite = [mean for mean in means.values() if math.isfinite(mean)]
    best = metric.best(finite)
    reach = SHOWN_SPREADS * abs(best - statistics.median(finite)) if finite else 0.0
    shown = [row for row in rows if abs(means[row.method] - best) <= reach or reach == 0]
    shown = [row for row in shown if math.isfinite(means[row.method])]
    return shown, [row for row in rows if row not in shown]


def _limits(axes: Any, rows: Sequence[Row], metric: Metric) -> None:
    """Room for the markers of the rows; lines may leave it."""
    ends = [
        s.mean + sign * _drawn(s.standard_error) for row in rows for s in [row.summary(metric.name)] for sign in (-1, 1)
    ]
    if ends and max(ends) > min(ends):
        margin = 0.12 * (max(ends) - min(ends))
        axes.set_ylim(min(ends) - 2 * margin, max(ends) + margin)


def _drawn(standard_error: float) -> float:
    return standard_error if math.isfinite(standard_error) else 0.0
