"""What is trained: three tasks, penalty and decay, every k-th step."""

from typing import Any

from experiments.paired.cases import digits, rings, rotmnist

EVERY = (1, 4, 8, 16)
METHODS = ("penalty", "decay")
# Seeds that the records of these tasks do not use.
FIRST_SEED = 20
# What validation takes in most seeds of those records; on the rings ten times that too.
CASES = (
    digits(0.1, {"penalty": (0.1,), "decay": (0.3,)}, FIRST_SEED),
    rings("wavy 0.5", {"penalty": (0.01, 0.1), "decay": (10.0, 100.0)}, FIRST_SEED),
    rotmnist("C4, 100 %", {"penalty": (3.0,), "decay": (300.0,)}, FIRST_SEED),
)


def grid(size: str, seeds: int) -> list[dict[str, Any]]:
    """Every k of each method, at each strength, seed by seed."""
    values = EVERY[:2] if size == "smoke" else EVERY
    return [
        {**run, "every": every}
        for seed in range(seeds)
        for case in CASES
        for method in METHODS
        for every in values
        for run in case.runs(size, method, seed)
    ]
