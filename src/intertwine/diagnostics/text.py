"""Reports as text: a rich table where rich is installed, plain columns otherwise."""

import io
import shutil
from collections.abc import Sequence
from typing import Any

from intertwine.diagnostics.parameter_report import ParameterReport, number

COLUMNS = ("parameter", "shape", "rank", "method", "|W|", "|W-PW|", "relative", "chance", "worst blocks (out <- in)")
NUMBERS = {"rank", "|W|", "|W-PW|", "relative", "chance"}
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


def rich_table(heading: str, entries: Sequence[ParameterReport], lines: Sequence[str]) -> Any:
    """The same as a rich renderable, relative residuals coloured by their level.

    Raises:
        ModuleNotFoundError: rich is not installed.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(heading), title_justify="left", header_style="bold")
    for column in COLUMNS:
        wrapped = column in (COLUMNS[0], COLUMNS[-1])
        table.add_column(Text(column), justify="right" if column in NUMBERS else "left", no_wrap=not wrapped, overflow="fold")
    for entry in entries:
        texts = [Text(cell) for cell in cells(entry)]
        texts[COLUMNS.index("relative")].stylize(STYLES[entry.level])
        table.add_row(*texts)
    return Group(table, *(Text(line) for line in lines))


def to_text(renderable: Any) -> str:
    """A rich renderable as text without colours, as wide as the terminal, at least 100 columns."""
    from rich.console import Console

    stream = io.StringIO()
    width = max(100, shutil.get_terminal_size((120, 24)).columns)
    Console(file=stream, width=width, color_system=None, legacy_windows=False).print(renderable)
    return "\n".join(line.rstrip() for line in stream.getvalue().rstrip().splitlines())
