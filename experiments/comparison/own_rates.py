"""What a learning rate of their own would change for methods that are tuned at everybody's rate."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.comparison.metric import Metric
from experiments.comparison.selection import Row, rows_by_strength, select
from experiments.comparison.summary import Summary, paired
from experiments.comparison.tables import Table
from experiments.runs.grid import Settings
from experiments.runs.run_cache import Run

TITLE = "With a learning rate of their own"
NOTE = """
Table "With a learning rate of their own": the same methods, their strength and their learning rate chosen together, the
rates being those of methods without a strength: as many times more tries. It stands apart, as it is no equal tuning;
it tells how much of a difference to other methods is one of learning rates.
"""


@dataclass(frozen=True)
class OwnRate:
    """One method in one condition with more tries, beside what it is compared with.

    Attributes:
        row: strength and learning rate chosen by validation.
        usual: the row of the table, whose learning rate is everybody's.
        exact: exactly equivariant training, which has chosen its rate.
    """

    row: Row
    usual: Row
    exact: Row | None

    def gain(self, metric: Metric) -> Summary:
        """How far it is ahead of the usual row, seed by seed."""
        return _lead(self.row, self.usual, metric)

    def over_exact(self, metric: Metric) -> Summary | None:
        """How far it is ahead of exactly equivariant training."""
        return None if self.exact is None else _lead(self.row, self.exact, metric)


def at_the_usual_rate(runs: Sequence[tuple[Settings, Run]], methods: Sequence[str]) -> list[tuple[Settings, Run]]:
    """The runs without those in which one of ``methods`` has a learning rate of its own: not the middle one.

    Examples:
        >>> runs = [({"method": "decay", "learning_rate": rate}, {}) for rate in (0.1, 1.0, 10.0)]
        >>> [settings["learning_rate"] for settings, _ in at_the_usual_rate(runs, ["decay"])]
        [1.0]
        >>> len(at_the_usual_rate(runs, []))
        3
    """
    rates = {m: sorted({s["learning_rate"] for s, _ in runs if s["method"] == m}) for m in methods}
    usual = {method: found[len(found) // 2] for method, found in rates.items() if found}
    return [
        (settings, run)
        for settings, run in runs
        if settings["learning_rate"] == usual.get(settings["method"], settings["learning_rate"])
    ]


def own_rates(
    runs: Sequence[tuple[Settings, Run]], methods: Sequence[str], rows: Sequence[Row], dial: str = "condition"
) -> list[OwnRate]:
    """Each of ``methods`` with every rate that it was tried with, in the conditions in which there are several.

    Args:
        runs: all of them.
        methods: which.
        rows: the table's, chosen from runs at the usual rate.
        dial: which setting is the condition.
    """
    by = {(row.condition, row.method): row for row in rows}
    tried = [(settings, run) for settings, run in runs if settings["method"] in methods]
    found = []
    for row in select(rows_by_strength(tried, dial)):
        rates = {s["learning_rate"] for s, _ in tried if (s[dial], s["method"]) == (row.condition, row.method)}
        if len(rates) > 1:
            key = (row.condition, row.method)
            found.append(OwnRate(row, by[key], by.get((row.condition, "exact"))))
    return found


def own_rate_table(found: Sequence[OwnRate], labels: Mapping[str, str], metric: Metric, condition_label: str) -> Table:
    """A line for each method and condition."""
    lines = []
    for each in found:
        over = each.over_exact(metric)
        rates = each.row.learning_rates
        lines.append(
            (
                f"{labels[each.row.method]}: {each.row.condition_text()}",
                each.usual.summary(metric.name).text(metric.decimals),
                each.row.summary(metric.name).text(metric.decimals),
                _text(each.gain(metric), metric),
                "-" if over is None else _text(over, metric),
                f"{min(rates):g} to {max(rates):g}" if min(rates) < max(rates) else f"{rates[0]:g}",
                each.row.strength_text(),
            )
        )
    columns = (
        f"method: {condition_label}",
        f"{metric.label}, usual rate",
        "own rate",
        "gain",
        "ahead of exactly equivariant by",
        "chosen rates",
        "chosen strengths",
    )
    return Table(TITLE, columns, tuple(lines))


def _lead(first: Row, second: Row, metric: Metric) -> Summary:
    a, b = first.values(metric.name), second.values(metric.name)
    return paired(a, b) if metric.higher_is_better else paired(b, a)


def _text(lead: Summary, metric: Metric) -> str:
    verdict = lead.verdict() if math.isfinite(lead.standard_error) else ""
    return f"{lead.signed(metric.decimals)} ({verdict})" if verdict else lead.signed(metric.decimals)
