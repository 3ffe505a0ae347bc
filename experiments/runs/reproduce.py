"""``python -m experiments reproduce``: runs an experiment, keeps finished runs, and writes its record and pages."""

import json
import os
import shutil
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from experiments.runs.code_version import changed_rooms, code_version, digest
from experiments.runs.data_folder import DATA_VARIABLE
from experiments.runs.experiment import (
    NAMES,
    SIZES,
    Experiment,
    experiment,
    missing_packages,
)
from experiments.runs.grid import run_grid
from experiments.runs.progress import Progress
from experiments.runs.record import provenance
from experiments.runs.run_cache import open_cache
from intertwine.errors import ArgumentError, UnknownNameError, listing, missing_extra

INTERRUPTED = 130
RECORD, PAGE = "record.json", "report.html"
# Packages of the extra `demo`, which every experiment needs for its pages.
NEEDED = ("matplotlib", "rich", "jinja2")


def main(
    name: str,
    *,
    size: str = "cpu",
    seeds: int | None = None,
    device: str = "cpu",
    data: Path | None = None,
    out: Path | None = None,
    workers: int | None = None,
    fresh: bool = False,
) -> int:
    """Runs one experiment, prints its table and writes record, pictures and pages.

    Args:
        name: a name that ``--list`` shows.
        size: ``"smoke"`` (seconds; measures nothing), ``"cpu"`` (the committed records) or ``"full"``.
        seeds: so many seeds, from 0, instead of the experiment's own number.
        device: where to train, such as ``"cuda"``.
        data: a folder with the data sets that are not shipped.
        out: folder for everything that is written; ``runs/NAME-SIZE`` if None. In a checkout the record of a run with
            the experiment's own number of seeds goes to ``results/NAME`` (``results/NAME-full``) too.
        workers: processes; if None one per core on the CPU, one on an accelerator.
        fresh: forget the runs that an earlier call left in ``out``.

    Returns:
        0, or 130 after Ctrl-C; finished runs are kept then, and the same call resumes.

    Raises:
        UnknownNameError: no such experiment or size.
        MissingExtraError: a package that it needs is missing.
        ArgumentError: no such folder, device or count.
    """
    task = _checked(name, size, seeds, device, data)
    from rich.console import Console

    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(width=max(150, console.width), highlight=False)
    if data is not None:
        os.environ[DATA_VARIABLE] = str(data.resolve())
    standard = Path("runs") / f"{name}-{size}"
    folder = standard if out is None else Path(out)
    options = {
        "--seeds": seeds,
        "--device": None if device == "cpu" else device,
        # The place of the data is nobody else's business.
        "--data": None if data is None else "FOLDER",
        "--out": None if folder == standard else folder,
        "--workers": workers,
    }
    command = _command(name, size, options)
    version = code_version(task.run)
    cache = open_cache(folder, digest(version), fresh=fresh)
    grid = task.grid(size, seeds, device)
    try:
        console.print(f"{task.title}: {len(grid)} runs, size {size}")
        task.get_ready(size, console)
        if workers is None:
            workers = task.workers or (1 if size == "smoke" or device != "cpu" else None)
        result = run_grid(task.run, grid, cache=cache, workers=workers, progress=Progress(console))
        head = provenance(command, task.packages) | {
            "size": size,
            "device": _device_name(device),
            "code": version,
            "seeds": sorted({settings["seed"] for settings in grid if "seed" in settings}),
            "runs": len(grid),
            "runs_from_cache": result.resumed,
            "wall_seconds": round(result.seconds, 1),
            "workers": result.workers,
        }
        paths = task.write(result.runs, head, folder)
        if size != "smoke" and seeds is None:
            kept = _keep(paths, Path.cwd(), name, size)
            paths = [*paths, kept] if kept else paths
    except KeyboardInterrupt:
        kept_runs = sum(settings in cache for settings in grid)
        console.print(f"Interrupted: {kept_runs} of {len(grid)} runs are kept in {cache.path}", soft_wrap=True)
        console.print(f"Resume with: {command}", soft_wrap=True)
        return INTERRUPTED
    task.show(console, result.runs)
    if size == "smoke":
        console.print("A smoke run: it shows that everything runs; the numbers mean nothing.")
    for path in paths:
        console.print(str(path), soft_wrap=True)
    return 0


def list_experiments() -> int:
    """Prints the experiments, their sizes, and whether their records are there and fresh; returns 0."""
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    table = Table("name", "what it compares", "runs: smoke, cpu, full", "record", header_style="bold")
    for name in NAMES:
        task = experiment(name)
        counts = ", ".join(str(len(task.grid(size))) if size in task.num_seeds else "-" for size in SIZES)
        lacking = missing_packages(task)
        state = f"needs intertwine[{task.extra}] ({', '.join(lacking)})" if lacking else record_state(task, Path.cwd())
        table.add_row(name, task.summary, counts, f"{state}{_stamp_text(name)}")
    console.print(table)
    return 0


def run_all(*, size: str = "cpu", stale: bool = False, **options: Any) -> int:
    """Runs every experiment whose packages are installed, one after the other.

    Args:
        size: as in ``main``.
        stale: only those whose committed record is missing or of other code.
        options: those of ``main``.

    Returns:
        0, or the first code that is not.
    """
    from rich.console import Console

    console = Console(highlight=False)
    for name in NAMES:
        task = experiment(name)
        lacking = missing_packages(task)
        if lacking:
            console.print(f"{name}: left out, {', '.join(lacking)} is not installed (intertwine[{task.extra}])")
            continue
        if stale and record_state(task, Path.cwd()) == "fresh":
            console.print(f"{name}: its record is fresh")
            continue
        code = main(name, size=size, **options)
        if code:
            return code
    return 0


def record_state(task: Experiment, folder: Path) -> str:
    """``"none"``, ``"fresh"``, or ``"stale: "`` and what has changed: what ``results/NAME`` of a checkout holds.

    A record is stale if it was made by other code: of the experiment, of any room of the library that it trains with,
    or another version of torch.
    """
    path = folder / "results" / task.name / RECORD
    if not path.is_file():
        return "none"
    record = json.loads(path.read_text(encoding="utf-8"))
    changed = changed_rooms(record.get("code"), code_version(task.run))
    return f"stale: {', '.join(changed)}" if changed else "fresh"


def _checked(name: str, size: str, seeds: int | None, device: str, data: Path | None) -> Experiment:
    if size not in SIZES:
        raise UnknownNameError("size", expected=f"one of {listing(SIZES)}", got=repr(size))
    for package in NEEDED:
        if find_spec(package) is None:
            raise missing_extra(package, "demo")
    task = experiment(name)
    lacking = missing_packages(task)
    if lacking:
        raise missing_extra(lacking[0], task.extra)
    if seeds is not None and seeds < 1:
        raise ArgumentError("seeds", expected="an integer >= 1", got=seeds)
    if data is not None and not data.is_dir():
        raise ArgumentError("data", expected="a folder with the data sets", got=str(data))
    import torch

    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ArgumentError("device", expected="a device that torch sees here", got=repr(device), advice="Use cpu.")
    return task


def _stamp_text(name: str) -> str:
    """What a record says of its stamp, if it was not trained with the code that it is fresh for."""
    path = Path.cwd() / "results" / name / RECORD
    stamp = json.loads(path.read_text(encoding="utf-8")).get("stamp") if path.is_file() else None
    return f" (stamped {stamp['date'][:10]}: {stamp['compared']})" if stamp else ""


def _device_name(device: str) -> str:
    import torch

    return torch.cuda.get_device_name(device) if device.startswith("cuda") else device


def _keep(paths: list[Path], checkout: Path, name: str, size: str) -> Path | None:
    """Copies the small files, all but the HTML page, to the results of a checkout of this project."""
    project = checkout / "pyproject.toml"
    if not project.is_file() or 'name = "intertwine"' not in project.read_text(encoding="utf-8"):
        return None
    folder = checkout / "results" / (name if size == "cpu" else f"{name}-{size}")
    folder.mkdir(parents=True, exist_ok=True)
    for path in paths:
        if path.name != PAGE:
            shutil.copyfile(path, folder / path.name)
    return folder


def _command(name: str, size: str, options: Mapping[str, object]) -> str:
    """The call as one types it."""
    words = ["python", "-m", "experiments", "reproduce", name]
    words += ["--smoke"] if size == "smoke" else ["--size", size]
    for option, value in options.items():
        if value is not None:
            words += [option, str(value)]
    return " ".join(words)
