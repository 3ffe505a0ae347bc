"""Tables of rows, for the terminal, for Markdown and for pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.comparison.selection import Row
from intertwine.diagnostics import TableSection


@dataclass(frozen=True)
class Table:
    """Texts by row and column.

    Attributes:
        title: above the table.
        columns: names of the columns.
        rows: a text per column.
        bold: (row, column) pairs to stress.
        breaks: rows after which a line is drawn on the terminal.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    bold: frozenset[tuple[int, int]] = frozenset()
    breaks: frozenset[int] = frozenset()

    def to_rich(self) -> Any:
        """A rich table."""
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(title=self.title, title_justify="left", header_style="bold")
        for i, column in enumerate(self.columns):
            # On a narrow terminal the outer columns are folded, never the numbers between them.
            numbers = 0 < i < len(self.columns) - 1
            header = column.replace(" ", "\n") if numbers and "=" not in column else column
            table.add_column(header, justify="right" if i else "left", no_wrap=numbers, overflow="fold")
        for i, row in enumerate(self.rows):
            cells = [Text(cell, style="bold" if (i, j) in self.bold else "") for j, cell in enumerate(row)]
            table.add_row(*cells, end_section=i in self.breaks)
        return table

    def to_section(self) -> TableSection:
        """For an HTML page, stressed cells marked."""
        rows = [
            [f"{cell} ◂" if (i, j) in self.bold else cell for j, cell in enumerate(row)]
            for i, row in enumerate(self.rows)
        ]
        notes = ("◂ the best of its column or group",) if self.bold else ()
        return TableSection(self.title, self.columns, rows, notes)

    def to_markdown(self) -> str:
        """A Markdown table, without the title."""
        lines = [self.columns, tuple(":--" if i == 0 else "--:" for i in range(len(self.columns)))]
        for i, row in enumerate(self.rows):
            lines.append(tuple(f"**{cell}**" if (i, j) in self.bold else cell for j, cell in enumerate(row)))
        return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def accuracy_table(rows: Sequence[Row], labels: Mapping[str, str], dial: str) -> Table:
    """Methods down, conditions across: test accuracy ± standard error, the best of each column stressed."""
    conditions = list(dict.fromkeys(row.condition for row in rows))
    methods = [method for method in labels if any(row.method == method for row in rows)]
    table = {(row.condition, row.method): row.summary("test_accuracy") for row in rows}
    best = {c: max(methods, key=lambda m: table[c, m].mean) for c in conditions}
    return Table(
        "Test accuracy ± standard error over the seeds",
        ("method", *(f"{dial} = {condition:g}" for condition in conditions)),
        tuple((labels[method], *(table[c, method].text() for c in conditions)) for method in methods),
        bold=frozenset((methods.index(best[c]), 1 + j) for j, c in enumerate(conditions)),
    )


def detail_table(rows: Sequence[Row], labels: Mapping[str, str], dial: str, chance: float) -> Table:
    """A line for each condition and method, with all columns."""
    lines: list[tuple[str, ...]] = []
    breaks: set[int] = set()
    bold: set[tuple[int, int]] = set()
    for condition in dict.fromkeys(row.condition for row in rows):
        here = [row for row in rows if row.condition == condition]
        best = max(here, key=lambda row: row.summary("test_accuracy").mean)
        for row in here:
            if row is best:
                bold.add((len(lines), 2))
            lines.append(
                (
                    labels[row.method],
                    f"{condition:g}",
                    row.summary("test_accuracy").text(),
                    _size(row, "equivariance_error"),
                    _size(row, "relative_residual"),
                    f"{row.summary('seconds').mean:.2f}",
                    row.strength_text(),
                )
            )
        breaks.add(len(lines) - 1)
    columns = (
        "method",
        dial,
        "test accuracy",
        "equivariance error",
        "relative residual",
        "seconds",
        "strength",
    )
    title = f"Every row at every {dial}; random weights have a relative residual of {chance:.3f}"
    return Table(title, columns, tuple(lines), frozenset(bold), frozenset(breaks))


def _size(row: Row, name: str) -> str:
    """Three decimals, or the power of ten where they would all be zeros."""
    summary = row.summary(name)
    return summary.text() if summary.mean >= 1e-3 else f"{summary.mean:.0e}" if summary.mean else "0"
