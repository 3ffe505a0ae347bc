"""The questions that reviewers left open, each answered from the records of the tasks."""

import math
from collections.abc import Sequence

from experiments.comparison.tables import Table
from experiments.evidence.records import Cell, TaskRecord, cell, condition_text

OURS = ("penalty", "decay")
# The field's own exactly equivariant networks: a task has one of them at most.
LIBRARIES = ("e2cnn", "e3nn")
SAMPLED = ("sampled_operator", "sampled_activation", "remul", "lie_derivative")
# Differences within so many standard errors are called level.
LEVEL = 2.0
# Conditions of a task that the README lists in full.
LONG = 8


def everything(tasks: Sequence[TaskRecord]) -> Table:
    """The ends of the dial, the controls, the peers and ours, in every task and condition."""
    methods = ("plain", "weight_decay", "augmentation", "exact", "rpp", "per", *OURS)
    lines: list[tuple[str, ...]] = []
    bold: set[tuple[int, int]] = set()
    for task in tasks:
        for condition in task.conditions:
            rows, decimals = task.rows(condition), task.metric.decimals
            library, sampled = (_best_of(task, condition, names) for names in (LIBRARIES, SAMPLED))
            shown = [*methods[:4], library, *methods[4:6], sampled, *methods[6:]]
            cells = ["–" if m is None else task.cell(condition, m).text(decimals) for m in shown]
            best = task.best(condition)
            if best in shown:
                bold.add((len(lines), 2 + shown.index(best)))
            arrow = "↑" if task.metric.higher_is_better else "↓"
            name = f"{task.name}: {condition_text(condition)}"
            lines.append((name, f"{task.metric.label} {arrow}", *cells, task.labels[best] if rows else ""))
    columns = (
        "task: condition",
        "metric",
        "plain",
        "weight decay",
        "augmentation",
        "exactly equivariant",
        "e2cnn, e3nn",
        "RPP",
        "PER",
        "best sampled",
        "penalty",
        "decay",
        "best of all",
    )
    return Table("Plain and exactly equivariant nets beside all others", columns, tuple(lines), frozenset(bold))


def in_short(tasks: Sequence[TaskRecord]) -> Table:
    """The two ends, the best rival and ours: what the README shows, of a long dial the ends alone."""
    lines: list[tuple[str, ...]] = []
    bold: set[tuple[int, int]] = set()
    for task in tasks:
        conditions = task.conditions
        for condition in conditions if len(conditions) <= LONG else [*conditions[: LONG // 2], conditions[-1]]:
            rivals = [m for m in task.rows(condition) if m not in ("plain", "exact", *LIBRARIES, *OURS)]
            library, rival = (_best_of(task, condition, names) for names in (LIBRARIES, rivals))
            shown = ("plain", "exact", library, rival, *OURS)
            cells = ["–" if m is None else task.cell(condition, m).text(task.metric.decimals) for m in shown]
            if rival is not None:
                cells[3] += f" ({task.labels[rival]})"
            bold.add((len(lines), 1 + shown.index(task.best(condition))))
            arrow = "↑" if task.metric.higher_is_better else "↓"
            lines.append((f"{task.name}: {condition_text(condition)}, {task.metric.label} {arrow}", *cells))
    columns = (
        "task: condition, metric",
        "plain",
        "exactly equivariant",
        "e2cnn, e3nn",
        "best of the others",
        "penalty",
        "decay",
    )
    return Table("All tasks in short", columns, tuple(lines), frozenset(bold))


def leads(tasks: Sequence[TaskRecord], methods: Sequence[str], title: str) -> Table:
    """How far methods are ahead of plain, paired by seed; negative: behind."""
    lines = []
    for task in tasks:
        for condition in task.conditions:
            rows = task.rows(condition)
            cells = [_lead(task, condition, method) for method in methods if method in rows]
            if cells:
                texts = [_lead(task, condition, method).signed(task.metric.decimals) for method in methods]
                lines.append((f"{task.name}: {condition_text(condition)}", task.metric.label, *texts))
    names = {name: label for task in reversed(tasks) for name, label in task.labels.items()}
    return Table(title, ("task: condition", "metric", *(names.get(m, m) for m in methods)), tuple(lines))


def failures(tasks: Sequence[TaskRecord]) -> Table:
    """Where a method of ours is behind plain, or behind the best row, by more than ``LEVEL`` standard errors."""
    lines = []
    for task in tasks:
        for condition in task.conditions:
            for method in OURS:
                if method not in task.rows(condition):
                    continue
                lead = _lead(task, condition, method)
                best = task.best(condition)
                ours, top = task.cell(condition, method), task.cell(condition, best)
                behind = Cell(abs(top.mean - ours.mean), math.hypot(_zero(top.error), _zero(ours.error)))
                reasons = []
                if lead.mean < -LEVEL * _zero(lead.error):
                    reasons.append(f"plain by {Cell(-lead.mean, lead.error).text(task.metric.decimals)}")
                if best != method and behind.mean > LEVEL * behind.error and best != "plain":
                    reasons.append(f"{task.labels[best]} by {behind.text(task.metric.decimals)}")
                if reasons:
                    name = f"{task.name}: {condition_text(condition)}"
                    lines.append((name, task.labels[method], task.metric.label, "; ".join(reasons)))
    title = f"Where ours is behind by more than {LEVEL:g} standard errors"
    return Table(title, ("task: condition", "method", "metric", "behind"), tuple(lines))


def exact_errors(tasks: Sequence[TaskRecord]) -> Table:
    """The network's error at W = PW: exactly equivariant rows, with their relative residual."""
    lines = []
    for task in tasks:
        for condition in task.conditions:
            for method in ("exact", *LIBRARIES, "train_then_project"):
                if method in task.rows(condition):
                    error = task.cell(condition, method, "equivariance_error")
                    plain = task.cell(condition, "plain", "equivariance_error")
                    residual = task.cell(condition, method, "relative_residual")
                    name = f"{task.name}: {condition_text(condition)}"
                    lines.append((name, task.labels[method], *(_size(c) for c in (residual, error, plain))))
    columns = ("task: condition", "network", "relative residual", "equivariance error", "that of plain")
    return Table("The network's error at W = PW", columns, tuple(lines))


def costs(tasks: Sequence[TaskRecord]) -> Table:
    """Processor time of an epoch and memory of a step as multiples of plain's."""
    methods = ("augmentation", "exact", *LIBRARIES, *SAMPLED, "rpp", "per", *OURS)
    lines = []
    for task in tasks:
        for condition in task.conditions:
            texts = []
            for method in methods:
                ratios = [
                    task.cell(condition, method, name).mean / task.cell(condition, "plain", name).mean
                    if task.cell(condition, "plain", name).mean
                    else math.nan
                    for name in ("seconds_per_epoch", "peak_memory")
                ]
                texts.append("–" if math.isnan(ratios[0]) else " / ".join(f"{ratio:.2f}" for ratio in ratios))
            lines.append((f"{task.name}: {condition_text(condition)}", *texts))
    names = {name: label for task in reversed(tasks) for name, label in task.labels.items()}
    columns = ("task: condition", *(names.get(method, method) for method in methods))
    return Table("Time of an epoch / memory of a step, as multiples of plain's", columns, tuple(lines))


def strengths(tasks: Sequence[TaskRecord]) -> Table:
    """How much the strength matters: the metric at every strength of the penalty, its range over them."""
    lines = []
    for task in tasks:
        for condition in task.conditions:
            for method in (*OURS, "weight_decay"):
                tried = [
                    (row["strength"], row[task.metric.name]["mean"])
                    for row in task.data["every_configuration"]
                    if (row["condition"], row["method"]) == (condition, method)
                ]
                known = sorted((s, mean) for s, mean in tried if mean is not None and s is not None)
                if len(known) > 1:
                    means = [mean for _, mean in known]
                    each = ", ".join(f"{s:g}: {mean:.{task.metric.decimals}f}" for s, mean in known)
                    name = f"{task.name}: {condition_text(condition)}"
                    span = f"{max(means) - min(means):.{task.metric.decimals}f}"
                    lines.append((name, task.labels[method], task.metric.label, each, span))
    columns = ("task: condition", "method", "metric", "at each strength", "range")
    return Table("Sensitivity to the strength", columns, tuple(lines))


def own_rates(tasks: Sequence[TaskRecord]) -> Table:
    """Ours with a learning rate of their own, and how far that is ahead of exactly equivariant training."""
    lines = []
    for task in tasks:
        decimals = task.metric.decimals
        for row in task.data.get("own_rates", ()):
            usual = task.cell(row["condition"], row["method"])
            own, gain, over = (cell(row, name) for name in (task.metric.name, "gain", "over_exact"))
            name = f"{task.name}: {condition_text(row['condition'])}"
            texts = (usual.text(decimals), own.text(decimals), gain.signed(decimals), over.signed(decimals))
            lines.append((name, task.labels[row["method"]], task.metric.label, *texts))
    columns = (
        "task: condition",
        "method",
        "metric",
        "usual rate",
        "own rate",
        "gain",
        "ahead of exactly equivariant by",
    )
    return Table("With a learning rate of their own", columns, tuple(lines))


def _best_of(task: TaskRecord, condition: float | str, methods: Sequence[str]) -> str | None:
    means = {m: task.cell(condition, m).mean for m in methods if not math.isnan(task.cell(condition, m).mean)}
    if not means:
        return None
    return (max if task.metric.higher_is_better else min)(means, key=lambda m: means[m])


def _lead(task: TaskRecord, condition: float | str, method: str) -> Cell:
    return next((cell for c, cell in task.leads(method) if c == condition), Cell(math.nan, math.nan))


def _zero(error: float) -> float:
    return 0.0 if math.isnan(error) else error


def _size(value: Cell) -> str:
    """Three decimals, or the power of ten where they would all be zeros; a dash where there is none."""
    return value.text() if not value.mean < 1e-3 else f"{value.mean:.0e}" if value.mean else "0"
