"""``python -m experiments reproduce runtime``: what every regulariser costs, in time and in memory."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from experiments.runs.grid import Settings
from experiments.runs.run_cache import Run
from experiments.runtime.cases import GROUPS, PAIRS
from experiments.runtime.findings import Findings
from experiments.runtime.pages import write_pages
from experiments.runtime.process import run_runtime
from experiments.runtime.tables import headline, small_batches
from intertwine.errors import UnknownNameError, listing

SAMPLES = (1, 2, 4, 8, 16)
# So many hidden features by kind of model; octahedral regular fields have 24, hence widths of their own.
WIDTHS: dict[str, dict[str, tuple[int, ...]]] = {
    "cpu": {"mlp": (128, 512, 1024), "cnn2d": (16, 32, 64), "cnn3d": (16, 32, 64), "O": (24, 48, 96)},
    "full": {"mlp": (256, 1024, 4096), "cnn2d": (64, 128, 256), "cnn3d": (32, 64, 128), "O": (48, 96, 192)},
}
# (batch, side): batch times positions is 4096, where the budgets begin; 16 times that for an accelerator.
BATCHES = {
    "cpu": {"mlp": (4096, 1), "cnn2d": (4, 32), "cnn3d": (8, 8)},
    "full": {"mlp": (65536, 1), "cnn2d": (64, 32), "cnn3d": (16, 16)},
}
SMALL_BATCH = 32
# Seconds on each work, and rounds at least.
EFFORT = {"smoke": (0.0, 2), "cpu": (0.4, 5), "full": (1.0, 7)}
THREADS = 2


class RuntimeExperiment:
    """Timings: an ``Experiment`` whose runs have no seeds and go one at a time."""

    name = "runtime"
    title = "What regularisers cost: seconds and memory of a training step"
    summary = "time and memory of a training step with every regulariser: groups, models, widths, sampled elements"
    packages: tuple[str, ...] = ()
    extra = "demo"
    workers: int | None = 1
    num_seeds: Mapping[str, int] = MappingProxyType(dict.fromkeys(EFFORT, 1))

    @property
    def run(self) -> Callable[[Settings], Run]:
        """One network, or the sampling of one group."""
        return run_runtime

    def grid(self, size: str, seeds: int | None = None, device: str = "cpu") -> list[dict[str, Any]]:
        """The settings of every run.

        Args:
            size: ``"smoke"``, ``"cpu"`` or ``"full"``; the last is meant for an accelerator.
            seeds: so many repetitions of everything, each with weights and data of its own.
            device: where.

        Raises:
            UnknownNameError: no such size.
        """
        if size not in EFFORT:
            raise UnknownNameError("size", expected=f"one of {listing(EFFORT)}", got=repr(size))
        return [settings for seed in range(seeds or 1) for settings in _grid(size, seed, device)]

    def get_ready(self, size: str, console: Any) -> None:
        """Nothing has to be there."""

    def write(self, runs: Sequence[tuple[Settings, Run]], head: Mapping[str, Any], out: Path) -> list[Path]:
        """Record, pages and pictures under ``out``; their paths."""
        return write_pages(self.title, runs, head, out)

    def show(self, console: Any, runs: Sequence[tuple[Settings, Run]]) -> None:
        """The main tables and the conclusions on a rich console."""
        found = Findings.of(runs)
        for table in (headline(found), small_batches(found)):
            if table.rows:
                console.print(table.to_rich())
        for line in found.conclusions():
            console.print(line)


def _grid(size: str, seed: int, device: str) -> list[dict[str, Any]]:
    seconds, least = EFFORT[size]
    every: dict[str, Any] = {
        "isolated": size != "smoke",
        "threads": 1 if size == "smoke" else THREADS,
        "seed": seed,
        "device": device,
        "seconds": seconds,
        "least": least,
    }
    steps = every | {"measure": "steps", "samples": list(SAMPLES if size != "smoke" else SAMPLES[:2])}
    spread = every | {"measure": "variance", "width": 96, "timed_width": 768, "draws": 3, "elements": 1024,
                      "counts": [1, 2, 4, 8, 16, 32, 64]}  # fmt: skip
    if size == "smoke":
        return [
            steps | {"group": "D4", "kind": "mlp", "width": 16, "batch": 4096, "side": 1},
            steps | {"group": "SO(2)", "kind": "cnn2d", "width": 7, "batch": 2, "side": 8},
            spread | {"group": "C4", "width": 8, "timed_width": 16, "draws": 1, "elements": 64, "counts": [1, 4]},
        ]
    cases = []
    for kind, groups in PAIRS.items():
        batch, side = BATCHES[size][kind]
        for group in groups:
            widths = WIDTHS[size]["O" if kind != "mlp" and group == "O" else kind]
            batches = (batch, SMALL_BATCH) if kind == "mlp" else (batch,)
            cases += [
                steps | {"group": group, "kind": kind, "width": width, "batch": b, "side": side}
                for b in batches
                for width in widths
            ]
    return cases + [spread | {"group": group} for group in GROUPS]


TASK = RuntimeExperiment()
