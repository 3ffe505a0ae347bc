"""An experiment whose findings are differences paired by seed: one picture, one page, one record."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.comparison.difference_figure import plot_differences
from experiments.comparison.differences import Difference
from experiments.comparison.selection import Row
from experiments.comparison.tables import Table
from experiments.runs.grid import RunFunction, Settings
from experiments.runs.record import write_record, write_text
from experiments.runs.run_cache import Run
from intertwine.errors import UnknownNameError, listing

RECORD, README, PICTURE = "record.json", "README.md", "differences.png"
CAPTION = "Means with 95 % t intervals over the seeds, each seed a dot; to the right is better. In colour: 0 left out."


@dataclass(frozen=True)
class PairedFindings:
    """What the runs say.

    Attributes:
        tables: for page and terminal.
        panels: differences by name, by title of a panel.
        conclusions: sentences, computed.
        rows: one for each case, method and configuration.
        quantities: what the record keeps of each run.
    """

    tables: Sequence[Table]
    panels: Mapping[str, Mapping[str, Difference]]
    conclusions: Sequence[str]
    rows: Sequence[Row]
    quantities: Sequence[str]

    def to_dict(self) -> dict[str, Any]:
        """Tables, differences and every configuration, seed by seed."""
        return {
            "conclusions": list(self.conclusions),
            "tables": [{"title": t.title, "columns": t.columns, "rows": t.rows} for t in self.tables],
            "differences": {
                title: {name: found.to_dict() for name, found in panel.items()} for title, panel in self.panels.items()
            },
            "every_configuration": [
                {
                    "case": row.condition,
                    **{name: row.settings[0].get(name) for name in ("method", "strength", "learning_rate")},
                    **({"every": row.settings[0]["every"]} if "every" in row.settings[0] else {}),
                    "seeds": list(row.seeds),
                    **{name: row.summary(name).to_dict() for name in self.quantities if name in row.runs[0]},
                }
                for row in self.rows
            ],
        }


@dataclass(frozen=True, eq=False)
class PairedExperiment:
    """An ``Experiment`` of paired differences.

    Attributes:
        name: as typed after ``python -m experiments reproduce``.
        title: heading of its page.
        summary: one line for ``--list``.
        run: one training.
        make_grid: ``(size, seeds) -> settings``.
        num_seeds: by size.
        findings: what runs say.
        label: what the axis of the picture shows.
        notes: how it was measured.
        packages: optional packages, as they are imported.
        extra: the extra that brings them.
        prepare: data to be generated before the runs: ``(size, console)``.
        workers: processes if the user does not say.
    """

    name: str
    title: str
    summary: str
    run: RunFunction
    make_grid: Callable[[str, int], list[dict[str, Any]]]
    num_seeds: Mapping[str, int]
    findings: Callable[[Sequence[tuple[Settings, Run]]], PairedFindings]
    label: str
    notes: tuple[str, ...]
    packages: tuple[str, ...] = ()
    extra: str = "demo"
    prepare: Callable[[str, Any], None] | None = None
    workers: int | None = None

    def grid(self, size: str, seeds: int | None = None, device: str = "cpu") -> list[dict[str, Any]]:
        """The settings of every run; all of them run on the CPU.

        Raises:
            UnknownNameError: no such size.
        """
        del device
        if size not in self.num_seeds:
            raise UnknownNameError("size", expected=f"one of {listing(self.num_seeds)}", got=repr(size))
        return self.make_grid(size, self.num_seeds[size] if seeds is None else seeds)

    def get_ready(self, size: str, console: Any) -> None:
        """Generates what has to be generated."""
        if self.prepare is not None:
            self.prepare(size, console)

    def write(self, runs: Sequence[tuple[Settings, Run]], head: Mapping[str, Any], out: Path) -> list[Path]:
        """Record, page and picture under ``out``; their paths."""
        found = self.findings(runs)
        plot_differences(found.panels, self.label, out / PICTURE)
        finished = sorted(run["finished"] for _, run in runs)
        trained = {"first": finished[0], "last": finished[-1]}
        record = {"experiment": self.name, "title": self.title, **head, "trained": trained, "notes": self.notes}
        write_record(out / RECORD, record | found.to_dict())
        origin = (
            f"{len(runs)} trainings, finished from {finished[0]} to {finished[-1]}, one thread each; "
            f"{head['environment']['processor']}, torch {head['environment']['torch']}; seeds by case in `{RECORD}`."
        )
        parts = [
            f"# {self.title}",
            "Written by the command below; nothing here is typed by hand.",
            f"```\n{head['command']}\n```",
            "\n".join(f"* {sentence}" for sentence in found.conclusions),
            f"![{CAPTION}]({PICTURE})",
            CAPTION,
            *(f"## {table.title}\n\n{table.to_markdown()}" for table in found.tables),
            "## How it was measured",
            *self.notes,
            origin,
        ]
        write_text(out / README, "\n\n".join(parts) + "\n")
        return [out / RECORD, out / README, out / PICTURE]

    def show(self, console: Any, runs: Sequence[tuple[Settings, Run]]) -> None:
        """Tables and conclusions on a rich console."""
        found = self.findings(runs)
        for table in found.tables:
            console.print(table.to_rich())
        for line in found.conclusions:
            console.print(line)
