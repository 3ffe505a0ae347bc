"""Where a single seed makes most of a standard error: the mean then says little of any of the runs."""

from collections.abc import Mapping, Sequence

from experiments.comparison.metric import Metric
from experiments.comparison.selection import Row
from experiments.comparison.summary import summarise

# Without the seed the error is less than this share of what it was: one in 60 sets of five normal values does so.
SHARE = 1 / 4
LEAST = 5


def lone_seed(values: Sequence[float]) -> int | None:
    """The place of a value without which the standard error is less than a quarter; None if there is none.

    Examples:
        >>> lone_seed([0.81, 0.85, 0.82, 0.78, 0.48]), lone_seed([0.81, 0.85, 0.82, 0.78, 0.74])
        (4, None)
    """
    if len(values) < LEAST:
        return None
    whole = summarise(values)
    place = max(range(len(values)), key=lambda i: abs(values[i] - whole.mean))
    rest = summarise([*values[:place], *values[place + 1 :]])
    return place if rest.standard_error < SHARE * whole.standard_error else None


def lone_seed_note(rows: Sequence[Row], labels: Mapping[str, str], metric: Metric) -> str:
    """A sentence that names these rows of the table, with the value of the seed and the range of the others."""
    found = []
    for row in rows:
        values = row.values(metric.name)
        place = lone_seed(values)
        if place is None:
            continue
        rest = [value for i, value in enumerate(values) if i != place]
        seed, low, high = (f"{value:.{metric.decimals}f}" for value in (values[place], min(rest), max(rest)))
        if seed in (low, high):
            continue  # it does not show in the table
        found.append(
            f"{labels[row.method]} ({row.condition_text()}): seed {row.seeds[place]} {seed}, others {low} to {high}"
        )
    if not found:
        return ""
    return (
        f"One seed makes most of the standard error of {metric.label}, which is less than a quarter without it: "
        f"{'; '.join(found)}."
    )
