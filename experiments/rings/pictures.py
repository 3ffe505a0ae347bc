"""Pictures of the rings: decision regions, both strengths of the paper, error against accuracy."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.comparison.canvas import blank_figure, save
from experiments.comparison.selection import Row
from experiments.rings.data import load_rings
from experiments.rings.findings import (
    EQUIVARIANT_STRENGTHS,
    PAPER_METHOD,
    PAPER_STRENGTH,
    STRENGTHS,
    grid_rows,
    sensitivity,
)
from experiments.rings.methods import FORMS, PERCEPTRON, SWEEP
from experiments.rings.model import LARGEST_RADIUS, decisions
from intertwine.binding import Form

# Columns of the decision regions.
SHOWN = ("plain", "weight_decay", "augmentation", "exact", "penalty", "penalty_norm", "decay", PERCEPTRON)
INNER, OUTER = "#e69f00", "#0072b2"
QUANTITIES = (
    ("worst_rotation_error", "worst-rotation error, logits", "{:.2g}"),
    ("equivariance_error", "relative equivariance error", "{:.2g}"),
    ("turned_accuracy", "accuracy on turned points", "{:.3f}"),
)
REGIONS = (
    "Decision regions of seed 0 with its training points, at the configuration that its validation chose; in each "
    "panel the worst-rotation error, the largest over 40 random turns R of the root mean square of f(Rx) - f(x) in "
    "logits."
)
GRID = (
    "Decision regions of seed 0 with the worst-rotation error in logits; every network starts from torch's own initial "
    "draw."
)
SWEPT_CAPTION = (
    "Test accuracy against equivariance error along the strength (the numbers), with standard errors: what each "
    "degree of equivariance costs where the data break the symmetry."
)
# Strengths are named at points so far apart.
SPACING = 0.05
# What lies lower has collapsed to one class or nearly so, and would squeeze the rest.
LOWEST = 0.8
SWEPT = {"penalty": ("#009e73", "X"), "weight_decay": ("#b58900", "s")}


def draw(rows: Sequence[Row], curves: Sequence[Row], out: Path, labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """All pictures that there are runs for: file names with captions.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    norms = {"squared": "squared norms", "norm": "un-squared norms, as in the paper"}
    sentences = [sentence for form in FORMS if (sentence := sensitivity(curves, form))]
    captions = {
        "regions.png": f"{REGIONS} {_paper_setting(rows, curves)}".strip(),
        **{
            f"grid_{form}.png": f"The paper's grid over both strengths on the arc, {norms[form]}. {GRID}"
            for form in FORMS
        },
        "strengths.png": " ".join(["Both strengths on the arc, means over all seeds.", *sentences]),
        "sweep.png": SWEPT_CAPTION,
    }
    drawn = {
        "regions.png": plot_regions(rows, curves, labels, out / "regions.png"),
        **{f"grid_{form}.png": plot_grid(curves, form, out / f"grid_{form}.png") for form in FORMS},
        "strengths.png": plot_strengths(curves, out / "strengths.png"),
        "sweep.png": plot_sweep(curves, labels, out / "sweep.png"),
    }
    return [(name, caption) for name, caption in captions.items() if drawn[name]]


def plot_regions(rows: Sequence[Row], curves: Sequence[Row], labels: Mapping[str, str], path: Path) -> bool:
    """Conditions down, methods across; whether there was anything to draw."""
    conditions = list(dict.fromkeys(row.condition for row in rows))
    chosen = {(row.condition, row.method): row for row in rows if row.method in SHOWN and 0 in row.seeds}
    names = {method: labels[method] for method in SHOWN if any(key[1] == method for key in chosen)}
    for row in curves:
        if row.method == PAPER_METHOD and row.strengths[0] == PAPER_STRENGTH and 0 in row.seeds:
            chosen[row.condition, PAPER_METHOD] = row
            names[PAPER_METHOD] = "the paper's strengths"
    if not chosen:
        return False
    figure, grid = _panels(len(conditions), len(names))
    for line, condition in zip(grid, conditions, strict=True):
        for axes, method in zip(line, names, strict=True):
            if (condition, method) in chosen:
                _region(axes, chosen[condition, method])
            if condition == conditions[0]:
                axes.set_title(names[method], fontsize=8)
        line[0].set_ylabel(condition, fontsize=9)
    save(figure, path, dpi=110)
    return True


def plot_grid(curves: Sequence[Row], form: Form, path: Path) -> bool:
    """lambda_G down, lambda_perp across; whether there was anything to draw."""
    found = {key: row for key, row in grid_rows(curves, form).items() if 0 in row.seeds}
    if not found:
        return False
    down, across = _axes_of(found)
    figure, grid = _panels(len(down), len(across))
    for line, first in zip(grid, down, strict=True):
        for axes, second in zip(line, across, strict=True):
            _region(axes, found[first, second])
            if first == down[0]:
                axes.set_title(rf"$\lambda_\perp$ = {second:g}", fontsize=9)
        line[0].set_ylabel(rf"$\lambda_G$ = {first:g}", fontsize=9)
    save(figure, path, dpi=110)
    return True


def plot_strengths(curves: Sequence[Row], path: Path) -> bool:
    """Mean over the seeds of three quantities for each pair of strengths; whether there was anything to draw."""
    found = {form: rows for form in FORMS if (rows := grid_rows(curves, form))}
    if not found:
        return False
    figure = blank_figure(3.6 * len(QUANTITIES), 3.0 * len(found))
    grid = figure.subplots(len(found), len(QUANTITIES), squeeze=False)
    for line, (form, rows) in zip(grid, found.items(), strict=True):
        down, across = _axes_of(rows)
        for axes, (name, title, text) in zip(line, QUANTITIES, strict=True):
            means = [[rows[first, second].summary(name).mean for second in across] for first in down]
            axes.imshow(means, cmap="Blues" if name == "turned_accuracy" else "Oranges", alpha=0.6, aspect="auto")
            for i, values in enumerate(means):
                for j, value in enumerate(values):
                    error = rows[down[i], across[j]].summary(name).standard_error
                    spread = f"\n± {text.format(error)}" if error == error else ""  # noqa: PLR0124 - not NaN
                    axes.text(j, i, text.format(value) + spread, ha="center", va="center", fontsize=7.5)
            axes.set_xticks(range(len(across)), [f"{value:g}" for value in across], fontsize=8)
            axes.set_yticks(range(len(down)), [f"{value:g}" for value in down], fontsize=8)
            axes.set_xlabel(r"$\lambda_\perp$")
            axes.set_ylabel(r"$\lambda_G$")
            axes.set_title(f"{title} ({'squared' if form == 'squared' else 'un-squared'})", fontsize=9)
    save(figure, path, dpi=110)
    return True


def plot_sweep(curves: Sequence[Row], labels: Mapping[str, str], path: Path) -> bool:
    """Accuracy against error along a fine grid of strengths; whether there was anything to draw."""
    swept = [row for row in curves if row.method.startswith(SWEEP)]
    if not swept:
        return False
    condition = swept[0].condition
    figure = blank_figure(6.4, 4.0)
    axes = figure.add_subplot()
    for method, (colour, marker) in SWEPT.items():
        line = sorted(
            (row for row in curves if row.condition == condition and row.method in (method, SWEEP + method)),
            key=lambda row: row.strengths[0] or 0.0,
        )
        error, accuracy = ([row.summary(n) for row in line] for n in ("equivariance_error", "test_accuracy"))
        x, y = ([summary.mean for summary in found] for found in (error, accuracy))
        bars = {"xerr": [_drawn(s.standard_error) for s in error], "yerr": [_drawn(s.standard_error) for s in accuracy]}
        axes.errorbar(x, y, **bars, color=colour, marker=marker, capsize=2.5, linewidth=1.2, label=labels[method])
        named: list[float] = []
        above = method == "penalty"
        # From the strongest on; where the weaker ones crowd, the first of them is named.
        for row, here, there in reversed(list(zip(line, x, y, strict=True))):
            if there >= LOWEST and all(abs(here - other) >= SPACING for other in named):
                named.append(here)
                shift = (-2, 7) if above else (2, -12)
                axes.annotate(
                    f"{row.strengths[0]:g}",
                    (here, there),
                    textcoords="offset points",
                    xytext=shift,
                    fontsize=7,
                    color=colour,
                )
    for method in ("plain", "exact"):
        found = [row for row in curves if (row.condition, row.method) == (condition, method)]
        if found:
            best = min(found, key=lambda row: row.summary("validation_loss").mean)
            axes.axhline(best.summary("test_accuracy").mean, linestyle=":", linewidth=1,
                         color="#1d2430" if method == "plain" else "#0072b2", label=labels[method])  # fmt: skip
    axes.set_ylim(bottom=max(axes.get_ylim()[0], LOWEST))
    axes.set(xlabel="relative equivariance error of the network", ylabel="test accuracy", title=condition)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    save(figure, path, dpi=110)
    return True


def _paper_setting(rows: Sequence[Row], curves: Sequence[Row]) -> str:
    """Accuracy at the paper's strengths beside the perceptron's."""
    parts = []
    for row in curves:
        rival = next((r for r in rows if (r.condition, r.method) == (row.condition, PERCEPTRON)), None)
        if row.method == PAPER_METHOD and row.strengths[0] == PAPER_STRENGTH and rival:
            texts = [r.summary("test_accuracy").text() for r in (row, rival)]
            parts.append(f"{row.condition} {texts[0]} (perceptron {texts[1]})")
    return (
        f"Last column: un-squared norms with the paper's lambda_G = 0.01 and lambda_perp = 1, not chosen by "
        f"validation; test accuracy over all seeds: {'; '.join(parts)}."
        if parts
        else ""
    )


def _region(axes: Any, row: Row) -> None:
    """The decisions of seed 0, its training points, and its worst-rotation error."""
    which = row.seeds.index(0)
    run, settings = row.runs[which], row.settings[which]
    if "decisions" in run:
        reach = (-LARGEST_RADIUS, LARGEST_RADIUS)
        regions = decisions(run["decisions"])
        axes.contourf(regions, levels=[-0.5, 0.5, 1.5], colors=[INNER, OUTER], alpha=0.3, extent=(*reach, *reach))
    training = load_rings(settings["condition"], 0, settings.get("training"), test=2).training
    for label, colour in ((0, INNER), (1, OUTER)):
        axes.scatter(*training.x[training.y == label].T.numpy(), s=1.5, color=colour, linewidths=0)
    axes.text(0.03, 0.03, f"{run['worst_rotation_error']:.2g}", transform=axes.transAxes, fontsize=8,
              bbox={"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1})  # fmt: skip
    axes.set_xlim(-LARGEST_RADIUS, LARGEST_RADIUS)
    axes.set_ylim(-LARGEST_RADIUS, LARGEST_RADIUS)


def _axes_of(found: Mapping[tuple[float, float], Row]) -> tuple[list[float], list[float]]:
    """The values of both strengths that were run, in the paper's order."""
    down = [value for value in EQUIVARIANT_STRENGTHS if any(key[0] == value for key in found)]
    return down, [value for value in STRENGTHS if any(key[1] == value for key in found)]


def _panels(height: int, width: int) -> tuple[Any, Any]:
    figure = blank_figure(1.55 * width + 0.4, 1.55 * height + 0.4)
    grid = figure.subplots(height, width, squeeze=False)
    for axes in grid.flat:
        axes.set(xticks=[], yticks=[], aspect="equal")
    return figure, grid


def _drawn(standard_error: float) -> float:
    return standard_error if standard_error == standard_error else 0.0  # noqa: PLR0124 - NaN differs from itself
