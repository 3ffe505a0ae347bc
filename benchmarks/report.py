"""What the first report of a process costs, and how much of it finds the worst blocks."""

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator

from benchmarks.measuring.estimate import estimate
from benchmarks.row import Row
from benchmarks.settings import Settings

# Two planes of a board to its points and the pass, read in two ways; nothing is cached at the first report.
PROGRAM = """
import json, sys, time
import numpy as np
import torch
import intertwine as iw

torch.set_num_threads(1)
side, kind = int(sys.argv[1]), sys.argv[2]
G = iw.Dihedral(4)
board = G.grid(side, side)
if kind == "permutations":
    images, n = board.segments[0].field.generator_permutations()[0], side**2
    rep_in = G.permutation(np.concatenate([images, images + n], 1))
    rep_out = G.permutation(np.pad(images, ((0, 0), (0, 1)), constant_values=n))
else:
    rep_in, rep_out = G.standard().tensor(board), board + G.trivial()
binding = iw.bind(torch.nn.Linear(rep_in.dim, rep_out.dim), {"": (rep_in, rep_out)})
times = []
for split in (False, True, True):
    start = time.process_time()
    iw.report(binding, split=split)
    times.append(time.process_time() - start)
print(json.dumps(times))
"""


def rows(settings: Settings) -> Iterator[Row]:
    """One row a reading of the weight, process CPU time of one thread, each sample a fresh process."""
    side = 5 if settings.quick else 19
    for kind in ("permutations", "vectors on a board"):
        samples = [_once(side, kind) for _ in range(settings.passes)]
        first = estimate([sample[1] for sample in samples])
        again = statistics.median(sample[2] / sample[0] for sample in samples)
        yield Row(
            "report",
            f"first report of a {2 * side**2} x {side**2 + 1} weight under D4, {kind}",
            first.value,
            unit="s",
            budget=0.3,
            low=first.low,
            high=first.high,
            passes=first.passes,
            note=f"CPU time of {first.passes} fresh processes; with worst blocks again: {again:.2g} x that without",
        )


def _once(side: int, kind: str) -> list[float]:
    command = [sys.executable, "-c", PROGRAM, str(side), kind]
    return [float(t) for t in json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)]
