"""Progress of a grid: a bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Without a terminal, so many lines in all.
LINES = 10


class Progress:
    """Counts finished runs on a rich console.

    Args:
        console: a ``rich.console.Console``; None is silent.
        label: what is counted.
    """

    def __init__(self, console: Any | None, label: str = "runs") -> None:
        self.console, self.label = console, label
        self._bar: Any = None
        self._task: Any = None
        self._total = self._finished = self._printed = 0
        self._start = 0.0

    @contextmanager
    def running(self, total: int, finished: int) -> Iterator[None]:
        """Shows the bar inside; ``finished`` of ``total`` were there before."""
        self._total, self._finished, self._printed = total, finished, 0
        self._start = time.perf_counter()
        if self.console is None:
            yield
            return
        if finished:
            self.console.print(f"{finished} of {total} {self.label} are in the cache")
        if not self.console.is_terminal or finished == total:
            yield
            return
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Bar(*columns, TextColumn("left"), TimeRemainingColumn(), console=self.console, transient=True) as bar:
            self._bar, self._task = bar, bar.add_task(self.label, total=total, completed=finished)
            try:
                yield
            finally:
                self._bar = None

    def advance(self) -> None:
        """One more run is finished."""
        self._finished += 1
        if self._bar is not None:
            self._bar.update(self._task, completed=self._finished)
            return
        tenths = self._finished * LINES // max(1, self._total)
        if self.console is not None and tenths > self._printed:
            self._printed = tenths
            seconds = time.perf_counter() - self._start
            self.console.print(f"{self._finished} of {self._total} {self.label}, {seconds:.0f} s")
