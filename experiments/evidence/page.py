"""``python -m experiments evidence``: ``docs/evidence/index.md``, generated from the records under ``results/``."""

from collections.abc import Sequence
from pathlib import Path

from experiments.comparison.outcome import ERROR, TIME
from experiments.comparison.tables import Table
from experiments.evidence import sections
from experiments.evidence.records import TaskRecord, read_record, read_tasks
from experiments.evidence.runtime import runtime_section
from experiments.runs.experiment import NAMES
from experiments.runs.record import write_text

PAGE = Path("docs") / "evidence" / "index.md"
README = "README.md"
START, END = "<!-- all tasks in short, by `python -m experiments evidence` -->", "<!-- end -->"
COMPARED = ("train_then_project", "orbit_averaging", "rpp", "per", "exact", "penalty", "decay")
INTRODUCTION = """
This page is written by `make results` (`python -m experiments evidence`) from the records under `results/`; nothing on
it is typed by hand. Each record names its command, seeds, versions, machine and date. Errors are standard errors over
the seeds; every method has the same number of configurations, and validation chooses among them for each seed.
"""


def write_page(root: Path) -> Path:
    """Writes the page of a checkout, and the table in its README; returns the page's path."""
    write_text(root / PAGE, page(root / "results"))
    readme = root / README
    if readme.is_file():
        write_text(readme, with_table(readme.read_text(encoding="utf-8"), root / "results"))
    return root / PAGE


def with_table(text: str, results: Path) -> str:
    """The README with the table of all tasks between its two marks; as it is if it has no marks."""
    start, mark, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not (mark and end):
        return text
    return f"{start}{START}\n{sections.in_short(read_tasks(results, NAMES)).to_markdown()}\n{END}{after}"


def page(results: Path) -> str:
    """The page, as Markdown."""
    tasks = read_tasks(results, NAMES)
    full = read_tasks(results, tuple(f"{name}-full" for name in NAMES))
    parts = ["# Evidence", " ".join(INTRODUCTION.split()), "## Findings", *_findings(tasks)]
    if full:
        parts += ["## Findings at size full", "The papers' widths and epochs, and more strengths.", *_findings(full)]
    parts += _section(
        "Plain and exactly equivariant nets beside all others",
        "The best of each line is set in bold where it is shown; ↑: higher is better, ↓: lower is better. "
        "*Best sampled*: the best of the penalties that sample group elements.",
        sections.everything(tasks),
    )
    parts += runtime_section(read_record(results, "runtime"))
    parts += _section(
        "What the methods cost in these tasks",
        "Processor time of an epoch and peak memory of a step beyond the model, both divided by plain's.",
        sections.costs(tasks),
    )
    parts += _section(
        "Sensitivity to both strengths",
        "The metric at every strength that was tried. A strength s on the rest and s_G = s on the equivariant part is "
        "weight decay: where weight decay does not help, a strength on the equivariant part has nothing to give. The "
        "paper's own grid over both strengths is in [rings](../../results/rings/README.md).",
        sections.strengths(tasks),
    )
    rates = sections.own_rates(tasks)
    if rates.rows:
        parts += _section(
            rates.title,
            "In the tables above a method with a strength has the learning rate of everybody, and exactly equivariant "
            "training has chosen its own. Here penalty and decay choose strength and rate together, with three times "
            "as many tries: what of the differences is one of rates.",
            rates,
        )
    parts += ["## Error against performance", *_pictures(tasks, ERROR, "equivariance error against {metric}")]
    parts += ["## Time against performance", *_pictures(tasks, TIME, "time of an epoch against {metric}")]
    parts += ["## The degree of symmetry breaking, the two strengths, decision regions", *_own_pictures(tasks)]
    parts += _section(
        "Train, then project; RPP; PER",
        "How far each is ahead of plain, seed by seed; negative: behind.",
        sections.leads(
            tasks, ("train_then_project", "orbit_averaging", "rpp", "per", "exact", *sections.OURS), "leads"
        ),
    )
    failed = sections.failures(tasks)
    parts += _section(
        "Failure cases",
        "Every task and condition in which ours is behind plain, or behind the best method, by more than two standard "
        "errors."
        if failed.rows
        else "There is none by more than two standard errors.",
        failed if failed.rows else None,
    )
    parts += _section(
        "The network's error at W = PW",
        "A relative residual of 0 makes the weights equivariant; the network is so only if everything between them is.",
        sections.exact_errors(tasks),
    )
    return "\n\n".join(parts) + "\n"


def _findings(tasks: Sequence[TaskRecord]) -> list[str]:
    """What each task concluded, in its own words."""
    parts = []
    for task in tasks:
        parts.append(f"**[{task.data['title']}](../../results/{task.name}/README.md)** (`{task.data['command']}`)")
        parts.append("\n".join(f"* {sentence}" for sentence in task.data["conclusions"]))
    return parts


def _pictures(tasks: Sequence[TaskRecord], name: str, what: str) -> list[str]:
    texts = []
    for task in tasks:
        caption = f"{task.name}: {what.format(metric=task.metric.label)}"
        texts.append(f"![{caption}](../../results/{task.name}/{name})")
    return texts


def _own_pictures(tasks: Sequence[TaskRecord]) -> list[str]:
    """The pictures that single tasks have beside the two of all tasks."""
    parts = []
    for task in tasks:
        for picture in task.data.get("pictures", ()):
            name, caption = picture["name"], picture["caption"]
            if name not in (ERROR, TIME):
                parts.append(f"![{task.name}: {name}](../../results/{task.name}/{name})\n\n*{task.name}.* {caption}")
    return parts


def _section(title: str, text: str, table: Table | None) -> list[str]:
    return [f"## {title}", text, *([table.to_markdown()] if table is not None and table.rows else [])]
