"""What the smoke plumes show, in sentences computed from the rows."""

import math
import statistics
from collections.abc import Mapping, Sequence

from experiments.comparison.selection import Row
from experiments.comparison.summary import Summary, paired
from experiments.smoke.recipes import SYMMETRIES

METRIC, HELD_OUT = "rmse", "domain_rmse"
OURS = ("penalty", "decay")
RIVALS = ("plain", "weight_decay", "exact", "e2cnn")

By = Mapping[tuple[object, str], Row]
# Conditions of the dial with the data's own symmetry error.
Places = Sequence[tuple[str, float]]


def conclusions(rows: Sequence[Row], labels: Mapping[str, str]) -> list[str]:
    """The rotation, the dial of the data's own symmetry error, and the relaxed networks."""
    by = {(row.condition, row.method): row for row in rows}
    places = dial(rows)
    along = [_winners(by, places, labels), _limits(by, places, labels), _chosen(by, places, labels)] if places else []
    found = [_rotation(by, labels), *along, *_relaxed(by, labels)]
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
        f"{'; '.join(leads)}; predicting no change has {still:.3f}."
    )


def _winners(by: By, places: Places, labels: Mapping[str, str]) -> str:
    """The lowest mean at each place of the dial, and which rows are within two standard errors of it."""
    lowest: dict[str, list[str]] = {}
    level: dict[str, list[float]] = {}
    seeds = set()
    for condition, error in places:
        here = [by[condition, method] for method in labels if (condition, method) in by]
        best = min(here, key=lambda row: row.summary(METRIC).mean)
        lowest.setdefault(best.method, []).append(f"{error:.2f} ({best.summary(METRIC).text()})")
        seeds.add(len(best.seeds))
        for row in here:
            if row is not best and difference(row, best).verdict() == "no clear difference":
                level.setdefault(row.method, []).append(error)
    won = [f"{labels[method]} at {', '.join(lowest[method])}" for method in labels if method in lowest]
    near = [f"{labels[method]} at {_listed(level[method], places)}" for method in labels if method in level]
    within = "" if seeds == {1} else (
        f" Within two standard errors of the lowest, by differences paired by seed: {'; '.join(near) or 'no other'}."
    )  # fmt: skip
    return (
        f"Symmetry error of the data from {places[0][1]:.2f} to {places[-1][1]:.2f}, who wins: lowest RMSE of future "
        f"frames by {'; '.join(won)}.{within}"
    )


def _limits(by: By, places: Places, labels: Mapping[str, str]) -> str:
    """Ours against plain and exactly equivariant along the dial, and the two exactly equivariant rows side by side."""
    if any(len(row.seeds) < 2 for (condition, _), row in by.items() if condition not in SYMMETRIES):
        return ""
    parts = []
    for method in OURS:
        if any((condition, name) not in by for condition, _ in places for name in (method, "plain", "exact")):
            continue
        verdicts = {
            error: [difference(by[condition, rival], by[condition, method]).verdict() for rival in ("plain", "exact")]
            for condition, error in places
        }
        ahead = [error for error, found in verdicts.items() if set(found) == {"ahead"}]
        behind = [[error for error, found in verdicts.items() if found[i] == "behind"] for i in range(2)]
        parts.append(
            f"{labels[method]} is ahead of both plain and {labels['exact']} at {_listed(ahead, places)}, behind plain "
            f"at {_listed(behind[0], places)}, behind {labels['exact']} at {_listed(behind[1], places)}"
        )
    if all((condition, name) in by for condition, _ in places for name in ("exact", "e2cnn")):
        leads = {error: difference(by[condition, "exact"], by[condition, "e2cnn"]) for condition, error in places}
        ahead, after = ([e for e, lead in leads.items() if lead.verdict() == word] for word in ("ahead", "behind"))
        parts.append(
            f"the network of e2cnn is ahead of our {labels['exact']} one at {_listed(ahead, places)}, behind it at "
            f"{_listed(after, places)}{_largest_rate(by, places)}"
        )
    return f"By more than two standard errors of paired differences: {'; '.join(parts)}." if parts else ""


def _largest_rate(by: By, places: Places) -> str:
    """A clause where e2cnn mostly has the largest learning rate that any row has: a larger one might have been better.

    Its weights are coefficients of a basis, on another scale than those of the other networks.
    """
    every = {rate for row in by.values() for rate in row.learning_rates}
    largest = max(every)
    rates = [rate for condition, _ in places for rate in by[condition, "e2cnn"].learning_rates]
    count = sum(rate == largest for rate in rates)
    if len(every) == 1 or 2 * count <= len(rates):
        return ""
    return (
        f" (in {count} of {len(rates)} runs validation gave it {largest:g}, the largest learning rate of any row, so "
        "that a larger one might have done better)"
    )


def _chosen(by: By, places: Places, labels: Mapping[str, str]) -> str:
    """The strengths that validation chose along the dial."""
    parts = []
    for method in labels:
        rows = [by[condition, method] for condition, _ in places if (condition, method) in by]
        strengths = [chosen_strength(row) for row in rows]
        if len(rows) == len(places) and not any(math.isnan(strength) for strength in strengths):
            parts.append(f"{labels[method]} {', '.join(f'{strength:.2g}' for strength in strengths)}")
    return (
        f"Validation chose, from the smallest symmetry error of the data to the largest, strengths of "
        f"(geometric means over seeds): {'; '.join(parts)}."
        if parts
        else ""
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
            against = f", {labels['exact']} {exact.summary(METRIC).text()}" if exact else ""
            if (condition, "e2cnn") in by:
                against += f" (that of e2cnn {by[condition, 'e2cnn'].summary(METRIC).text()})"
            parts.append(f"{condition}, {labels[network]} {free.summary(METRIC).text()}, {', '.join(changes)}{against}")
    return (
        [f"Relaxed layers, RMSE of future frames and what regularising changes: {'; '.join(parts)}."] if parts else []
    )


def difference(first: Row, second: Row, metric: str = METRIC) -> Summary:
    """``first - second`` in a metric, seed by seed; below 0 the first is better."""
    return paired(first.values(metric), second.values(metric))


def _listed(errors: Sequence[float], places: Places) -> str:
    """Places of the dial in words: their symmetry errors, every one but a few, or none."""
    others = [f"{error:.2f}" for _, error in places if error not in errors]
    if not others:
        return "every level"
    if 3 * len(others) <= len(places):
        return f"every level but {', '.join(others)}"
    return ", ".join(f"{error:.2f}" for error in errors) or "none"
