"""What the timings are written to: record, pictures, a Markdown page and an HTML page."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.comparison.tables import Table
from experiments.runs.grid import Settings
from experiments.runs.record import write_record, write_text
from experiments.runs.run_cache import Run
from experiments.runtime.cases import KINDS
from experiments.runtime.findings import POSITIONS, Findings
from experiments.runtime.methods import LABELS
from experiments.runtime.pictures import draw
from experiments.runtime.tables import (
    by_difference,
    by_samples,
    headline,
    memory,
    sampling,
    set_up,
    small_batches,
)
from experiments.runtime.variance import WEIGHTS
from intertwine.diagnostics import PictureSection, Section, TableSection, TextSection, render_html

RECORD, README, PAGE = "record.json", "README.md", "report.html"
_KINDS = "; ".join(KINDS.values())
_WEIGHTS = "; ".join(f"{kind.replace('_', ' ')}: {text}" for kind, text in WEIGHTS.items())
_TEXT = f"""
Networks: {_KINDS}. Finite groups: regular fields and ReLU. SO(2) and SO(3): as many copies of each of the irreps 0 to
3, and gates. w is rounded to whole fields. Kernels of SO(2) and SO(3) are projected on sampled steerable kernels.

Batch times positions is {POSITIONS} exactly in the large cases of size cpu, the least for which the budgets are meant:
with more, the step grows and ours does not. Every typed weight is used at all positions. Networks that pool give their
last layers fewer (a ResNet-18 on 64 x 64 images leaves 4 a sample there, in which most of its weights are used), and
ours then takes a larger share of the step, as plain L2 does.

A step is batch, forward, loss, backward and SGD, the cheapest optimiser, so that shares are as large as they get. All
steps of a network are timed in turn in one process, each round beginning with another method; ratios are medians of
ratios within rounds. Ours and plain L2 are timed by themselves, as the difference of two steps is less than their
noise: value and gradient, added to gradients that are there, less a backward pass through nothing, which a step has
anyway; of the decay an optimiser's empty step with its hook, less one without. The share is that over the median
plain step. The differences of whole steps have a table of their own.

Small weights are computed together, by one gather and a few products whatever their number. What narrow networks
still pay are calls, as they do for plain L2, which stands beside ours. Larger batches and wider layers make that
share vanish.

Plain L2 is W.pow(2).sum() of every typed parameter in the loss. Sampled on activations: the paper's rival, one more
pass through the model for each element, compared at every activation and at the output. Sampled on weights: |g.W -
W|^2 of every typed parameter, without dense matrices; there is none for SO(2) and SO(3) on kernels, whose pixels
carry no action. Augmentation: one element for the whole batch, its cheapest form. Lie derivative: one element of the
algebra, in forward mode. RPP stores every weight twice and projects one of the two in each forward pass. Elements are
drawn anew at each step.

Dense basis: the orthonormal N x D basis of each whole weight, as the reference implementation stores it, in float32;
timed where it fits into 1 GiB and 2^26 numbers a layer, computed elsewhere.

Peak memory: tensors that a step makes, alive at once, beyond model, data and constants; it does not depend on the
allocator. Set-up: intertwine.bind and a first penalty in a fresh process that has imported everything and built
nothing; constants are shared by layers of like fields, and two 32-bit indices an entry order the weights that are
computed together.

Sampling: {_WEIGHTS}. Only W - PW matters, as g.W - W = g.(W - PW) - (W - PW): a small residual is as hard to sample
as a large one. Elements are independent and uniform, so the identity may come up, and adds nothing.

CPU processes run with MALLOC_MMAP_THRESHOLD_=4294967295 MALLOC_TRIM_THRESHOLD_=68719476736 MALLOC_TOP_PAD_=268435456,
without which glibc gives large allocations back at each step and plain L2 itself varies by a factor of 30.
"""
NOTES = tuple(" ".join(paragraph.split()) for paragraph in _TEXT.split("\n\n"))


def tables(found: Findings) -> list[Table]:
    """All tables that there are runs for, the headline first."""
    made = []
    if found.large:
        made.append(headline(found))
    if found.small:
        made.append(small_batches(found))
    if found.widest:
        made += [by_samples(found), memory(found), set_up(found)]
    if found.sampling:
        made.append(sampling(found))
    if found.widest:
        made.append(by_difference(found))
    return made


def write_pages(title: str, runs: Sequence[tuple[Settings, Run]], head: Mapping[str, Any], out: Path) -> list[Path]:
    """Record, pictures and pages under ``out``; their paths, the HTML page last."""
    found = Findings.of(runs)
    pictures = draw(found, out)
    record = {
        "experiment": "runtime",
        **head,
        "labels": LABELS,
        "notes": NOTES,
        "conclusions": found.conclusions(),
        "budgets": found.verdicts(),
        "tables": [{"title": t.title, "columns": t.columns, "rows": t.rows} for t in tables(found)],
        "pictures": [{"name": name, "caption": caption} for name, caption in pictures],
        "runs": [{"settings": dict(settings), "result": run} for settings, run in runs],
    }
    write_record(out / RECORD, record)
    write_text(out / README, _markdown(title, found, pictures, head))
    write_text(out / PAGE, _html(title, found, pictures, head, out))
    return [out / name for name in (RECORD, README, *(name for name, _ in pictures), PAGE)]


def _markdown(title: str, found: Findings, pictures: Sequence[tuple[str, str]], head: Mapping[str, Any]) -> str:
    lines = [f"# {title}", "", "Written by the command below; nothing here is typed by hand.", "",
             f"```\n{head['command']}\n```", "", *(f"{sentence}\n" for sentence in found.conclusions())]  # fmt: skip
    main, *others = tables(found)
    lines += [main.to_markdown(), "", f"{main.title}.", ""]
    lines += [f"![{caption}]({name})\n\n{caption}\n" for name, caption in pictures]
    lines += ["## Budgets", "", *(f"* {line}" for line in budget_lines(found)), ""]
    for table in others:
        lines += [f"## {table.title}", "", table.to_markdown(), ""]
    lines += ["## How it was measured", "", *(f"* {note}" for note in NOTES)]
    return "\n".join([*lines, f"* {_origin(found, head)} Numbers: `{RECORD}`.", ""])


def _html(title: str, found: Findings, pictures: Sequence[tuple[str, str]], head: Mapping[str, Any], out: Path) -> str:
    main, *others = tables(found)
    sections: list[Section] = [
        TextSection("Result", found.conclusions()),
        _section(main),
        *(PictureSection(name, out / name, caption) for name, caption in pictures),
        TextSection("Budgets", budget_lines(found), bullets=True),
        *(_section(table) for table in others),
        TextSection("How it was measured", [*NOTES, _origin(found, head)], bullets=True),
    ]
    environment = {"command": head["command"], "date": head["date"], **head["environment"]}
    return render_html(title, sections, environment=environment)


def budget_lines(found: Findings) -> list[str]:
    """Each budget with the networks that miss it."""
    lines = []
    for verdict in found.verdicts():
        missed, cases = verdict["missed"], verdict["cases"]
        if not cases or not isinstance(missed, list):
            continue
        where = f"missed in {len(missed)} of {cases}: {'; '.join(missed)}" if missed else f"met in all {cases} networks"
        lines.append(f"{verdict['what']} {verdict['budget']}: {where}.")
    return lines


def _origin(found: Findings, head: Mapping[str, Any]) -> str:
    environment = head["environment"]
    steps = (*found.large, *found.small)
    threads = ", ".join(map(str, sorted({s.run["threads"] for s in steps})))
    load = max((s.run["load"] for s in steps), default=0.0)
    return (
        f"{head['date']}; {environment['processor']}, {environment['cores']} cores, device {head['device']}, torch "
        f"{environment['torch']}, {threads} threads; one run at a time, load average before a run at most {load:.1f}; "
        f"{head['runs']} runs, {head['runs_from_cache']} of them by an earlier call."
    )


def _section(table: Table) -> TableSection:
    return TableSection(table.title, table.columns, [list(row) for row in table.rows], ())
