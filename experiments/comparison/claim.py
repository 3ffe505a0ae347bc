"""The claim of the demo, put to its record: one method near the best at every setting of the dial, ahead in between."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.comparison.selection import Row
from experiments.comparison.summary import Summary, paired

QUANTITY = "test_accuracy"


@dataclass(frozen=True)
class Comparison:
    """A row against the best row of its condition.

    Attributes:
        condition: the value of the dial.
        best: the method with the highest mean accuracy.
        gap: accuracy of the best minus this row's, paired by seed.
        table_error: standard error of the best row's own mean.
    """

    condition: float
    best: str
    gap: Summary
    table_error: float

    @property
    def within_paired(self) -> bool:
        """At most one standard error of the paired difference behind (the strict reading)."""
        return self.gap.mean <= 0 or self.gap.mean <= self.gap.standard_error

    @property
    def within_table(self) -> bool:
        """At most the standard error that the table shows beside the best row behind."""
        return self.gap.mean <= 0 or self.gap.mean <= self.table_error


@dataclass(frozen=True)
class Verdict:
    """What the record says of one method.

    Attributes:
        method: which.
        comparisons: with the best row, for each condition.
        ahead: accuracy minus that of plain and of exact at the reference condition, paired by seed.
    """

    method: str
    comparisons: tuple[Comparison, ...]
    ahead: Mapping[str, Summary]

    @property
    def leads(self) -> bool:
        """Ahead of each by more than one standard error of the paired difference."""
        return all(lead.mean > 0 and not lead.mean <= lead.standard_error for lead in self.ahead.values())

    @property
    def holds(self) -> bool:
        """The claim with paired standard errors."""
        return self.leads and all(entry.within_paired for entry in self.comparisons)

    @property
    def holds_by_table(self) -> bool:
        """The claim with the best row's own standard error."""
        return self.leads and all(entry.within_table for entry in self.comparisons)

    def to_dict(self) -> dict[str, Any]:
        """For the record."""
        comparisons = [
            {
                "condition": entry.condition,
                "best": entry.best,
                "gap": entry.gap.to_dict(),
                "table_error": entry.table_error,
                "within_paired": entry.within_paired,
                "within_table": entry.within_table,
            }
            for entry in self.comparisons
        ]
        return {
            "method": self.method,
            "holds": self.holds,
            "holds_by_table": self.holds_by_table,
            "leads": self.leads,
            "ahead": {name: lead.to_dict() for name, lead in self.ahead.items()},
            "comparisons": comparisons,
        }


def judge(
    rows: Sequence[Row], candidates: Sequence[str], reference: float, ends: Sequence[str] = ("plain", "exact")
) -> list[Verdict]:
    """One verdict per candidate.

    Args:
        rows: one for each condition and method, as ``select`` gives.
        candidates: the methods that the claim may be about.
        reference: the condition at which a candidate must be ahead of ``ends``.
        ends: the methods to be ahead of.
    """
    table = {(row.condition, row.method): row for row in rows}
    conditions = list(dict.fromkeys(row.condition for row in rows))
    verdicts = []
    for method in candidates:
        comparisons = []
        for condition in conditions:
            here = [row for row in rows if row.condition == condition]
            best = max(here, key=lambda row: row.summary(QUANTITY).mean)
            gap = paired(best.values(QUANTITY), table[condition, method].values(QUANTITY))
            comparisons.append(Comparison(condition, best.method, gap, best.summary(QUANTITY).standard_error))
        mine = table[reference, method].values(QUANTITY)
        ahead = {end: paired(mine, table[reference, end].values(QUANTITY)) for end in ends}
        verdicts.append(Verdict(method, tuple(comparisons), ahead))
    return verdicts


def claim_lines(verdicts: Sequence[Verdict], labels: Mapping[str, str], reference: float, dial: str) -> list[str]:
    """The verdict in words: first whether the claim holds, then a line per method and comparison that decides."""
    claim = f"""
    Claim: one method, its strength chosen by validation, is within one standard error of the best row at every {dial}
    and ahead of plain and of exactly equivariant at {dial} = {reference:g}."""
    found = f"""
    With standard errors of paired differences {_holders(verdicts, labels, "holds")}; with the standard error of the
    best row itself {_holders(verdicts, labels, "holds_by_table")}."""
    lines = [" ".join(text.split()) for text in (claim, found)]
    for verdict in verdicts:
        name = labels[verdict.method]
        leads = [f"{_signed(lead)} against {labels[end]}" for end, lead in verdict.ahead.items()]
        lines.append(f"{name} at {dial} = {reference:g}: {', '.join(leads)}.")
        behind = [_behind(entry, labels, dial) for entry in verdict.comparisons if entry.gap.mean > 0]
        lines.append(f"{name} is behind {'; '.join(behind) if behind else 'nowhere'}.")
    return lines


def _holders(verdicts: Sequence[Verdict], labels: Mapping[str, str], reading: str) -> str:
    names = [labels[verdict.method] for verdict in verdicts if getattr(verdict, reading)]
    return f"it holds for {' and '.join(names)}" if names else "it holds for none"


def _behind(entry: Comparison, labels: Mapping[str, str], dial: str) -> str:
    errors = f"paired ± {entry.gap.standard_error:.4f}, its own ± {entry.table_error:.4f}"
    return f"{labels[entry.best]} at {dial} = {entry.condition:g} by {entry.gap.mean:.4f} ({errors})"


def _signed(lead: Summary) -> str:
    return f"{lead.mean:+.4f} ± {lead.standard_error:.4f}"
