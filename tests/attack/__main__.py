"""Malformed calls drawn anew: ``python -m tests.attack --seed 7 --count 2500`` counts how they end.

Right arguments of a public name are taken, one or two are replaced by values that they cannot take, and the call must
end in an error of ``intertwine.errors``, or in Python's own TypeError where an argument is missing or unknown.
"""

import argparse
import sys
from collections import Counter

from tests.attack.attack import attack
from tests.attack.command_line import command_lines
from tests.attack.outcome import FAULTS
from tests.attack.surface import TARGETS


def main() -> int:
    """Counts, and the faults with how to see them again."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=2500)
    parser.add_argument("--command-lines", type=int, default=100)
    options = parser.parse_args()
    outcomes = [*attack(options.seed, options.count, TARGETS), *command_lines(options.seed, options.command_lines)]
    counts = Counter(found.kind for found in outcomes)
    seen: Counter[tuple[str, str, str]] = Counter()
    for found in outcomes:
        if found.kind in FAULTS:
            key = found.target, found.kind, found.said.partition(":")[0]
            seen[key] += 1
            if seen[key] <= 2:
                print(f"{found.kind}  {found.target}({found.call})\n      {found.said}")
    print(f"{len(outcomes)} calls with seed {options.seed}: {dict(counts)}")
    return 1 if any(counts[kind] for kind in FAULTS) else 0


if __name__ == "__main__":
    sys.exit(main())
