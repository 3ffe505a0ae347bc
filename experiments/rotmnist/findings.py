"""What turned digits show, in sentences computed from the rows."""

import statistics
from collections.abc import Mapping, Sequence

from experiments.comparison.selection import Row
from experiments.comparison.summary import Summary, paired, verdicts
from experiments.e2cnn.layers import E2CNN
from experiments.rotmnist.training import parse_condition

METRIC = "test_accuracy"
OURS = ("penalty", "decay")

By = Mapping[tuple[object, str], Row]


def conclusions(rows: Sequence[Row], labels: Mapping[str, str]) -> list[str]:
    """Three sentences: ours against its limits, ours against everybody, the exactly equivariant networks."""
    by = {(row.condition, row.method): row for row in rows}
    conditions = list(dict.fromkeys(str(row.condition) for row in rows))
    found = [_limits(by, conditions, labels), _field(by, conditions, labels), _projected(by, conditions)]
    if any(settings.get("source") == "shipped" for row in rows for settings in row.settings):
        found.append(
            "Measured on the 3000 digits that come with the library, 1000 of them for the test; all of MNIST needs "
            "--data."
        )
    return [sentence for sentence in found if sentence]


def _limits(by: By, conditions: Sequence[str], labels: Mapping[str, str]) -> str:
    """The better of ours against plain, exact and e2cnn, and exact against e2cnn."""
    ours = {condition: best(by, condition, OURS) for condition in conditions}
    parts = []
    for rival in ("plain", "exact", E2CNN):
        leads = {c: difference(row, by[c, rival]) for c, row in ours.items() if row is not None and (c, rival) in by}
        if leads:
            parts.append(f"against {labels[rival]}: {verdicts(leads)}")
    libraries = {
        c: difference(by[c, "exact"], by[c, E2CNN]) for c in conditions if {(c, "exact"), (c, E2CNN)} <= set(by)
    }
    if libraries:
        parts.append(f"{labels['exact']} itself against the network that e2cnn builds: {verdicts(libraries)}")
    return f"Test accuracy of the better of penalty and decay, seed by seed: {'; '.join(parts)}." if parts else ""


def _field(by: By, conditions: Sequence[str], labels: Mapping[str, str]) -> str:
    """The best of all others against ours, and what it costs."""
    leads = {}
    for condition in conditions:
        ours = best(by, condition, OURS)
        others = [method for at, method in by if at == condition and method not in OURS]
        rival = best(by, condition, others)
        if ours is not None and rival is not None:
            leads[f"{condition} [{labels[rival.method]}]"] = difference(ours, rival)
    times = [
        f"{labels[method]} {ratio:.1f}"
        for method in ("augmentation", "exact", E2CNN, "sampled_operator", "sampled_activation", "remul", *OURS)
        if (ratio := _relative_time(by, conditions, method))
    ]
    cost = f" An epoch takes, in units of plain's: {'; '.join(times)}." if times else ""
    return f"Against the best of all others, which stands in brackets: {verdicts(leads)}.{cost}" if leads else ""


def _projected(by: By, conditions: Sequence[str]) -> str:
    """How equivariant the networks are that are exactly so on pixels."""
    # The last condition of a group is that with most digits turned.
    groups = {parse_condition(condition)[0]: condition for condition in conditions if (condition, "exact") in by}
    parts = []
    for method, name in (("exact", "the network at W = PW"), (E2CNN, "that of e2cnn")):
        rows = {group: by[condition, method] for group, condition in groups.items() if (condition, method) in by}
        if rows:
            quarter = max(row.summary("quarter_turn_error").mean for row in rows.values())
            random = ", ".join(f"{group} {row.summary('rotation_error').mean:.2f}" for group, row in rows.items())
            parts.append(f"{name} at most {quarter:.1e} under quarter turns, under random ones {random}")
    return (
        f"Relative equivariance error: {'; '.join(parts)}. Random turns interpolate between pixels, on which C8 and "
        "SO(2) act only approximately."
        if parts
        else ""
    )


def best(by: By, condition: str, methods: Sequence[str]) -> Row | None:
    """The row with the highest mean accuracy among some methods; None if there is none."""
    found = [by[condition, method] for method in methods if (condition, method) in by]
    return max(found, key=lambda row: row.summary(METRIC).mean, default=None)


def _relative_time(by: By, conditions: Sequence[str], method: str) -> float | None:
    """The median over conditions of an epoch's time in units of plain's."""
    ratios = [
        by[c, method].summary("seconds_per_epoch").mean / by[c, "plain"].summary("seconds_per_epoch").mean
        for c in conditions
        if (c, method) in by and (c, "plain") in by
    ]
    return statistics.median(ratios) if ratios else None


def difference(first: Row, second: Row) -> Summary:
    """``first - second`` in test accuracy, seed by seed."""
    return paired(first.values(METRIC), second.values(METRIC))
