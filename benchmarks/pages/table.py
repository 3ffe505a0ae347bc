"""The budget table on a terminal."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.pages.record import COLUMNS, cells
from benchmarks.row import Row

STYLES = {"met": "green", "missed": "bold red", "undecided": "yellow"}


def show(rows: Sequence[Row], header: Mapping[str, object]) -> None:
    """Prints the rows with their notes, and how many budgets are met."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=150)
    machine: Mapping[str, object] = header["machine"]  # type: ignore[assignment]
    title = (
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads, device {machine['device']}, "
        f"torch {machine['torch']}; CPU time, ratios within rounds"
    )
    table = Table(title=Text(title), title_justify="left", show_lines=False, header_style="bold")
    for column in COLUMNS:
        table.add_column(column, overflow="fold", justify="left" if column in (COLUMNS[0], COLUMNS[-1]) else "right")
    for row in rows:
        texts = [Text(cell) for cell in cells(row)]
        texts[-1].stylize(STYLES.get(row.verdict, "dim"))
        if row.note:
            texts[0].append(f"\n{row.note}", style="dim")
        table.add_row(*texts)
    console.print(table)
    verdicts = [row.verdict for row in rows]
    summary = f"{verdicts.count('met')} budgets met, {verdicts.count('missed')} missed, "
    summary += f"{verdicts.count('undecided')} undecided"
    if header["quick"]:
        summary = "a quick run: sizes and repetitions too small to judge a budget"
    console.print(f"{summary}; {header['seconds']} s; load before the run {machine['load_before']}")
