"""Reports as text: a rich table where rich is installed, plain columns otherwise."""

import io
import shutil
from collections.abc import Sequence
from typing import Any

from intertwine.diagnostics.reports.parameter_report import ParameterReport, number

COLUMNS = ("parameter", "shape", "rank", "method", "|W|", "|W-PW|", "relative", "chance", "worst blocks (out <- in)")
NUMBERS = {"rank", "|W|", "|W-PW|", "relative", "chance"}
# The last column wraps down to this width; a narrow terminal loses others in this order; str(report) is never narrower.
WRAPPED, WRAPPED_WIDTH, MIN_WIDTH = COLUMNS[-1], 24, 100
EXPENDABLE = ("method", "|W|", "|W-PW|", "shape")
STYLES = {"kept": "green", "approximate": "yellow", "chance": "red"}


def cells(entry: ParameterReport) -> tuple[str, ...]:
    """One parameter as texts, one per entry of ``COLUMNS``."""
    return (
        entry.name,
        "x".join(map(str, entry.shape)),
        f"{entry.rank} of {entry.numel}",
        entry.method if entry.exact else f"{entry.method} (not exact)",
        f"{entry.norm:.3g}",
        f"{entry.residual:.2e}",
        number(entry.relative_residual),
        f"{entry.chance:.3f}",
        ", ".join(map(str, entry.worst)),
    )


def plain_table(heading: str, entries: Sequence[ParameterReport], lines: Sequence[str]) -> str:
    """Plain columns between a heading and closing lines, for installations without rich."""
    rows = [COLUMNS, *(cells(entry) for entry in entries)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    table = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    table.insert(1, "-" * max(map(len, table)))
    return "\n".join([heading, *table, *lines])


def rich_table(heading: str, entries: Sequence[ParameterReport], lines: Sequence[str], width: int) -> Any:
    """The same as a rich renderable, relative residuals coloured by their level.

    Columns that do not fit into ``width`` are left out, the least telling first.

    Raises:
        ModuleNotFoundError: rich is not installed.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    rows = [cells(entry) for entry in entries]
    shown = _fitting(rows, width)
    table = Table(title=Text(heading), title_justify="left", header_style="bold")
    for column in shown:
        right = column in NUMBERS
        table.add_column(Text(column), justify="right" if right else "left", no_wrap=column != WRAPPED, overflow="fold")
    for entry, row in zip(entries, rows, strict=True):
        texts = [Text(row[COLUMNS.index(column)]) for column in shown]
        texts[shown.index("relative")].stylize(STYLES[entry.level])
        table.add_row(*texts)
    return Group(table, *(Text(line) for line in lines))


def _fitting(rows: Sequence[tuple[str, ...]], width: int) -> list[str]:
    """The columns that fit, three characters of frame each."""
    widths = {column: max(len(row[i]) for row in [COLUMNS, *rows]) for i, column in enumerate(COLUMNS)}
    widths[WRAPPED] = min(widths[WRAPPED], WRAPPED_WIDTH)
    shown = list(COLUMNS)
    for column in EXPENDABLE:
        if sum(widths[name] + 3 for name in shown) + 1 > width:
            shown.remove(column)
    return shown


def to_text(renderable: Any) -> str:
    """A rich renderable as text without colours, as wide as the terminal, at least ``MIN_WIDTH`` columns."""
    from rich.console import Console

    stream = io.StringIO()
    width = max(MIN_WIDTH, shutil.get_terminal_size((120, 24)).columns)
    Console(file=stream, width=width, color_system=None, legacy_windows=False).print(renderable)
    return "\n".join(line.rstrip() for line in stream.getvalue().rstrip().splitlines())
