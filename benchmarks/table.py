"""The budget table on a terminal."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from benchmarks.record import COLUMNS, cells
from benchmarks.row import Row

# Mean number of running processes in the minute before, from which on others take part of the cores.
BUSY = 0.8
STYLES = {"met": "green", "missed": "bold red"}


def show(rows: Sequence[Row], header: Mapping[str, object]) -> None:
    """Prints the rows with their notes, and how many budgets are met."""
    console = Console()
    if not console.is_terminal:
        console = Console(width=150)
    machine: Mapping[str, object] = header["machine"]  # type: ignore[assignment]
    title = (
        f"{machine['processor']}, {machine['cores']} cores, {machine['threads']} threads, device {machine['device']}, "
        f"torch {machine['torch']}; ratios of medians of interleaved rounds"
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
    summary = f"{verdicts.count('met')} budgets met, {verdicts.count('missed')} missed"
    if header["quick"]:
        summary = "a quick run: sizes and repetitions too small to judge a budget"
    console.print(f"{summary}; {header['seconds']} s; load before the run {machine['load_before']}")
    if isinstance(load := machine["load_before"], float) and load > BUSY and machine["threads"] != 1:
        # A thread that must wait for its core holds up all others of its parallel region, for a whole time slice.
        console.print(
            "The machine was busy: parallel works then take up to 100 times as long, and ratios mean nothing."
        )
