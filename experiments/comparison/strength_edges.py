"""Where validation chose the end of a range of strengths: a wider range might have done better there."""

from collections.abc import Mapping, Sequence

from experiments.comparison.selection import Row


def edge_note(rows: Sequence[Row], curves: Sequence[Row], labels: Mapping[str, str]) -> str:
    """A sentence that names the rows in which most seeds took the strongest, or the weakest, of what was tried.

    Args:
        rows: the table's rows.
        curves: a row for each configuration that was tried.
        labels: names of the methods.
    """
    ends: dict[str, list[str]] = {"strongest": [], "weakest": []}
    for row in rows:
        tried = {
            curve.strengths[0]
            for curve in curves
            if (curve.condition, curve.method) == (row.condition, row.method) and curve.strengths[0] is not None
        }
        if len(tried) < 2:
            continue
        for name, end in (("strongest", max(tried)), ("weakest", min(tried))):
            if 2 * sum(strength == end for strength in row.strengths) > len(row.strengths):
                ends[name].append(f"{labels[row.method]} ({row.condition_text()})")
    found = [f"the {name} for {', '.join(where)}" for name, where in ends.items() if where]
    if not found:
        return ""
    return (
        "In most seeds validation chose the end of the range of strengths, so that a wider one might have done "
        f"better: {'; '.join(found)}."
    )
