"""A picture of what the fits found beside luck, layer by layer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.comparison.canvas import blank_figure, save, tidy
from experiments.pretrained.findings import Findings, is_large
from experiments.runs.run_cache import Run

NAME = "residuals.png"
CAPTION = (
    "Relative residual of each weight after the fit (points: one a network), the chance of the same fit on shuffled "
    "weights (bars, from the mean over draws minus to plus two of their standard deviations), and the residual as "
    "channels lie (crosses). Left: CNNs under C4; right: face detectors under the mirror."
)
OURS, LUCK, ORDER = "#1b6ca8", "#c9ced8", "#8a93a5"


def draw(found: Findings, out: Path) -> list[tuple[str, str]]:
    """File names with captions; the picture goes into ``out``.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    panels: list[tuple[str, Sequence[Mapping[str, Any]]]] = []
    for training in found.trainings():
        under_c4 = [next(iter(run["fits"].values())) for run in found.runs_of(training)]
        panels.append((f"CNN, {training}", under_c4))
    panels += [(str(settings["network"]), [_plain(run)]) for settings, run in found.faces]
    if not panels:
        return []
    figure = blank_figure(2.3 * len(panels) + 0.6, 3.6)
    for axes, (title, fits) in zip(figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels, strict=True):
        _panel(axes, title, fits)
    first = figure.axes[0]
    first.set_ylabel("|W - PW| / |W|")
    figure.legend(*first.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    save(figure, out / NAME)
    return [(NAME, CAPTION)]


def _plain(run: Run) -> Mapping[str, Any]:
    fit: Mapping[str, Any] = run["fits"]["as it is"]
    return fit


def _panel(axes: Any, title: str, fits: Sequence[Mapping[str, Any]]) -> None:
    tidy(axes)
    names = [one["name"] for one in fits[0]["weights"] if is_large(one) and len(one["shape"]) > 1]
    for place, name in enumerate(names):
        found = [one for fit in fits for one in fit["weights"] if one["name"] == name]
        chance, spread = (float(np.mean([one[key] for one in found])) for key in ("chance", "chance_spread"))
        first = place == 0
        # A line of a hundredth, where luck hardly spreads.
        height = max(4 * spread, 0.01)
        axes.bar(
            place,
            height,
            bottom=chance - height / 2,
            width=0.8,
            color=LUCK,
            label="chance of the fit" if first else None,
        )
        axes.plot(
            [place] * len(found),
            [one["unfitted"] for one in found],
            "x",
            color=ORDER,
            markersize=5,
            label="as channels lie" if first else None,
        )
        axes.plot(
            [place] * len(found),
            [one["residual"] for one in found],
            "o",
            color=OURS,
            markersize=5,
            label="after the fit" if first else None,
        )
    labels = [name.removesuffix(".weight").removeprefix("features.") for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=60, ha="right", fontsize=7)
    axes.set_title(title, fontsize=9)
    axes.set_ylim(0, 1)
