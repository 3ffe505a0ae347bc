"""What is trained: rotated MNIST and smoke plumes, split moments and what they are beside."""

from typing import Any

from experiments.paired.cases import rotmnist, smoke

METHODS = ("plain", "exact", "penalty", "decay", "split")
# Those of the records; split moments have the decay's, whose proximal step they take.
DIGITS = {"penalty": (0.03, 0.3, 3.0), "decay": (3.0, 30.0, 300.0), "split": (3.0, 30.0, 300.0)}
PLUMES = {"penalty": (1e-3, 3e-2, 1.0), "decay": (1.0, 10.0, 100.0), "split": (1.0, 10.0, 100.0)}
CASES = (rotmnist("C4, 100 %", DIGITS), rotmnist("SO(2), 100 %", DIGITS), smoke("rotation", PLUMES))


def grid(size: str, seeds: int) -> list[dict[str, Any]]:
    """Every method with every strength or rate, seed by seed."""
    return [
        run for seed in range(seeds) for case in CASES for method in METHODS for run in case.runs(size, method, seed)
    ]
