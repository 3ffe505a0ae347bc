"""How thoroughly to measure, and where."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Given to every section.

    Attributes:
        quick: sizes and repetitions of a smoke test, in which no budget is judged.
        device: ``"cpu"`` or ``"cuda"``.
        seed: of weights and data.
        seconds: time to spend on each pass of interleaved rounds, warm-up aside; some passes take a multiple.
        least, most: bounds on the number of rounds of a pass, whatever the time.
        passes, most_passes: numbers of passes; more than the first only while a budget is undecided.
        sample_seconds: shorter works are repeated until one sample takes this long.
    """

    quick: bool = False
    device: str = "cpu"
    seed: int = 0
    seconds: float = 0.8
    least: int = 5
    most: int = 51
    passes: int = 6
    most_passes: int = 60
    sample_seconds: float = 0.005


QUICK = Settings(quick=True, seconds=0.02, least=2, most=3, passes=1, most_passes=1, sample_seconds=0.0)
