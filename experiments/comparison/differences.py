"""Differences between two rows, paired by seed, with t intervals."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.comparison.metric import Metric
from experiments.comparison.selection import Row
from experiments.comparison.summary import NO_DIFFERENCE, Summary, paired
from intertwine.errors import ArgumentError

# Beside the verdicts of t intervals: no further than the standard error.
WITHIN = "within a standard error"


@dataclass(frozen=True)
class Difference:
    """How far one row is ahead of another in a metric; positive is better, whichever way the metric goes.

    Attributes:
        lead: seed by seed.
        decimals: how many texts show.
    """

    lead: Summary
    decimals: int = 3

    @classmethod
    def between(cls, first: Row, second: Row, metric: Metric) -> "Difference":
        """``first`` against ``second``.

        Raises:
            ArgumentError: rows of other seeds.
        """
        if first.seeds != second.seeds:
            raise ArgumentError("rows", expected="runs of the same seeds", got=f"{first.seeds} and {second.seeds}")
        a, b = first.values(metric.name), second.values(metric.name)
        return cls(paired(a, b) if metric.higher_is_better else paired(b, a), metric.decimals)

    @property
    def ends(self) -> tuple[float, float]:
        """Of the 95 % t interval of the mean; infinite ones of a single seed."""
        return self.lead.mean - self.lead.half_width, self.lead.mean + self.lead.half_width

    @property
    def is_within(self) -> bool:
        """Whether the mean is at most its standard error."""
        return abs(self.lead.mean) <= self.lead.standard_error

    def verdict(self) -> str:
        """``"ahead"`` or ``"behind"`` if the t interval leaves out 0.

        Examples:
            >>> from experiments.comparison.summary import summarise
            >>> Difference(summarise([0.3, 0.4, 0.3])).verdict(), Difference(summarise([0.3, 0.4])).verdict()
            ('ahead', 'no clear difference')
        """
        if not math.isfinite(self.lead.standard_error):
            return self.lead.verdict()
        low, high = self.ends
        return "ahead" if low > 0 else "behind" if high < 0 else NO_DIFFERENCE

    def text(self) -> str:
        """``+0.012 ± 0.003 (+0.004 to +0.020)``: mean, standard error, interval."""
        if not all(map(math.isfinite, self.ends)):
            return self.lead.signed(self.decimals)
        low, high = (f"{end:+.{self.decimals}f}" for end in self.ends)
        return f"{self.lead.signed(self.decimals)} ({low} to {high})"

    def to_dict(self) -> dict[str, Any]:
        """For a record."""
        return {**self.lead.to_dict(), "interval": list(self.ends), "verdict": self.verdict()}


def told(differences: Mapping[str, Difference], verdicts: Sequence[str]) -> str:
    """Differences by name, those of a verdict together, with their sizes.

    Examples:
        >>> from experiments.comparison.summary import summarise
        >>> found = {"penalty": Difference(summarise([0.3, 0.4, 0.3])), "exact": Difference(summarise([0.3, -0.4]))}
        >>> told(found, [d.verdict() for d in found.values()])
        'ahead: penalty (+0.333 ± 0.033); no clear difference: exact (-0.050 ± 0.350)'
    """
    groups: dict[str, list[str]] = {}
    for verdict, (name, found) in zip(verdicts, differences.items(), strict=True):
        groups.setdefault(verdict, []).append(f"{name} ({found.lead.signed(found.decimals)})")
    return "; ".join(f"{verdict}: {', '.join(names)}" for verdict, names in groups.items())
