"""The picture of turned digits: accuracy along the dial."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from experiments.comparison.canvas import blank_figure, save, tidy
from experiments.comparison.figures import style
from experiments.comparison.selection import Row
from experiments.comparison.summary import Summary, paired
from experiments.rotmnist.training import parse_condition

PICTURE = "dial.png"
CAPTION = (
    "Along the dial (C4), accuracy beyond that of plain training, seed by seed: left on test digits of which the same "
    "share is turned as in training, right on the same digits when every one of them is turned. Bars are standard "
    "errors over the seeds."
)
METRICS = {
    "test_accuracy": "test accuracy beyond plain's",
    "turned_accuracy": "accuracy on turned digits beyond plain's",
}
# Methods that come nowhere as near to the best are named above a panel instead of squeezing the others.
SHOWN_RANGE = 0.15


def draw(rows: Sequence[Row], out: Path, labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """The picture, if there are two points of the dial: its file name with a caption.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    dial = dial_rows(rows)
    if len({share for share, _ in dial}) < 2:
        return []
    figure = blank_figure(11.5, 4.6)
    panels = figure.subplots(1, 2)
    handles: dict[str, Any] = {}
    for axes, (metric, title) in zip(panels, METRICS.items(), strict=True):
        handles |= _panel(axes, dial, labels, metric)
        axes.set(xlabel="share of turned digits (square-root scale)", ylabel=title)
    order = [label for label in labels.values() if label in handles]
    figure.legend([handles[label] for label in order], order, frameon=False, loc="outside right center", fontsize=8)
    save(figure, out / PICTURE)
    return [(PICTURE, CAPTION)]


def dial_rows(rows: Sequence[Row]) -> list[tuple[float, Row]]:
    """The rows of C4 with their shares of turned digits, ascending."""
    found = [(parse_condition(row.condition), row) for row in rows]
    return sorted(((share, row) for (group, share), row in found if group == "C4"), key=lambda item: item[0])


def leads(dial: Sequence[tuple[float, Row]], metric: str) -> dict[str, dict[float, Summary]]:
    """By method and share of turned digits: how far it is ahead of plain, seed by seed."""
    plain = {share: row.values(metric) for share, row in dial if row.method == "plain"}
    found: dict[str, dict[float, Summary]] = {}
    for share, row in dial:
        if share in plain:
            found.setdefault(row.method, {})[share] = paired(row.values(metric), plain[share])
    return found


def _panel(axes: Any, dial: Sequence[tuple[float, Row]], labels: Mapping[str, str], metric: str) -> dict[str, Any]:
    """A line for each method; handles for the legend."""
    found = leads(dial, metric)
    shares = sorted({share for line in found.values() for share in line})
    best = {share: max(line[share].mean for line in found.values() if share in line) for share in shares}
    handles, outside = {}, []
    for number, (method, label) in enumerate(labels.items()):
        line = found.get(method, {})
        if not line:
            continue
        if min(best[share] - lead.mean for share, lead in line.items()) > SHOWN_RANGE:
            means = [lead.mean for lead in line.values()]
            outside.append(f"{label} {min(means):+.2f} to {max(means):+.2f}")
            continue
        colour, marker = style(method, number)
        # Moved apart a little, so that error bars do not cover each other.
        x = [math.sqrt(share) + 0.006 * (number - len(labels) / 2) for share in line]
        errors = [s.standard_error if math.isfinite(s.standard_error) else 0.0 for s in line.values()]
        handles[label] = axes.errorbar(
            x,
            [lead.mean for lead in line.values()],
            yerr=errors,
            color=colour,
            marker=marker,
            markersize=6,
            linewidth=1.3,
            capsize=2.5,
        )
    axes.set_xticks([math.sqrt(share) for share in shares], [f"{share:g}" for share in shares])
    if outside:
        axes.set_title("\n".join(wrap(f"not shown: {'; '.join(outside)}", 90)), fontsize=7, color="#555555")
    tidy(axes)
    return handles
