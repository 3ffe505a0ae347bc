"""The layers of a checked model as text: residuals as bars of characters, chance as a mark in them."""

from collections.abc import Mapping, Sequence
from typing import Any

from intertwine.diagnostics.reports.parameter_report import number

HEAD = ("parameter", "rank", "residual", "chance", "0 to 1, chance at |")
WIDTH = 20
# Longer tables are cut.
SHOWN = 40


def layer_table(parameters: Sequence[Mapping[str, Any]], count: int = SHOWN) -> str:
    """A line for each parameter with a residual above rounding, in the order of the run; others are counted.

    Args:
        parameters: as ``check_values`` has them.
        count: of lines at most.

    Examples:
        >>> weight = {
        ...     "state": "typed",
        ...     "rank": 2,
        ...     "numel": 8,
        ...     "relative_residual": 0.5,
        ...     "chance": 0.87,
        ...     "level": "chance",
        ... }
        >>> print(layer_table([{"name": "0.weight", **weight}, {"name": "0.bias", "state": "free"}]))
        parameter  rank    residual  chance  0 to 1, chance at |
        0.weight   2 of 8  0.500     0.870   ##########.......|..
        left out: 1 that may take any value
    """
    shown = [one for one in parameters if one["state"] == "typed" and one["level"] != "kept"]
    rows = [HEAD, *(_cells(one) for one in shown[:count])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    counts = (
        (len(shown) - count, "more with a residual (the page and JSON have all)"),
        (sum(one["state"] == "typed" for one in parameters) - len(shown), "that are equivariant"),
        (sum(one["state"] == "free" for one in parameters), "that may take any value"),
        (sum(one["state"] == "not typed" for one in parameters), "without a type"),
    )
    left = ", ".join(f"{count} {what}" for count, what in counts if count > 0)
    return "\n".join([*(lines if shown else []), *([f"left out: {left}"] if left else [])])


def _cells(one: Mapping[str, Any]) -> tuple[str, ...]:
    relative, chance = one["relative_residual"], one["chance"]
    rank = f"{one['rank']} of {one['numel']}"
    return one["name"], rank, number(relative), f"{chance:.3f}", _bar(relative, chance)


def _bar(relative: float, chance: float) -> str:
    filled = round(WIDTH * relative)
    bar = "#" * filled + "." * (WIDTH - filled)
    mark = min(WIDTH - 1, round(WIDTH * chance))
    return f"{bar[:mark]}|{bar[mark + 1 :]}"
