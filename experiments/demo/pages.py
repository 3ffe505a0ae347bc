"""What the demo writes: record, pictures, a Markdown page and an HTML page."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from experiments.comparison.figures import Axis, plot_dial, plot_panels
from experiments.comparison.metric import Metric
from experiments.comparison.selection import Row
from experiments.comparison.tables import Table, accuracy_table, detail_table
from experiments.demo.digits_training import NETWORKS, train
from experiments.demo.outcome import LABELS, NOTES, Outcome
from experiments.demo.plan import REFERENCE
from experiments.runs.grid import one_thread
from experiments.runs.record import write_record, write_text
from intertwine.diagnostics import PictureSection, Section, TableSection, TextSection, render_html, report

TITLE = "Handwritten digits with a dial for symmetry breaking"
DIAL_LABEL = "fraction f of the digits turned by a random multiple of 90 degrees"
ACCURACY, ERROR, RECORD, README, PAGE = "accuracy.png", "error.png", "record.json", "README.md", "report.html"
CAPTIONS = {
    ACCURACY: "Test accuracy along the dial, with standard errors over the seeds.",
    ERROR: "Test accuracy against the network's equivariance error. Markers: the rows of the table; lines: penalty and "
    "decay at every strength, from weak (right) to strong (left).",
}


def write_outputs(found: Outcome, out: Path) -> list[Path]:
    """Record, pictures and pages under ``out``; their paths, the HTML page last."""
    write_record(out / RECORD, found.record())
    plot_dial(found.rows, LABELS, DIAL_LABEL, out / ACCURACY)
    error = Axis("equivariance_error", "relative equivariance error on the test digits", smallest=1e-7)
    accuracy = Metric("test_accuracy", "test accuracy", higher_is_better=True)
    plot_panels(found.rows, found.curves, LABELS, error, accuracy, "f", out / ERROR)
    write_text(out / README, markdown_page(found))
    write_text(out / PAGE, html_page(found, out))
    return [out / name for name in (RECORD, README, ACCURACY, ERROR, PAGE)]


def copy_record(out: Path, folder: Path) -> Path:
    """The small files, all but the HTML page, to be committed; returns the Markdown page."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (RECORD, README, ACCURACY, ERROR):
        shutil.copyfile(out / name, folder / name)
    return folder / README


def markdown_page(found: Outcome) -> str:
    """Table, pictures, command and conclusions."""
    head, environment = found.head, found.head["environment"]
    machine = f"{environment['processor']}, {environment['cores']} cores, torch {environment['torch']}"
    cached, wall = head["trainings_from_cache"], f"wall time {head['wall_seconds']:.0f} s"
    details = detail_table(found.rows, LABELS, "f", found.chance)
    work = f"{head['trainings']} trainings, {head['training_seconds']:.0f} s in all, {head['workers']} at a time"
    return "\n".join(
        [
            f"# {TITLE}",
            "",
            "Written by the command below; nothing here is typed by hand.",
            "",
            f"```\n{head['command']}\n```",
            "",
            *(f"{sentence}\n" for sentence in found.conclusions()),
            accuracy_table(found.rows, LABELS, "f").to_markdown(),
            "",
            *(f"![{caption}]({name})\n" for name, caption in CAPTIONS.items()),
            "## The claim",
            "",
            *(f"* {line}" for line in found.claim()),
            "",
            "## Every column",
            "",
            details.to_markdown(),
            "",
            f"{details.title}.",
            "",
            "## How it was measured",
            "",
            *(f"* {note}" for note in NOTES),
            f"* {_training(found)}",
            f"* {head['date']}, {machine}; {work}, {cached} of them by an earlier call; {wall}. Numbers: `{RECORD}`.",
            "",
        ]
    )


def html_page(found: Outcome, out: Path) -> str:
    """The same as one self-contained page, with the report on every layer of three networks."""
    environment = {"command": found.head["command"], "date": found.head["date"], **found.head["environment"]}
    sections: list[Section] = [
        TextSection("Result", found.conclusions()),
        accuracy_table(found.rows, LABELS, "f").to_section(),
        PictureSection("Accuracy along the dial", out / ACCURACY, CAPTIONS[ACCURACY]),
        PictureSection("Accuracy against equivariance error", out / ERROR, CAPTIONS[ERROR]),
        TextSection("The claim", found.claim(), bullets=True),
        detail_table(found.rows, LABELS, "f", found.chance).to_section(),
        _layers(found).to_section(),
        *_reports(found, ("plain", "decay")),
        TextSection("How it was measured", [*NOTES, _training(found)], bullets=True),
    ]
    return render_html(TITLE, sections, lead=f"f: {DIAL_LABEL}.", environment=environment)


def _training(found: Outcome) -> str:
    settings = found.plan.settings(0.0, 0, "plain")
    rest = (
        f"SGD with momentum {settings.momentum:g}, batches of {settings.batch_size}, {settings.epochs} epochs, "
        f"learning rate {settings.learning_rate:g} falling to 0 along a cosine"
    )
    strengths = "; ".join(
        f"{LABELS[method]} {', '.join(f'{s:g}' for s in values)}" for method, values in found.plan.strengths.items()
    )
    return (
        f"The network: {NETWORKS[settings.model]}. "
        f"{settings.training} training and {settings.validation} validation digits, the rest of the 1797 for the test; "
        f"{found.plan.num_seeds} seeds; {rest}, for all methods. Strengths: {strengths}."
    )


def _layers(found: Outcome) -> Table:
    """Relative residual by tensor and method at the reference fraction."""
    rows: Sequence[Row] = [row for row in found.rows if row.condition == REFERENCE]
    names = list(rows[0].runs[0]["residuals"])
    lines = []
    for row in rows:
        means = [
            sum(run["residuals"][name] for run in row.runs) / len(row.runs)
            if all(name in run["residuals"] for run in row.runs)
            else float("nan")
            for name in names
        ]
        lines.append((LABELS[row.method], *(f"{mean:.3f}" if mean >= 1e-3 else f"{mean:.0e}" for mean in means)))
    title = f"Relative residual by tensor at f = {REFERENCE:g}, mean over the seeds"
    return Table(title, ("method", *names), tuple(lines))


def _reports(found: Outcome, methods: Sequence[str]) -> list[Section]:
    """``iw.report`` on networks of the first seed, trained once more: runs keep their numbers, not their weights."""
    sections: list[Section] = []
    for method in methods:
        row = next(row for row in found.rows if (row.condition, row.method) == (REFERENCE, method))
        settings = found.plan.settings(REFERENCE, row.seeds[0], method, row.strengths[0])
        with one_thread():
            table = report(train(settings).binding).sections()[0]
        strength = "" if row.strengths[0] is None else f", strength {row.strengths[0]:g}"
        if isinstance(table, TableSection):
            title = f"Layers of the network of {LABELS[method]}{strength} (f = {REFERENCE:g}, seed {row.seeds[0]})"
            sections.append(TableSection(title, table.columns, table.rows, table.notes, table.bold_rows))
    return sections
