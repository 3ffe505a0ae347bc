"""What turned digits show, in sentences computed from the rows."""

import statistics
from collections.abc import Mapping, Sequence

from intertwine.experiments.e2cnn_layers import E2CNN
from intertwine.experiments.rotmnist_training import parse_condition
from intertwine.experiments.selection import Row
from intertwine.experiments.summary import Summary, paired

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
    """The better of ours against plain, exact and e2cnn, in each condition, and exact against e2cnn."""
    parts, libraries = [], []
    for condition in conditions:
        ours = best(by, condition, OURS)
        rivals = [by[condition, name] for name in ("plain", "exact") if (condition, name) in by]
        if ours is None or len(rivals) < 2:
            continue
        library = by.get((condition, E2CNN))
        if library is not None:
            lead = difference(by[condition, "exact"], library)
            libraries.append(f"{condition} {lead.signed()} ({lead.verdict()})")
            rivals.append(library)
        leads = [difference(ours, rival) for rival in rivals]
        against = ", ".join(
            f"{lead.signed()} over {rival.method} ({lead.verdict()})" for lead, rival in zip(leads, rivals, strict=True)
        )
        parts.append(f"{condition} turned: {labels[ours.method]} {ours.summary(METRIC).text()}, {against}")
    own = f" Exact over the network that e2cnn builds: {'; '.join(libraries)}." if libraries else ""
    return (
        f"The better of penalty and decay beside its two limits, test accuracy, differences seed by seed: "
        f"{'; '.join(parts)}.{own}"
        if parts
        else ""
    )


def _field(by: By, conditions: Sequence[str], labels: Mapping[str, str]) -> str:
    """The best of all others against ours, and what it costs."""
    parts = []
    for condition in conditions:
        ours = best(by, condition, OURS)
        others = [method for at, method in by if at == condition and method not in OURS]
        rival = best(by, condition, others)
        if ours is None or rival is None:
            continue
        lead = difference(ours, rival)
        parts.append(f"{condition} {lead.signed()} against {labels[rival.method]} ({lead.verdict()})")
    times = [
        f"{labels[method]} {ratio:.1f}"
        for method in ("augmentation", "exact", E2CNN, "sampled_operator", "sampled_activation", "remul", *OURS)
        if (ratio := _relative_time(by, conditions, method))
    ]
    cost = f" An epoch takes, in units of plain's: {'; '.join(times)}." if times else ""
    return f"Against the best of all others: {'; '.join(parts)}.{cost}" if parts else ""


def _projected(by: By, conditions: Sequence[str]) -> str:
    """How equivariant the networks are that are exactly so on pixels."""
    groups: dict[str, tuple[Row, Row | None]] = {}
    for condition in conditions:
        row = by.get((condition, "exact"))
        if row is not None:
            # The last one of a group is that with most digits turned.
            groups[parse_condition(condition)[0]] = row, by.get((condition, E2CNN))
    parts = [
        f"{group} {_errors(row)}" + ("" if library is None else f" (e2cnn's {_errors(library)})")
        for group, (row, library) in groups.items()
    ]
    return (
        f"Relative equivariance error of the network at W = PW: {'; '.join(parts)}; random turns interpolate between "
        f"pixels, on which C8 and SO(2) act only approximately."
        if parts
        else ""
    )


def _errors(row: Row) -> str:
    quarter, random = row.summary("quarter_turn_error").mean, row.summary("rotation_error").mean
    return f"{quarter:.1e} under quarter turns and {random:.2f} under random ones"


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
