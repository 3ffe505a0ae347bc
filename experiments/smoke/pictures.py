"""Pictures of the smoke plumes: the dial of the data's own symmetry error, and errors along the roll-out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.comparison.canvas import blank_figure, save
from experiments.comparison.figures import STYLES, style
from experiments.comparison.selection import Row
from experiments.smoke.findings import chosen_strength, dial
from experiments.smoke.recipes import SYMMETRIES

DIAL = (
    "The data's own symmetry error against RMSE of future frames, RMSE on runs held out, the equivariance error of the "
    "network, and the strength that validation chose (dots: seeds; lines: geometric means). Means with standard "
    "errors; the other rows of the dial are in the table alone."
)
ROLL_OUT = "RMSE of each frame of a roll-out over future time, means over the seeds."
COLUMNS = (
    ("rmse", "RMSE, future frames"),
    ("domain_rmse", "RMSE, runs held out"),
    ("equivariance_error", "equivariance error of the network"),
)
# Methods that are drawn along the dial, so many as can be told apart.
MAIN = ("plain", "weight_decay", "exact", "e2cnn", "orbit_averaging", "rpp", "penalty", "decay")
# Methods whose roll-outs are drawn, where there are runs.
SHOWN = (
    "plain",
    "exact",
    "e2cnn",
    "penalty",
    "relaxed_group",
    "relaxed_group_penalty",
    "relaxed_steerable",
    "relaxed_steerable_penalty",
)
# Counted apart, those without a style of their own have a colour each; the relaxed ones first.
_OTHERS = sorted((method for method in SHOWN if method not in STYLES), key=lambda method: method == "e2cnn")


def draw(rows: Sequence[Row], out: Path, labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """All pictures that there are runs for: file names with captions.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    drawn = []
    if plot_dial(rows, labels, out / "levels.png"):
        drawn.append(("levels.png", DIAL))
    if plot_roll_outs(rows, labels, out / "roll_out.png"):
        drawn.append(("roll_out.png", ROLL_OUT))
    return drawn


def plot_dial(rows: Sequence[Row], labels: Mapping[str, str], path: Path) -> bool:
    """Three quantities and the chosen strengths along the dial; whether there was anything to draw."""
    places = dial(rows)
    if len(places) < 2:
        return False
    by = {(row.condition, row.method): row for row in rows}
    methods = [m for m in labels if m in MAIN and all((condition, m) in by for condition, _ in places)]
    figure = blank_figure(11.0, 8.4)
    grid = list(figure.subplots(2, 2).flat)
    x = np.array([error for _, error in places])
    # Moved apart a little, so that error bars and dots do not cover each other.
    apart = 0.004 * (x[-1] - x[0])
    for place, method in enumerate(methods):
        mine = [by[condition, method] for condition, _ in places]
        moved = x + apart * (place - (len(methods) - 1) / 2)
        look = _look(method) | {"markersize": 5, "linewidth": 1.4}
        for axes, (name, label) in zip(grid, COLUMNS, strict=False):
            summaries = [row.summary(name) for row in mine]
            errors = [0.0 if np.isnan(summary.standard_error) else summary.standard_error for summary in summaries]
            means = [summary.mean for summary in summaries]
            axes.errorbar(moved, means, yerr=errors, capsize=2, label=labels[method], **look)
            axes.set(xlabel="symmetry error of the data", ylabel=label)
        strengths = [[s for s in row.strengths if s] for row in mine]
        if any(strengths):
            grid[-1].plot(moved, [chosen_strength(row) for row in mine], **look)
            grid[-1].scatter(np.repeat(moved, [len(s) for s in strengths]), [s for each in strengths for s in each],
                             color=look["color"], s=16, alpha=0.3, linewidths=0)  # fmt: skip
    grid[-1].set(xlabel="symmetry error of the data", ylabel="chosen strength", yscale="log")
    handles, names = grid[0].get_legend_handles_labels()
    figure.legend(handles, names, frameon=False, loc="outside upper center", ncols=4)
    _save(figure, path)
    return True


def plot_roll_outs(rows: Sequence[Row], labels: Mapping[str, str], path: Path) -> bool:
    """RMSE by frame, a panel per symmetry; whether there was anything to draw."""
    conditions = [c for c in SYMMETRIES if any(row.condition == c and row.method in SHOWN for row in rows)]
    if not conditions:
        return False
    figure = blank_figure(4.6 * len(conditions), 4.2)
    for axes, condition in zip(figure.subplots(1, len(conditions), squeeze=False)[0], conditions, strict=True):
        for row in rows:
            curves = [run["rmse_by_step"] for run in row.runs if run.get("rmse_by_step")]
            if row.condition != condition or row.method not in SHOWN or not curves:
                continue
            mean = np.mean(curves, axis=0)
            look = _look(row.method) | {"markersize": 4, "linewidth": 1.3}
            axes.plot(np.arange(1, len(mean) + 1), mean, label=labels[row.method], **look)
        axes.set(xlabel="frame of the roll-out", ylabel="RMSE, future frames", title=condition)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=7)
    _save(figure, path)
    return True


def _look(method: str) -> dict[str, Any]:
    """Colour, marker and line; dashed is the second exactly equivariant row, which is near the first."""
    colour, marker = style(method, _OTHERS.index(method) if method in _OTHERS else 0)
    return {"color": colour, "marker": marker, "linestyle": "--" if method == "e2cnn" else "-"}


def _save(figure: Any, path: Path) -> None:
    for axes in figure.axes:
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    save(figure, path, dpi=110)
