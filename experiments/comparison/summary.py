"""Means over seeds with their standard errors, and paired comparisons."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

# A difference of so many standard errors is called one.
CLEAR = 2.0
NO_DIFFERENCE = "no clear difference"


@dataclass(frozen=True)
class Summary:
    """``mean`` and ``standard_error`` (deviation over the root of the count; NaN for one value) of ``values``."""

    mean: float
    standard_error: float
    values: tuple[float, ...]

    @property
    def half_width(self) -> float:
        """Of the 95 % t interval of the mean; infinite for one value.

        Examples:
            >>> round(summarise([1.0, 2.0, 3.0]).half_width, 3), summarise([1.0]).half_width
            (2.484, inf)
        """
        from scipy.stats import t

        if not math.isfinite(self.standard_error):
            return math.inf
        return float(t.ppf(0.975, len(self.values) - 1)) * self.standard_error

    def to_dict(self, digits: int = 6) -> dict[str, Any]:
        """For a record: rounded to so many significant digits, NaN and infinity as None."""
        rounded = {name: _rounded(value, digits) for name, value in asdict(self).items() if name != "values"}
        return rounded | {"values": [_rounded(value, digits) for value in self.values]}

    def text(self, decimals: int = 3) -> str:
        """``0.912 ± 0.003``; without the error where there is none."""
        error = f" ± {self.standard_error:.{decimals}f}" if math.isfinite(self.standard_error) else ""
        return f"{self.mean:.{decimals}f}{error}"

    def signed(self, decimals: int = 3) -> str:
        """``+0.012 ± 0.003``: the text of a difference."""
        return f"+{self.text(decimals)}" if self.mean >= 0 else self.text(decimals)

    def verdict(self) -> str:
        """Whether a difference is more than ``CLEAR`` of its standard errors.

        Examples:
            >>> summarise([0.3, 0.4]).verdict(), summarise([-0.3, 0.2]).verdict(), summarise([1.0]).verdict()
            ('ahead', 'no clear difference', 'one seed')
        """
        if not math.isfinite(self.standard_error):
            return "one seed"
        if abs(self.mean) <= CLEAR * self.standard_error:
            return NO_DIFFERENCE
        return "ahead" if self.mean > 0 else "behind"


def summarise(values: Sequence[float]) -> Summary:
    """Mean and standard error of independent values.

    Examples:
        >>> summarise([1.0, 2.0, 3.0]).text()
        '2.000 ± 0.577'
    """
    values = tuple(float(value) for value in values)
    mean = math.fsum(values) / len(values)
    if len(values) < 2 or not math.isfinite(mean):
        return Summary(mean, math.nan, values)
    variance = math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return Summary(mean, math.sqrt(variance / len(values)), values)


def paired(first: Sequence[float], second: Sequence[float]) -> Summary:
    """Differences ``first - second`` seed by seed: what the seeds share (data, initial weights) cancels.

    Examples:
        >>> paired([0.9, 0.8], [0.8, 0.7]).text()
        '0.100 ± 0.000'
    """
    return summarise([a - b for a, b in zip(first, second, strict=True)])


def verdicts(leads: Mapping[str, Summary], decimals: int = 3) -> str:
    """Differences by name, those of a verdict together, with their sizes where they are clear.

    Examples:
        >>> leads = {"C4": summarise([0.3, 0.4]), "D4": summarise([-0.3, 0.2]), "C8": summarise([0.1, 0.1])}
        >>> verdicts(leads, 2)
        'ahead at C4 (+0.35 ± 0.05) and C8 (+0.10 ± 0.00), no clear difference at D4'
    """
    found: dict[str, list[str]] = {verdict: [] for verdict in ("ahead", "behind", NO_DIFFERENCE, "one seed")}
    for name, lead in leads.items():
        verdict = lead.verdict()
        found[verdict].append(name if verdict == NO_DIFFERENCE else f"{name} ({lead.signed(decimals)})")
    return ", ".join(f"{verdict} at {listed(names)}" for verdict, names in found.items() if names)


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a; b and c``: names may hold commas.

    Examples:
        >>> listed(["C4, 0 %", "C4, 10 %", "D4"])
        'C4, 0 %; C4, 10 % and D4'
    """
    return " and ".join(["; ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _rounded(value: float, digits: int) -> float | None:
    return float(f"{value:.{digits}g}") if math.isfinite(value) else None
