"""What a run leaves behind: JSON, a table in Markdown, a picture."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmarks.row import Row

COLUMNS = ("work", "budget", "measured", "interval (passes)", "verdict")


def cells(row: Row) -> tuple[str, ...]:
    """A row as texts, one per entry of ``COLUMNS``."""
    return (row.work, row.budget_text, row.text(row.value), row.range_text, row.verdict)


def markdown(rows: Sequence[Row], header: Mapping[str, object]) -> str:
    """The table with the machine above it and the notes below."""
    machine: Mapping[str, object] = header["machine"]  # type: ignore[assignment]
    threads = f"{machine['cores']} cores, {machine['threads']} threads, load {machine['load_before']} before"
    threads += f", {header['load_after']} after" if "load_after" in header else ""
    where = f"{machine['processor']}, {threads}, device {machine['device']}, torch {machine['torch']}"
    lines = [
        f"{machine['date']}, {where}. Made with `{header['command']}`.",
        "",
        f"| {' | '.join(COLUMNS)} |",
        f"|{'---|' * len(COLUMNS)}",
    ]
    notes: list[str] = []
    for row in rows:
        work, *rest = cells(row)
        if row.note:
            notes.append(row.note)
            work = f"{work} ({len(notes)})"
        lines.append(f"| {' | '.join([work, *rest])} |")
    lines += ["", *(f"{number}. {note}" for number, note in enumerate(notes, 1))]
    return "\n".join(lines).replace("<=", "≤").replace(">=", "≥").rstrip() + "\n"


def write_record(rows: Sequence[Row], header: Mapping[str, object], folder: Path) -> list[Path]:
    """Writes ``bench.json``, ``bench.md`` and, where matplotlib is installed, ``bench.png``; returns all paths."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {**header, "rows": [row.as_dict() for row in rows]}
    written = [folder / "bench.json", folder / "bench.md"]
    written[0].write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    written[1].write_text(markdown(rows, header), encoding="utf-8")
    try:
        from benchmarks.pages.picture import picture
    except ModuleNotFoundError:
        return written
    figure = picture(rows)
    if figure is not None:
        written.append(folder / "bench.png")
        figure.savefig(written[-1], dpi=120)
    return written
