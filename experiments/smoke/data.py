"""Smoke plumes, generated once and kept: ``python -m experiments.smoke.data --size cpu``."""

import argparse
import hashlib
import json
import os
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from experiments.runs.data_folder import generated_folder
from experiments.runs.progress import Progress
from experiments.smoke.recipes import (
    CONDITIONS,
    RECIPES,
    Recipe,
    Run,
    probe_runs,
    recipe_runs,
)
from experiments.smoke.simulation import phiflow, simulate
from intertwine.errors import UnknownNameError, listing

# Raised when the generator changes, so that older files are made anew.
VERSION = 1


@dataclass(frozen=True, eq=False)
class Plumes:
    """The frames of one condition.

    Attributes:
        frames: velocities (x, y), y up, shape (runs, frames, 2, side, side), rows from top to bottom; cells of the
            box per unit of time.
        symmetry_error: of the simulator itself under C4, see ``symmetry_error``; None for other symmetries.
    """

    frames: torch.Tensor
    symmetry_error: float | None


def generate(size: str, console: Any = None, conditions: Sequence[str] = CONDITIONS) -> Path:
    """Simulates what is not there yet, one file a condition; returns their folder.

    Each file stands with its recipe's digest in ``manifest.json`` the moment it is complete, so that a second call
    resumes.

    Args:
        size: a key of ``RECIPES``.
        console: a rich console for the progress; None is silent.
        conditions: of ``CONDITIONS``.

    Raises:
        UnknownNameError: no such size or condition.
        MissingExtraError: PhiFlow is not installed, and something is missing.
    """
    folder = _folder(size)
    manifest = _manifest(folder)
    wanted = [name for name in conditions if not _is_there(folder, manifest, name, RECIPES[size])]
    if wanted:
        phiflow()
    progress = Progress(console, "simulated conditions")
    with progress.running(len(conditions), len(conditions) - len(wanted)):
        together = RECIPES[size].together
        for start in range(0, len(wanted), together):
            found = _generate(folder, wanted[start : start + together], RECIPES[size])
            manifest = _manifest(folder) | found
            partial = folder / f"manifest.{os.getpid()}.partial"
            partial.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n", encoding="utf-8")
            partial.replace(folder / "manifest.json")
            for _ in found:
                progress.advance()
    return folder


@lru_cache(maxsize=4)
def load_plumes(condition: str, size: str) -> Plumes:
    """The frames of a condition, simulated now if they are not there.

    Raises:
        UnknownNameError: no such size or condition.
        MissingExtraError: PhiFlow is not installed, and nothing was kept.
    """
    folder = generate(size, conditions=(condition,))
    with np.load(folder / f"{_file_name(condition)}.npz") as file:
        frames = torch.from_numpy(file["frames"])
    return Plumes(frames, _manifest(folder)[condition]["symmetry_error"])


def symmetry_error(frames: NDArray[np.float32]) -> float:
    r"""How far four runs, each the last one's set-up turned by a quarter, are from being turned copies.

    ``sqrt(sum |sim(g x) - g sim(x)|^2 / sum |sim(g x)|^2)`` over all x, all turns g but the identity, and all frames.

    Args:
        frames: shape (4, frames, 2, side, side).
    """
    upright = np.stack([quarter_turns(run, -j) for j, run in enumerate(frames)]).astype(np.float64)
    pairs = [(i, j) for i in range(4) for j in range(4) if i != j]
    difference = sum(float(np.square(upright[i] - upright[j]).sum()) for i, j in pairs)
    return float(np.sqrt(difference / max(3 * np.square(upright).sum(), 1e-300)))


def quarter_turns(frames: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """Velocities (..., 2, side, side) turned counterclockwise: the pixels move and the vectors turn."""
    turned = np.rot90(frames, count, (-2, -1))
    x, y = turned[..., 0, :, :], turned[..., 1, :, :]
    for _ in range(count % 4):
        x, y = -y, x
    return np.stack([x, y], axis=-3)


def _generate(folder: Path, names: Sequence[str], recipe: Recipe) -> dict[str, Any]:
    """The files of some conditions, and what the manifest says of each."""
    start, wall = time.process_time(), time.perf_counter()
    wanted = [(name, probe, run) for name in names
              for probe, runs in enumerate((recipe_runs(name, recipe), probe_runs(name, recipe)))
              for run in runs]  # fmt: skip
    found = _simulated([run for _, _, run in wanted], recipe)
    # Conditions that are simulated together share the time.
    seconds: dict[str, Any] = {
        "processor_seconds": round((time.process_time() - start) / len(names), 2),
        "wall_seconds": round((time.perf_counter() - wall) / len(names), 2),
    }
    entries: dict[str, Any] = {}
    for name in names:
        frames, probes = (
            [frame for frame, (owner, probe, _) in zip(found, wanted, strict=True) if (owner, probe) == (name, kind)]
            for kind in (0, 1)
        )
        partial = folder / f"{_file_name(name)}.{os.getpid()}.npz"
        kept = np.stack(frames)[:, recipe.warm_up :]
        np.savez_compressed(partial, frames=kept)
        partial.replace(folder / f"{_file_name(name)}.npz")
        entries[name] = seconds | {
            "digest": _digest(name, recipe),
            "recipe": asdict(recipe),
            "shape": list(kept.shape),
            "symmetry_error": symmetry_error(np.stack(probes)[:, : recipe.probed]) if probes else None,
            "phiflow": version("phiflow"),
        }
    return entries


def _simulated(runs: Sequence[Run], recipe: Recipe) -> list[NDArray[np.float32]]:
    """The velocities of each run at all steps; runs of one box and time step are simulated in batches."""
    groups: dict[tuple[int, float], list[int]] = {}
    for place, run in enumerate(runs):
        groups.setdefault((run.cells, run.time_step), []).append(place)
    steps = recipe.warm_up + recipe.frames
    found: dict[int, NDArray[np.float32]] = {}
    for (cells, time_step), places in groups.items():
        for start in range(0, len(places), recipe.batch):
            batch = places[start : start + recipe.batch]
            plumes = [runs[place].plume for place in batch]
            velocities = simulate(plumes, cells, steps, time_step=time_step, side=recipe.side)
            for place, velocity in zip(batch, velocities, strict=True):
                found[place] = (velocity / runs[place].zoom).astype(np.float32)
    return [found[place] for place in range(len(runs))]


def _folder(size: str) -> Path:
    if size not in RECIPES:
        raise UnknownNameError("size", expected=f"one of {listing(RECIPES)}", got=repr(size))
    folder = generated_folder("smoke") / size
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return {}
    return found


def _is_there(folder: Path, manifest: dict[str, Any], name: str, recipe: Recipe) -> bool:
    entry = manifest.get(name, {})
    return entry.get("digest") == _digest(name, recipe) and (folder / f"{_file_name(name)}.npz").is_file()


def _digest(name: str, recipe: Recipe) -> str:
    content = repr((VERSION, recipe_runs(name, recipe), probe_runs(name, recipe), recipe.warm_up, recipe.frames,
                    recipe.probed, recipe.side))  # fmt: skip
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _file_name(condition: str) -> str:
    return condition.replace(" ", "_").replace(".", "p")


def main() -> None:
    """Generates one size, with progress on the terminal."""
    from rich.console import Console

    parser = argparse.ArgumentParser(description="Simulates the smoke plumes of one size.")
    parser.add_argument("--size", choices=tuple(RECIPES), default="cpu")
    console = Console()
    folder = generate(parser.parse_args().size, console)
    seconds = [entry["processor_seconds"] for entry in _manifest(folder).values()]
    console.print(f"{len(seconds)} conditions in {folder}, {sum(seconds):.0f} processor seconds")


if __name__ == "__main__":
    main()
