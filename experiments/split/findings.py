"""What the runs say: rows chosen by validation, and how far split moments are ahead of the others."""

from collections.abc import Iterator, Mapping, Sequence

from experiments.comparison.differences import Difference, told
from experiments.comparison.metric import Metric
from experiments.comparison.paired_experiment import PairedFindings
from experiments.comparison.selection import Row, rows_by_strength, select
from experiments.comparison.tables import Table
from experiments.runs.grid import Settings
from experiments.runs.run_cache import Run
from experiments.split.plan import CASES, METHODS
from intertwine.baselines import BASELINES

OURS = "split"
LABELS = {name: BASELINES[name].label for name in METHODS}
QUANTITIES = ("validation_loss", "test_accuracy", "rmse", "domain_rmse", "relative_residual", "equivariance_error")
# By case, the row of each method.
Rows = Mapping[str, Mapping[str, Row]]


def findings(runs: Sequence[tuple[Settings, Run]]) -> PairedFindings:
    """Each seed's configuration by validation; then differences."""
    curves = rows_by_strength(runs, "case")
    rows: dict[str, dict[str, Row]] = {}
    for row in select(curves):
        rows.setdefault(row.condition, {})[row.method] = row
    return PairedFindings(
        tables=(_means(rows), _differences(rows), _choices(rows)),
        panels={name: _panel(rows[case], metric) for name, case, metric in _lines(rows)},
        conclusions=conclusions(rows),
        rows=curves,
        quantities=QUANTITIES,
    )


def conclusions(rows: Rows) -> list[str]:
    """Split moments against each of the others."""
    found = []
    for name, case, metric in _lines(rows):
        leads = differences(rows[case], metric)
        count = len(rows[case][OURS].seeds)
        found.append(f"{name}, split moments over {count} seeds: {told(leads, [d.verdict() for d in leads.values()])}.")
    return found


def differences(by: Mapping[str, Row], metric: Metric) -> dict[str, Difference]:
    """How far split moments are ahead of each of the others, by its label."""
    return {LABELS[name]: Difference.between(by[OURS], row, metric) for name, row in by.items() if name != OURS}


def _panel(by: Mapping[str, Row], metric: Metric) -> dict[str, Difference]:
    return {f"over {name}": found for name, found in differences(by, metric).items()}


def _lines(rows: Rows) -> Iterator[tuple[str, str, Metric]]:
    """``(name, case, metric)`` of all that is compared."""
    for case in CASES:
        for metric in case.metrics if case.name in rows else ():
            yield f"{case.name}: {metric.label}", case.name, metric


def _means(rows: Rows) -> Table:
    lines, bold = [], set()
    for i, (name, case, metric) in enumerate(_lines(rows)):
        means = {method: row.summary(metric.name) for method, row in rows[case].items()}
        best = metric.best([summary.mean for summary in means.values()])
        bold |= {(i, 1 + j) for j, summary in enumerate(means.values()) if summary.mean == best}
        lines.append((name, *(summary.text(metric.decimals) for summary in means.values())))
    columns = ("task", *(LABELS[name] for name in METHODS))
    return Table("Mean ± standard error, configurations by validation", columns, tuple(lines), frozenset(bold))


def _differences(rows: Rows) -> Table:
    lines = [
        (name, *(d.text() for d in differences(rows[case], metric).values())) for name, case, metric in _lines(rows)
    ]
    columns = ("task", *(f"ahead of {LABELS[name]}" for name in METHODS if name != OURS))
    title = "Split moments ahead by: mean ± standard error of the paired difference (95 % t interval)"
    return Table(title, columns, tuple(lines))


def _choices(rows: Rows) -> Table:
    """Strengths, or learning rates where there are none."""
    lines = [
        (case, *(row.strength_text() or ", ".join(f"{rate:g}" for rate in row.learning_rates) for row in by.values()))
        for case, by in rows.items()
    ]
    return Table(
        "Chosen strengths; learning rates seed by seed", ("task", *(LABELS[name] for name in METHODS)), tuple(lines)
    )
