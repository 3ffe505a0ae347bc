"""One line of the budget table."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from benchmarks.measuring.estimate import Answers, Question, verdict
from benchmarks.measuring.timing import Timing


@dataclass(frozen=True)
class Row:
    """What was measured, beside what it may cost.

    Attributes:
        section: the name that ``--only`` takes.
        work: what was done, in words.
        value: the measured number in ``unit``; None if it could not be measured, and ``note`` says why.
        unit: ``"x"`` for a ratio, otherwise ``"s"``, ``"us"``, ``"%"``, ``"MB"``.
        budget: the largest value allowed, the smallest one if ``at_least``; None for numbers that are only reported.
        at_least: which of the two.
        low, high: the interval about the value, which the verdict goes by; None for what has no noise.
        passes: how many it comes from.
        timings: the times behind the value.
        note: what a reader must know beside the number.
        curve: for growth, the value at every size.
        judged: False in a smoke test, whose sizes the budgets are not meant for.
    """

    section: str
    work: str
    value: float | None
    unit: str = "x"
    budget: float | None = None
    at_least: bool = False
    low: float | None = None
    high: float | None = None
    passes: int | None = None
    timings: Mapping[str, Timing] = field(default_factory=dict)
    note: str = ""
    curve: Mapping[float, float] = field(default_factory=dict)
    judged: bool = True

    @property
    def verdict(self) -> str:
        """``"met"``, ``"missed"``, ``"undecided"`` where the interval holds the budget, or why there is none."""
        if self.value is None:
            return "not measured"
        if self.budget is None:
            return "no budget"
        if not self.judged:
            return "not judged"
        low, high = (self.value if end is None else end for end in (self.low, self.high))
        return verdict(low, high, self.budget, at_least=self.at_least)

    @property
    def budget_text(self) -> str:
        """As in ``"<= 1.5 x"``."""
        return "" if self.budget is None else f"{'>=' if self.at_least else '<='} {self.text(self.budget)}"

    def text(self, number: float | None) -> str:
        """A number of this row with its unit."""
        return "" if number is None else f"{digits(number)} {self.unit}"

    @property
    def range_text(self) -> str:
        """The interval, and of how many passes."""
        return (
            ""
            if self.low is None or self.high is None
            else (f"{digits(self.low)} .. {digits(self.high)} ({self.passes})")
        )

    def as_dict(self) -> dict[str, object]:
        """For the record."""
        return {
            "section": self.section,
            "work": self.work,
            "value": self.value,
            "unit": self.unit,
            "budget": self.budget,
            "at_least": self.at_least,
            "low": self.low,
            "high": self.high,
            "passes": self.passes,
            "verdict": self.verdict,
            "note": self.note,
            "curve": {f"{x:.0f}": y for x, y in self.curve.items()},
            "timings": {name: timing.as_dict() for name, timing in self.timings.items()},
        }


def digits(number: float) -> str:
    """Three digits, or all of those before the point.

    Example:
        >>> digits(0.6624), digits(13883.76)
        ('0.662', '13,884')
    """
    return f"{number:.3g}" if abs(number) < 1000 else f"{number:,.0f}"


def estimate_row(
    section: str,
    work: str,
    found: Answers,
    questions: Mapping[str, Question],
    name: str,
    *,
    works: Collection[str] | None = None,
    **rest: object,
) -> Row:
    """The row of one question; ``works``, those whose times it shows (default all); ``rest`` as in ``Row``."""
    measured, question = found.estimates[name], questions[name]
    return Row(
        section,
        work,
        measured.value,
        budget=question.budget,
        at_least=question.at_least,
        low=measured.low,
        high=measured.high,
        passes=measured.passes,
        timings={key: timing for key, timing in found.timings.items() if works is None or key in works},
        **rest,  # type: ignore[arg-type]
    )
