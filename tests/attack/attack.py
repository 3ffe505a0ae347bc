"""Malformed calls drawn anew from a seed."""

import random
import warnings
from collections.abc import Iterator, Sequence

from tests.attack.outcome import Outcome, outcome
from tests.attack.target import Target


def attack(seed: int, count: int, targets: Sequence[Target]) -> Iterator[Outcome]:
    """``count`` malformed calls."""
    rng = random.Random(seed)
    for _ in range(count):
        target = rng.choice(targets)
        arguments = target.arguments()
        names = rng.sample(sorted(target.domains), min(len(target.domains), rng.choice((1, 1, 1, 2))))
        signature = False
        if rng.random() < 0.03:
            arguments["no_such_argument"], signature, names = 1, True, []
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of torch, about the tensors that are drawn
            for name in names:
                arguments[name] = target.domains[name].draw(rng)
        yield outcome(target, arguments, names, signature)
