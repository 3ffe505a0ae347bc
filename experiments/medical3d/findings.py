"""What the volumes show, in sentences computed from the rows."""

import math
from collections.abc import Mapping, Sequence

from experiments.comparison.selection import Row
from experiments.comparison.summary import Summary, paired, verdicts
from experiments.medical3d.e3nn import E3NN
from experiments.medical3d.training import BOTH_STRENGTHS, EQUAL_STRENGTHS

METRIC = "test_auc"

By = Mapping[tuple[object, str], Row]


def conclusions(rows: Sequence[Row]) -> list[str]:
    """Three sentences: ours against its two limits, the networks at W = PW, and the controls."""
    by = {(row.condition, row.method): row for row in rows}
    conditions = list(dict.fromkeys(str(row.condition) for row in rows))
    found = [_limits(by, conditions), _projected(by, conditions), _controls(by, conditions)]
    return [sentence for sentence in found if sentence]


def _limits(by: By, conditions: Sequence[str]) -> str:
    """The penalty against plain, exact and e3nn's network, in each condition, and exact against e3nn's."""
    names = {"plain": "plain", "exact": "exactly equivariant", E3NN: "the network that e3nn makes"}
    parts = []
    for first, rivals in (("penalty", ("plain", "exact", E3NN)), ("exact", (E3NN,))):
        for rival in rivals:
            pairs = [c for c in conditions if {(c, first), (c, rival)} <= set(by)]
            if pairs:
                leads = {c: difference(by[c, first], by[c, rival]) for c in pairs}
                subject = "" if first == "penalty" else f"{names[first]} itself "
                parts.append(f"{subject}against {names[rival]}: {verdicts(leads)}")
    return f"Test AUC of the penalty, seed by seed: {'; '.join(parts)}." if parts else ""


def _projected(by: By, conditions: Sequence[str]) -> str:
    """How equivariant each network is once its weights are, and what breaks it."""
    parts = []
    for condition in conditions:
        row = by.get((condition, "exact"))
        if row is None:
            continue
        names = sorted({str(run["breaker"]) for run in row.runs if run.get("breaker")})
        broken = f", broken first by {' or '.join(names)}" if names else ""
        made = [by[condition, E3NN]] if (condition, E3NN) in by else []
        beside = "".join(f", that of e3nn's as it is made {_errors(library, 'equivariance_error')}" for library in made)
        parts.append(f"{condition} {_errors(row, 'projected_error')}{broken}{beside}")
    return (
        f"Equivariance error of the network at W = PW, under what maps voxels onto voxels: {'; '.join(parts)}."
        if parts
        else ""
    )


def _errors(row: Row, name: str) -> str:
    error, rotation = row.summary(name).mean, row.summary("rotation_error").mean
    return f"{error:.1e} (random rotations, interpolated: {rotation:.2f})"


def _controls(by: By, conditions: Sequence[str]) -> str:
    """The penalty against weight decay everywhere, and the paper's two strengths where they were run."""
    leads = {
        condition: difference(by[condition, "penalty"], by[condition, "weight_decay"])
        for condition in conditions
        if {(condition, "penalty"), (condition, "weight_decay")} <= set(by)
    }
    if not leads:
        return ""
    parts = [verdicts(leads)]
    names = {EQUAL_STRENGTHS: "with lambda_G = lambda_perp", BOTH_STRENGTHS: "with lambda_G = 1e-3 beside lambda_perp"}
    for condition in conditions:
        for method, text in names.items():
            if (condition, method) in by and (condition, "penalty") in by:
                other = by[condition, method]
                lead = difference(other, by[condition, "penalty"])
                parts.append(f"{condition} {text} {lead.signed()} over lambda_perp alone ({lead.verdict()})")
    return f"Controls, test AUC of the penalty over weight decay, which knows of no group: {'; '.join(parts)}."


def difference(first: Row, second: Row) -> Summary:
    """``first - second`` in test AUC, seed by seed."""
    return paired(first.values(METRIC), second.values(METRIC))


def auc_standard_error(auc: float, positives: int, negatives: int) -> float:
    """Standard error of an AUC from the size of its test set alone.

    ``sqrt((A (1 - A) + (p - 1)(Q1 - A^2) + (n - 1)(Q2 - A^2)) / (p n))``, ``Q1 = A / (2 - A)``,
    ``Q2 = 2 A^2 / (1 + A)``.

    Args:
        auc: A.
        positives: p.
        negatives: n.

    Source:
        Hanley and McNeil 1982, "The meaning and use of the area under a receiver operating characteristic curve".

    Examples:
        >>> round(auc_standard_error(0.82, 69, 229), 3)
        0.033
    """
    first, second = auc / (2 - auc) - auc**2, 2 * auc**2 / (1 + auc) - auc**2
    variance = auc * (1 - auc) + (positives - 1) * first + (negatives - 1) * second
    return math.sqrt(variance / (positives * negatives))
