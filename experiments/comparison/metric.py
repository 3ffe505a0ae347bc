"""What an experiment measures its methods by."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A quantity of the results.

    Attributes:
        name: its key in a run's result.
        label: what tables and pictures call it.
        higher_is_better: which way is good.
        decimals: how many tables show.

    Examples:
        >>> Metric("rmse", "RMSE", higher_is_better=False).best([0.3, 0.2])
        0.2
    """

    name: str
    label: str
    higher_is_better: bool
    decimals: int = 3

    def best(self, values: list[float]) -> float:
        """The best of several; NaN counts as the worst."""
        finite = [value for value in values if value == value]  # noqa: PLR0124 - NaN differs from itself
        return (max if self.higher_is_better else min)(finite) if finite else float("nan")

    def lead(self, first: float, second: float) -> float:
        """How far ``first`` is ahead of ``second``, positive if it is better."""
        return first - second if self.higher_is_better else second - first
