"""A task: what is compared on which data, in which sizes, and what its record and pages hold."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiments.comparison.metric import Metric
from experiments.comparison.outcome import TaskOutcome, show_outcome, write_outcome
from experiments.comparison.own_rates import at_the_usual_rate, own_rates
from experiments.comparison.selection import Row, expand_variants, rows_by_strength, select
from experiments.runs.grid import RunFunction, Settings
from experiments.runs.run_cache import Run
from intertwine.errors import UnknownNameError, listing

Picture = tuple[str, str]


@dataclass(frozen=True)
class TaskPlan:
    """One size of a task.

    Attributes:
        conditions: the values of the dial, or the names of cases.
        methods: keys of ``BASELINES`` or of the task's own methods; variants of plain come by themselves.
        seeds: how many, from 0.
        strengths: those that validation chooses from, by method, equally many for each.
        learning_rates: those that validation chooses from for methods without a strength, as many as strengths; the
            middle one is everybody else's.
        own_rates: methods with a strength that are tried with every learning rate too, for a table of their own.
        options: goes into the settings of every run.
    """

    conditions: tuple[float | str, ...]
    methods: tuple[str, ...]
    seeds: int
    strengths: Mapping[str, tuple[float, ...]]
    learning_rates: tuple[float, ...]
    own_rates: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def learning_rate(self) -> float:
        """That of the methods with a strength."""
        return self.learning_rates[len(self.learning_rates) // 2]

    def configurations(self, method: str) -> list[dict[str, Any]]:
        """Strengths and learning rates that a method is tried with."""
        if method in self.strengths:
            # The usual rate first.
            rates = [self.learning_rate]
            rates += [r for r in self.learning_rates if method in self.own_rates and r != self.learning_rate]
            return [{"strength": s, "learning_rate": rate} for rate in rates for s in self.strengths[method]]
        return [{"strength": None, "learning_rate": rate} for rate in self.learning_rates]

    def grid(self, seeds: int, device: str) -> list[dict[str, Any]]:
        """The settings of every run, seed by seed."""
        return [
            {"condition": condition, "method": method, "seed": seed, "device": device, **configuration, **self.options}
            for seed in range(seeds)
            for condition in self.conditions
            for method in self.methods
            for configuration in self.configurations(method)
        ]


@dataclass(frozen=True, eq=False)
class Task:
    """A comparison of methods on one data set; an ``Experiment``.

    Attributes:
        name: as typed after ``python -m experiments reproduce``.
        title: heading of its page.
        summary: one line for ``--list``.
        run: one training, a function of a module: settings to result.
        plans: by size, ``"smoke"``, ``"cpu"``, ``"full"``.
        labels: methods with their names, in the order of tables, variants of plain among them.
        metrics: what methods are measured by; the first is drawn.
        condition_label: what the conditions are.
        notes: how it was measured, what it shows and what not.
        conclusions: sentences computed from the rows.
        packages: optional packages that it needs, as they are imported.
        extra: the extra that brings them.
        prepare: data to be generated before the runs: ``(plan, console)``.
        pictures: own pictures beside the standard ones: ``(rows, curves, out) -> [(file name, caption)]``.
        make_grid: replaces the plan's grid: ``(plan, seeds, device) -> settings``.
        workers: processes if the user does not say; None: one per core.
    """

    name: str
    title: str
    summary: str
    run: RunFunction
    plans: Mapping[str, TaskPlan]
    labels: Mapping[str, str]
    metrics: tuple[Metric, ...]
    condition_label: str
    notes: tuple[str, ...]
    conclusions: Callable[[Sequence[Row]], list[str]]
    packages: tuple[str, ...] = ()
    extra: str = "demo"
    prepare: Callable[[TaskPlan, Any], None] | None = None
    pictures: Callable[[Sequence[Row], Sequence[Row], Path], list[Picture]] | None = None
    make_grid: Callable[[TaskPlan, int, str], list[dict[str, Any]]] | None = None
    workers: int | None = None

    @property
    def num_seeds(self) -> Mapping[str, int]:
        """Seeds by size."""
        return {size: plan.seeds for size, plan in self.plans.items()}

    def plan(self, size: str) -> TaskPlan:
        """The plan of a size.

        Raises:
            UnknownNameError: the task has no such size.
        """
        if size not in self.plans:
            raise UnknownNameError("size", expected=f"one of {listing(self.plans)}", got=repr(size))
        return self.plans[size]

    def grid(self, size: str, seeds: int | None = None, device: str = "cpu") -> list[dict[str, Any]]:
        """The settings of every run."""
        plan = self.plan(size)
        count = plan.seeds if seeds is None else seeds
        return plan.grid(count, device) if self.make_grid is None else self.make_grid(plan, count, device)

    def get_ready(self, size: str, console: Any) -> None:
        """Generates what has to be generated."""
        if self.prepare is not None:
            self.prepare(self.plan(size), console)

    def write(self, runs: Sequence[tuple[Settings, Run]], head: Mapping[str, Any], out: Path) -> list[Path]:
        """Record, pages and pictures under ``out``; the HTML page last."""
        return write_outcome(self.outcome(runs, head), out, self.pictures)

    def show(self, console: Any, runs: Sequence[tuple[Settings, Run]]) -> None:
        """The table and the conclusions on a rich console."""
        show_outcome(self.outcome(runs, {}), console)

    def outcome(self, runs: Sequence[tuple[Settings, Run]], head: Mapping[str, Any]) -> TaskOutcome:
        """Rows and conclusions of finished runs."""
        more = sorted({method for plan in self.plans.values() for method in plan.own_rates})
        curves = rows_by_strength(expand_variants(at_the_usual_rate(runs, more)), "condition")
        rows = [row for row in select(curves) if row.method in self.labels]
        order = {method: i for i, method in enumerate(self.labels)}
        conditions = {condition: i for i, condition in enumerate(dict.fromkeys(row.condition for row in rows))}
        rows.sort(key=lambda row: (conditions[row.condition], order[row.method]))
        return TaskOutcome(
            name=self.name,
            title=self.title,
            labels=self.labels,
            metrics=self.metrics,
            condition_label=self.condition_label,
            notes=self.notes,
            rows=tuple(rows),
            curves=tuple(curves),
            conclusions=tuple(self.conclusions(rows)),
            own_rates=tuple(own_rates(runs, more, rows)),
            head=head,
        )
