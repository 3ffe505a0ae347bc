"""Runs sections one after the other, with a line of progress for each row."""

from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.row import Row
from benchmarks.sections import SECTIONS
from benchmarks.settings import Settings


def measure(names: Sequence[str], settings: Settings) -> list[Row]:
    """All rows of the named sections."""
    rows: list[Row] = []
    columns = (
        TextColumn("{task.description:<14}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TimeElapsedColumn(),
    )
    # A refreshing bar would be a second thread beside the measured ones; it is redrawn between rows only.
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as progress:
        task = progress.add_task("", total=len(names))
        for name in names:
            progress.update(task, description=name, refresh=True)
            for row in SECTIONS[name](settings):
                rows.append(replace(row, judged=not settings.quick))
                progress.refresh()
            progress.advance(task)
    return rows
