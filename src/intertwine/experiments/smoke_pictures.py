"""Pictures of the smoke plumes: the dial of the data's own symmetry error, and errors along the roll-out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from intertwine.errors import missing_extra
from intertwine.experiments.figures import style
from intertwine.experiments.selection import Row
from intertwine.experiments.smoke_findings import dial
from intertwine.experiments.smoke_recipes import SYMMETRIES

DIAL = (
    "The data's own symmetry error against, from left to right: RMSE of future frames, RMSE on runs held out, the "
    "equivariance error of the network, and the strength of the penalty that validation chose (dots: seeds; line: "
    "geometric mean). Means with standard errors; training, then projecting is in the table alone."
)
ROLL_OUT = "RMSE of each frame of a roll-out over future time, means over the seeds."
COLUMNS = (
    ("rmse", "RMSE, future frames"),
    ("domain_rmse", "RMSE, runs held out"),
    ("equivariance_error", "equivariance error of the network"),
)
# Methods whose roll-outs are drawn, where there are runs.
SHOWN = (
    "plain",
    "exact",
    "penalty",
    "relaxed_group",
    "relaxed_group_penalty",
    "relaxed_steerable",
    "relaxed_steerable_penalty",
)


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
    """Three quantities and the chosen strength along the dial; whether there was anything to draw."""
    places = dial(rows)
    if len(places) < 2:
        return False
    by = {(row.condition, row.method): row for row in rows}
    methods = [method for method in labels if all((condition, method) in by for condition, _ in places)]
    # It can be so far off that it squeezes the others; the table has it.
    methods = [method for method in methods if method != "train_then_project"]
    figure = _figure(16.0, 4.0)
    grid = figure.subplots(1, len(COLUMNS) + 1)
    x = np.array([error for _, error in places])
    for axes, (name, label) in zip(grid, COLUMNS, strict=False):
        for method in methods:
            summaries = [by[condition, method].summary(name) for condition, _ in places]
            colour, marker = style(method, list(labels).index(method))
            errors = [0.0 if np.isnan(summary.standard_error) else summary.standard_error for summary in summaries]
            axes.errorbar(x, [summary.mean for summary in summaries], yerr=errors, color=colour, marker=marker,
                          markersize=5, linewidth=1.4, capsize=2, label=labels[method])  # fmt: skip
        axes.set(xlabel="symmetry error of the data", ylabel=label)
    _strengths(
        grid[-1], [(error, by[condition, "penalty"]) for condition, error in places if (condition, "penalty") in by]
    )
    handles, names = grid[0].get_legend_handles_labels()
    figure.legend(handles, names, frameon=False, loc="outside upper center", ncols=len(names))
    _save(figure, path)
    return True


def plot_roll_outs(rows: Sequence[Row], labels: Mapping[str, str], path: Path) -> bool:
    """RMSE by frame, a panel per symmetry; whether there was anything to draw."""
    conditions = [c for c in SYMMETRIES if any(row.condition == c and row.method in SHOWN for row in rows)]
    if not conditions:
        return False
    figure = _figure(4.6 * len(conditions), 4.2)
    for axes, condition in zip(figure.subplots(1, len(conditions), squeeze=False)[0], conditions, strict=True):
        for row in rows:
            curves = [run["rmse_by_step"] for run in row.runs if run.get("rmse_by_step")]
            if row.condition != condition or row.method not in SHOWN or not curves:
                continue
            colour, marker = style(row.method, list(labels).index(row.method))
            mean = np.mean(curves, axis=0)
            axes.plot(np.arange(1, len(mean) + 1), mean, color=colour, marker=marker, markersize=4, linewidth=1.3,
                      label=labels[row.method])  # fmt: skip
        axes.set(xlabel="frame of the roll-out", ylabel="RMSE, future frames", title=condition)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(frameon=False, fontsize=7)
    _save(figure, path)
    return True


def _strengths(axes: Any, places: Sequence[tuple[float, Row]]) -> None:
    """The strengths that validation chose, on a logarithmic axis."""
    means = []
    for error, row in places:
        strengths = [s for s in row.strengths if s]
        axes.scatter([error] * len(strengths), strengths, color="#009e73", s=18, alpha=0.4, linewidths=0)
        means.append(float(np.exp(np.mean(np.log(strengths)))) if strengths else np.nan)
    axes.plot([error for error, _ in places], means, color="#009e73", linewidth=1.6)
    axes.set(xlabel="symmetry error of the data", ylabel="chosen strength", yscale="log")


def _figure(width: float, height: float) -> Any:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise missing_extra("matplotlib", "report") from error
    return Figure(figsize=(width, height), layout="constrained")


def _save(figure: Any, path: Path) -> None:
    for axes in figure.axes:
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
    # No version inside: the same record gives the same file.
    figure.savefig(path, dpi=110, metadata={"Software": None})
