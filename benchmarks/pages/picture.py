"""The budget table as a picture: bars against budgets, and growth curves."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.row import Row

COLOURS = {"met": "#2e9e6b", "missed": "#d3524b", "undecided": "#e0a33e", "not judged": "#8a94a6"}
MARKERS = "os^D"
# Bars end here: a share of the budget beyond them says no more.
SHARES = (0.02, 20.0)


def picture(rows: Sequence[Row]) -> Figure | None:
    """Each budgeted row as used share of its budget, and the ratio to plain L2 over sizes; None if there is neither."""
    bars = [row for row in rows if row.verdict in COLOURS]
    curves = [row for row in rows if row.section == "growth" and row.curve]
    layers = [row for row in rows if row.section == "layers" and row.curve]
    drawn = [(_bars, bars, max(1.0, 0.34 * len(bars))), (_growth, curves, 3.2), (_layers, layers, 3.2)]
    drawn = [found for found in drawn if found[1]]
    if not drawn:
        return None
    heights = [height for _, _, height in drawn]
    figure = Figure(figsize=(13, 2.0 + sum(heights)), layout="constrained")
    panels = figure.subplots(len(heights), 1, height_ratios=heights, squeeze=False)[:, 0].tolist()
    for panel, (draw, found, _) in zip(panels, drawn, strict=True):
        draw(panel, found)
    return figure


def _bars(axes: Axes, rows: Sequence[Row]) -> None:
    shares = [min(max(_share(row), SHARES[0]), SHARES[1]) for row in rows]
    positions = range(len(rows))
    axes.barh(positions, shares, color=[COLOURS[row.verdict] for row in rows], height=0.65)
    axes.axvline(1.0, color="#1d2430", linewidth=1.2)
    axes.set_xscale("log")
    axes.set_xlim(SHARES[0] / 1.5, SHARES[1] * 4)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{share:g}"))
    axes.set_yticks(
        positions, [row.work if len(row.work) < 105 else f"{row.work[:102]}..." for row in rows], fontsize=7
    )
    axes.invert_yaxis()
    for position, row, share in zip(positions, rows, shares, strict=True):
        label = f"{row.text(row.value)} ({row.budget_text})"
        axes.text(share * 1.06, position, label, va="center", fontsize=7, backgroundcolor="white").set_bbox(
            {"facecolor": "white", "edgecolor": "none", "pad": 1}
        )
    axes.set_xlabel("share of the budget used; left of the line the budget is met", fontsize=8)
    axes.set_title("Cost against budget", fontsize=10, loc="left")
    axes.spines[["top", "right"]].set_visible(False)


def _share(row: Row) -> float:
    value, budget = row.value or 0.0, row.budget or 1.0
    if value <= 0:  # a difference lost in noise
        return SHARES[1] if row.at_least else SHARES[0]
    return budget / value if row.at_least else value / budget


def _layers(axes: Axes, rows: Sequence[Row]) -> None:
    for row, marker in zip(rows, MARKERS, strict=False):
        axes.plot(list(row.curve), list(row.curve.values()), marker=marker, label=row.work.split(" alone")[0])
    axes.set_xscale("log")
    axes.set_ylim(bottom=0)
    axes.set_xlabel("number of linear layers 16 x 16 of D4 fields, with biases", fontsize=8)
    axes.set_ylabel("microseconds a layer and step", fontsize=8)
    _finish(axes, "Growth with layers")


def _growth(axes: Axes, rows: Sequence[Row]) -> None:
    for row, marker in zip(rows, MARKERS, strict=False):
        label = row.work.split("median, ")[-1]
        axes.plot(list(row.curve), list(row.curve.values()), marker=marker, label=label)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_xlabel("number of weights", fontsize=8)
    axes.set_ylabel("penalty + gradient / plain L2 + gradient", fontsize=8)
    _finish(axes, "Growth with weights")


def _finish(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10, loc="left")
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
