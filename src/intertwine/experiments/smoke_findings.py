"""What the smoke plumes show, in sentences computed from the rows."""

import math
import statistics
from collections.abc import Mapping, Sequence

from intertwine.experiments.selection import Row
from intertwine.experiments.smoke_recipes import SYMMETRIES
from intertwine.experiments.summary import CLEAR, Summary, paired

METRIC, HELD_OUT = "rmse", "domain_rmse"
RIVALS = ("plain", "weight_decay", "exact")

By = Mapping[tuple[object, str], Row]


def conclusions(rows: Sequence[Row], labels: Mapping[str, str]) -> list[str]:
    """The rotation, the dial of the data's own symmetry error, and the relaxed networks."""
    by = {(row.condition, row.method): row for row in rows}
    found = [_rotation(by, labels), _dial(by, labels), *_relaxed(by, labels)]
    return [sentence for sentence in found if sentence]


def dial(rows: Sequence[Row]) -> list[tuple[str, float]]:
    """The places of the dial among the rows with the data's own symmetry error, ascending."""
    errors = {row.condition: row.values("data_error")[0] for row in rows if row.condition not in SYMMETRIES}
    return sorted(errors.items(), key=lambda item: item[1])


def chosen_strength(row: Row) -> float:
    """Geometric mean of the strengths that validation chose; NaN for methods without."""
    strengths = [s for s in row.strengths if s]
    return statistics.geometric_mean(strengths) if strengths else math.nan


def _rotation(by: By, labels: Mapping[str, str]) -> str:
    here = {method: row for (condition, method), row in by.items() if condition == "rotation"}
    if "penalty" not in here:
        return ""
    ranked = sorted(here, key=lambda method: here[method].summary(METRIC).mean)
    best, ours = ranked[0], here["penalty"]
    leads = [
        f"{difference(ours, here[rival]).signed()} to {labels[rival]} (held out "
        f"{difference(ours, here[rival], HELD_OUT).signed()})"
        for rival in RIVALS
        if rival in here
    ]
    still = ours.summary("still_rmse").mean
    return (
        f"Rotation, RMSE of future frames: lowest {labels[best]} {here[best].summary(METRIC).text()}; the penalty "
        f"{ours.summary(METRIC).text()} is number {ranked.index('penalty') + 1} of {len(ranked)}, its difference "
        f"{', '.join(leads)}; predicting no change has {still:.3f}."
    )


def _dial(by: By, labels: Mapping[str, str]) -> str:
    places = dial(list(by.values()))
    if not places or any((c, m) not in by for c, _ in places for m in ("plain", "exact", "penalty")):
        return ""
    methods = [method for method in labels if all((condition, method) in by for condition, _ in places)]
    winners = {c: min(methods, key=lambda method: by[c, method].summary(METRIC).mean) for c, _ in places}
    won = [
        f"{labels[method]} at {_listed([error for c, error in places if winners[c] == method])}"
        for method in methods
        if method in winners.values()
    ]
    ahead, behind = [], []
    for condition, error in places:
        others = [difference(by[condition, "penalty"], by[condition, rival]) for rival in ("plain", "exact")]
        if all(-lead.mean > CLEAR * lead.standard_error for lead in others):
            ahead.append(error)
        if any(lead.mean > CLEAR * lead.standard_error for lead in others):
            behind.append(error)
    strengths = [f"{chosen_strength(by[condition, 'penalty']):.2g}" for condition, _ in places]
    return (
        f"Symmetry error of the data from {places[0][1]:.2f} to {places[-1][1]:.2f}: lowest RMSE of future frames by "
        f"{'; '.join(won)}. The penalty is ahead of plain and of exactly "
        f"equivariant by more than two standard errors at {_listed(ahead)}, behind "
        f"one of them by as much at {_listed(behind)}. Validation chose, from the smallest error to the largest, "
        f"strengths of {', '.join(strengths)} (geometric means over seeds)."
    )


def _relaxed(by: By, labels: Mapping[str, str]) -> list[str]:
    parts = []
    for condition in SYMMETRIES:
        for network in ("relaxed_group", "relaxed_steerable"):
            if (condition, network) not in by or (condition, f"{network}_penalty") not in by:
                continue
            free = by[condition, network]
            changes = [
                f"{difference(by[condition, f'{network}_{name}'], free).signed()} with the {text}"
                for name, text in (("penalty", "penalty"), ("constraint", "layers' own constraint"))
                if (condition, f"{network}_{name}") in by
            ]
            exact = by.get((condition, "exact"))
            against = f", exactly equivariant {exact.summary(METRIC).text()}" if exact else ""
            parts.append(f"{condition}, {labels[network]} {free.summary(METRIC).text()}, {', '.join(changes)}{against}")
    return (
        [f"Relaxed layers, RMSE of future frames and what regularising changes: {'; '.join(parts)}."] if parts else []
    )


def difference(first: Row, second: Row, metric: str = METRIC) -> Summary:
    """``first - second`` in a metric, seed by seed; below 0 the first is better."""
    return paired(first.values(metric), second.values(metric))


def _listed(errors: Sequence[float]) -> str:
    return ", ".join(f"{error:.2f}" for error in errors) or "none"
