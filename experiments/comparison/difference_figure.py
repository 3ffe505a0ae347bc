"""A picture of differences: a panel a comparison, a line a difference, with its interval."""

import math
from collections.abc import Mapping
from pathlib import Path

from experiments.comparison.canvas import blank_figure, save
from experiments.comparison.differences import Difference

COLOURS = {"ahead": "#009e73", "behind": "#d55e00"}
OTHER = "#1d2430"
COLUMNS = 2
# Dots lie under the interval's line, in units of a line.
BELOW = 0.25


def plot_differences(panels: Mapping[str, Mapping[str, Difference]], label: str, path: Path) -> None:
    """Means with 95 % t intervals, and the seeds as dots; those that leave out 0 in colour.

    Args:
        panels: differences by name, by title of the panel.
        label: below the axes.
        path: the PNG file.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    columns = min(COLUMNS, len(panels))
    height = math.ceil(len(panels) / columns)
    longest = max(len(found) for found in panels.values())
    figure = blank_figure(4.6 * columns, height * (0.9 + 0.27 * longest) + 0.3)
    grid = figure.subplots(height, columns, squeeze=False)
    for axes, (title, found) in zip(grid.flat, panels.items(), strict=False):
        axes.axvline(0, color="#8a8f98", linewidth=1)
        for place, difference in enumerate(found.values()):
            colour = COLOURS.get(difference.verdict(), OTHER)
            values = [value for value in difference.lead.values if math.isfinite(value)]
            axes.scatter(values, [place + BELOW] * len(values), s=9, color=colour, alpha=0.5, linewidths=0)
            low, high = difference.ends
            if math.isfinite(low) and math.isfinite(high):
                axes.plot([low, high], [place, place], color=colour, linewidth=2)
                axes.plot(difference.lead.mean, place, color=colour, marker="o", markersize=5)
        axes.set_yticks(range(len(found)), list(found))
        axes.set_ylim(len(found) - 0.5, -0.5)
        axes.set_title(title, fontsize=10)
        axes.spines[["top", "right", "left"]].set_visible(False)
        axes.tick_params(axis="y", length=0)
        axes.locator_params(axis="x", nbins=5)
    for axes in grid.flat[len(panels) :]:
        axes.set_visible(False)
    figure.supxlabel(label, fontsize=10)
    save(figure, path)
