"""What the rings show, in sentences computed from the rows."""

import math
from collections.abc import Mapping, Sequence

from experiments.comparison.selection import Row
from experiments.comparison.summary import CLEAR, Summary, paired
from experiments.rings.data import ARC, wave_amplitude
from experiments.rings.methods import PERCEPTRON, both_name
from intertwine.binding import Form

# The paper's two grids, on the arc; and its strengths for the wavy rings, in un-squared norms.
EQUIVARIANT_STRENGTHS = (1e-1, 1e-2, 1e-3, 0.0)
STRENGTHS = (0.0, 1e-3, 1e-2, 1e-1)
PAPER_METHOD, PAPER_STRENGTH = both_name("norm", 1e-2), 1.0
# What turned points must reach for a method to count as one that has found the symmetry.
FOUND = 0.99

RIVALS = {"plain": "plain", "exact": "the exactly equivariant network", PERCEPTRON: "the perceptron"}

By = Mapping[tuple[object, str], Row]


def conclusions(rows: Sequence[Row], labels: Mapping[str, str]) -> list[str]:
    """Three sentences: the waves, the arc, and ours against the control that knows of no group."""
    by = {(row.condition, row.method): row for row in rows}
    conditions = list(dict.fromkeys(row.condition for row in rows))
    wavy = [condition for condition in conditions if condition != ARC]
    found = [_waves(by, wavy), _arc(by, labels), _control(by, conditions)]
    return [sentence for sentence in found if sentence]


def _waves(by: By, wavy: Sequence[str]) -> str:
    parts = []
    for condition in wavy:
        ours = by[condition, "penalty"]
        leads = [f"{difference(ours, by[condition, rival]).signed()} against {name}" for rival, name in RIVALS.items()]
        parts.append(
            f"amplitude {wave_amplitude(condition):g}: {ours.summary('test_accuracy').text()}, {', '.join(leads)}"
        )
    return f"Wavy rings, test accuracy of the penalty: {'; '.join(parts)}." if parts else ""


def _arc(by: By, labels: Mapping[str, str]) -> str:
    here = {method: by[ARC, method] for method in labels if (ARC, method) in by}
    trained = {m: row for m, row in here.items() if m not in ("train_then_project", "orbit_averaging")}
    if not trained:
        return ""
    accuracies = [row.summary("test_accuracy").mean for row in trained.values()]
    blind = ", so that validation cannot see the symmetry" if min(accuracies) >= FOUND else ""
    turned = {labels[m]: row.summary("turned_accuracy").mean for m, row in here.items()}
    right = "; ".join(f"{name} {value:.3f}" for name, value in turned.items() if value >= FOUND)
    wrong = "; ".join(f"{name} {value:.3f}" for name, value in turned.items() if value < FOUND)
    return (
        f"Arc: on points like those of the training, trained networks reach {min(accuracies):.3f} to "
        f"{max(accuracies):.3f}{blind}. On turned points at least {FOUND:g} is reached by: {right or 'none'}. "
        f"Less by: {wrong or 'none'}."
    )


def _control(by: By, conditions: Sequence[str]) -> str:
    leads = {c: difference(by[c, "penalty"], by[c, "weight_decay"]) for c in conditions}
    parts = [f"{c} {lead.signed()}" for c, lead in leads.items()]
    ahead = [c for c, lead in leads.items() if lead.mean > CLEAR * lead.standard_error]
    behind = [c for c, lead in leads.items() if -lead.mean > CLEAR * lead.standard_error]
    return (
        f"Penalty against weight decay, which knows of no group, test accuracy: {', '.join(parts)}; ahead by more than "
        f"two standard errors: {', '.join(ahead) or 'nowhere'}; behind by as much: {', '.join(behind) or 'nowhere'}."
    )


def difference(first: Row, second: Row, metric: str = "test_accuracy") -> Summary:
    """``first - second`` in a metric, seed by seed."""
    return paired(first.values(metric), second.values(metric))


def grid_rows(curves: Sequence[Row], form: Form) -> dict[tuple[float, float], Row]:
    """The rows of a grid of the paper by (lambda_G, lambda_perp), those that were run."""
    names = {both_name(form, strength): strength for strength in EQUIVARIANT_STRENGTHS}
    return {
        (names[row.method], float(strength)): row
        for row in curves
        for strength in row.strengths[:1]
        if row.condition == ARC and row.method in names and strength in STRENGTHS
    }


def sensitivity(curves: Sequence[Row], form: Form) -> str:
    """What each of the two strengths does alone on the arc, and what both do; empty if the corners were not run.

    Means of errors over the seeds are geometric, as they span decades.
    """
    grid = grid_rows(curves, form)
    top = max((strength for strength, _ in grid), default=0.0)
    corners = {
        "neither strength": (0.0, 0.0),
        "lambda_G alone": (top, 0.0),
        "lambda_perp alone": (0.0, top),
        "both (weight decay)" if form == "squared" else "both": (top, top),
    }
    if not top or any(corner not in grid for corner in corners.values()):
        return ""
    relative, absolute = (
        [f"{_geometric(grid[corner], name):.2g}" for corner in corners.values()]
        for name in ("equivariance_error", "worst_rotation_error")
    )
    turned = [f"{grid[corner].summary('turned_accuracy').mean:.3f}" for corner in corners.values()]
    return (
        f"{'Squared' if form == 'squared' else 'Un-squared'} norms with {', '.join(corners)}, each 0 or {top:g}: "
        f"relative equivariance error {', '.join(relative)}; worst-rotation error {', '.join(absolute)}; accuracy on "
        f"turned points {', '.join(turned)}."
    )


def _geometric(row: Row, name: str) -> float:
    values = [min(max(value, 1e-7), 1e6) for value in row.values(name)]
    return math.exp(math.fsum(map(math.log, values)) / len(values))
