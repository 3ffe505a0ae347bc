"""What a task writes: record, pictures, a Markdown page and an HTML page."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from experiments.comparison.figures import Axis, plot_panels
from experiments.comparison.lone_seeds import lone_seed_note
from experiments.comparison.metric import Metric
from experiments.comparison.own_rates import NOTE as OWN_RATE_NOTE
from experiments.comparison.own_rates import OwnRate, own_rate_table
from experiments.comparison.selection import Row
from experiments.comparison.strength_edges import edge_note
from experiments.comparison.summary import paired
from experiments.comparison.tables import Table
from experiments.comparison.task_tables import every_column, metric_table
from experiments.runs.record import write_record, write_text
from intertwine.diagnostics import PictureSection, Section, TextSection, render_html

RECORD, README, PAGE = "record.json", "README.md", "report.html"
ERROR, TIME = "error.png", "time.png"
QUANTITIES = ("equivariance_error", "relative_residual", "chance", "seconds_per_epoch", "peak_memory", "parameters")
SELECTION_NOTE = """
Every method has the same tuning budget: methods with a strength are tried with so many strengths at one learning rate,
the others with as many learning rates (which those with a strength do not get). Each seed takes the configuration
with the best score on its own validation data; the test data decide nothing. Errors are standard errors over the
seeds, which differ in data split, initial weights, order of batches and sampled elements; all methods of a seed share
them.
"""
COLUMN_NOTE = """
Equivariance error: of the whole network on test inputs, |f(gx) - g f(x)| / |f(x)|. Relative residual: |W - PW| / |W|
over all typed weights together, beside what random weights have. Seconds per epoch: processor time on one thread, so
that runs side by side do not disturb it. Peak memory: tensors alive at once during a training step, beyond
the model. Variants of plain (train, then project; orbit averaging) are the plain trainings finished otherwise.
"""


@dataclass(frozen=True)
class TaskOutcome:
    """What a task found.

    Attributes:
        name: of the task.
        title: heading.
        labels: methods with their names.
        metrics: the first is drawn.
        condition_label: what the conditions are.
        notes: the task's own.
        rows: one for each condition and method, configurations chosen by validation.
        curves: one for each condition, method and configuration.
        conclusions: sentences.
        own_rates: methods with a learning rate of their own, beside the rows.
        head: where it comes from: command, date, versions, machine; empty before that is known.
    """

    name: str
    title: str
    labels: Mapping[str, str]
    metrics: tuple[Metric, ...]
    condition_label: str
    notes: tuple[str, ...]
    rows: tuple[Row, ...]
    curves: tuple[Row, ...]
    conclusions: tuple[str, ...]
    own_rates: tuple[OwnRate, ...]
    head: Mapping[str, Any]

    @property
    def all_notes(self) -> list[str]:
        """The task's notes, what holds for all tasks, and rows with too narrow a range of strengths or a lone seed."""
        more = [OWN_RATE_NOTE] if self.own_rates else []
        edges = edge_note(self.rows, self.curves, self.labels)
        lone = lone_seed_note(self.rows, self.labels, self.metrics[0])
        notes = (*self.notes, SELECTION_NOTE, COLUMN_NOTE, *more, edges, lone)
        return [" ".join(note.split()) for note in notes if note]

    def tables(self) -> list[Table]:
        """The main metric by condition, every column, and methods with learning rates of their own if there are any."""
        label, metric = self.condition_label, self.metrics[0]
        found = [
            metric_table(self.rows, self.labels, metric),
            every_column(self.rows, self.labels, self.metrics, label),
        ]
        return [*found, own_rate_table(self.own_rates, self.labels, metric, label)] if self.own_rates else found

    def record(self) -> dict[str, Any]:
        """Everything, as plain values."""
        names = (*(metric.name for metric in self.metrics), *QUANTITIES)
        return {
            "experiment": self.name,
            "title": self.title,
            **self.head,
            "labels": dict(self.labels),
            "metrics": [vars(metric) for metric in self.metrics],
            "condition": self.condition_label,
            "notes": self.all_notes,
            "conclusions": list(self.conclusions),
            "rows": [
                {
                    "condition": row.condition,
                    "method": row.method,
                    "seeds": list(row.seeds),
                    "strengths": list(row.strengths),
                    "learning_rates": list(row.learning_rates),
                    **{name: row.summary(name).to_dict() for name in names},
                    **self._lead(row),
                }
                for row in self.rows
            ],
            "own_rates": [
                {
                    "condition": each.row.condition,
                    "method": each.row.method,
                    "strengths": list(each.row.strengths),
                    "learning_rates": list(each.row.learning_rates),
                    self.metrics[0].name: each.row.summary(self.metrics[0].name).to_dict(),
                    "gain": each.gain(self.metrics[0]).to_dict(),
                    "over_exact": None if (over := each.over_exact(self.metrics[0])) is None else over.to_dict(),
                }
                for each in self.own_rates
            ],
            "every_configuration": [
                {
                    "condition": row.condition,
                    "method": row.method,
                    "strength": row.strengths[0],
                    "learning_rate": row.learning_rates[0],
                    "seeds": list(row.seeds),
                    # Seed by seed, so that every choice by validation can be made again.
                    **{name: row.summary(name).to_dict(5) for name in ("validation_loss", *names[:-3])},
                }
                for row in self.curves
            ],
        }

    def _lead(self, row: Row) -> dict[str, Any]:
        """How far a row is ahead of plain in the main metric, seed by seed."""
        plain = next((r for r in self.rows if (r.condition, r.method) == (row.condition, "plain")), None)
        if plain is None or plain.seeds != row.seeds:
            return {}
        metric = self.metrics[0]
        first, second = row.values(metric.name), plain.values(metric.name)
        lead = paired(first, second) if metric.higher_is_better else paired(second, first)
        return {"lead_over_plain": lead.to_dict()}


def write_outcome(
    found: TaskOutcome,
    out: Path,
    own_pictures: Callable[[Sequence[Row], Sequence[Row], Path], list[tuple[str, str]]] | None = None,
) -> list[Path]:
    """Record, pictures and pages under ``out``; their paths, the HTML page last."""
    metric, condition = found.metrics[0], found.condition_label
    error = Axis("equivariance_error", "relative equivariance error of the network", smallest=1e-7)
    seconds = Axis("seconds_per_epoch", "seconds per epoch (processor time)", smallest=1e-6)
    plot_panels(found.rows, found.curves, found.labels, error, metric, condition, out / ERROR)
    plot_panels(found.rows, (), found.labels, seconds, metric, condition, out / TIME)
    captions = {
        ERROR: f"{metric.label} against the network's equivariance error. Markers: the rows of the table; lines: all "
        "strengths of a method.",
        TIME: f"{metric.label} against the processor time of an epoch.",
    }
    if own_pictures is not None:
        captions |= dict(own_pictures(found.rows, found.curves, out))
    pictures = [{"name": name, "caption": caption} for name, caption in captions.items()]
    write_record(out / RECORD, found.record() | {"pictures": pictures})
    write_text(out / README, _markdown(found, captions))
    write_text(out / PAGE, _html(found, captions, out))
    return [out / name for name in (RECORD, README, *captions, PAGE)]


def show_outcome(found: TaskOutcome, console: Any) -> None:
    """The main table, the conclusions."""
    console.print(found.tables()[0].to_rich())
    for line in found.conclusions:
        console.print(line)


def _markdown(found: TaskOutcome, captions: Mapping[str, str]) -> str:
    main, *others = found.tables()
    return "\n".join(
        [
            f"# {found.title}",
            "",
            "Written by the command below; nothing here is typed by hand.",
            "",
            f"```\n{found.head['command']}\n```",
            "",
            *(f"{sentence}\n" for sentence in found.conclusions),
            main.to_markdown(),
            "",
            f"{main.title}; columns: {found.condition_label}.",
            "",
            *(f"![{caption}]({name})\n\n{caption}\n" for name, caption in captions.items()),
            *(line for table in others for line in (f"## {table.title}", "", table.to_markdown(), "")),
            "## How it was measured",
            "",
            *(f"* {note}" for note in found.all_notes),
            f"* {origin(found.head)} Numbers: `{RECORD}`.",
            "",
        ]
    )


def origin(head: Mapping[str, Any]) -> str:
    """Date, machine and size of the work, in words."""
    environment = head["environment"]
    return (
        f"{head['date']}; {environment['processor']}, {environment['cores']} cores, device {head['device']}, torch "
        f"{environment['torch']}; seeds {', '.join(map(str, head['seeds']))}; {head['runs']} runs, "
        f"{head['runs_from_cache']} of them by an earlier call; {head['workers']} at a time, one thread each."
    )


def _html(found: TaskOutcome, captions: Mapping[str, str], out: Path) -> str:
    environment = {"command": found.head["command"], "date": found.head["date"], **found.head["environment"]}
    main, *others = found.tables()
    sections: list[Section] = [
        TextSection("Result", found.conclusions),
        main.to_section(),
        *(PictureSection(name, out / name, caption) for name, caption in captions.items()),
        *(table.to_section() for table in others),
        TextSection("How it was measured", [*found.all_notes, origin(found.head)], bullets=True),
    ]
    return render_html(found.title, sections, environment=environment)
