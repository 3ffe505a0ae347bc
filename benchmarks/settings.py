"""How thoroughly to measure, and where."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Given to every section.

    Attributes:
        quick: sizes and repetitions of a smoke test, in which no budget is judged.
        device: ``"cpu"`` or ``"cuda"``.
        seed: of weights and data.
        seconds: time to spend on each interleaved run, warm-up aside; some runs take a multiple.
        least, most: bounds on the number of rounds, whatever the time.
        sample_seconds: shorter works are repeated until one sample takes this long.
    """

    quick: bool = False
    device: str = "cpu"
    seed: int = 0
    seconds: float = 6.0
    least: int = 11
    most: int = 101
    sample_seconds: float = 0.005


QUICK = Settings(quick=True, seconds=0.02, least=2, most=3, sample_seconds=0.0)
