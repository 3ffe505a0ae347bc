"""``python -m experiments demo``: handwritten digits with a dial for symmetry breaking, all methods side by side."""

from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from experiments.comparison.tables import accuracy_table, detail_table
from experiments.demo.digits_training import NETWORKS, run_digits
from experiments.demo.outcome import LABELS, Outcome, outcome
from experiments.demo.pages import copy_record, write_outputs
from experiments.demo.plan import PLANS
from experiments.runs.code_version import code_version, digest
from experiments.runs.grid import run_grid
from experiments.runs.progress import Progress
from experiments.runs.run_cache import open_cache
from intertwine.errors import ArgumentError, UnknownNameError, listing, missing_extra

# Modules of the extra `demo`, as they are imported.
NEEDED = ("sklearn", "matplotlib", "rich", "jinja2")
INTERRUPTED = 130


def main(
    *,
    model: str = "mlp",
    full: bool = False,
    smoke: bool = False,
    fresh: bool = False,
    out: Path | None = None,
    workers: int | None = None,
) -> int:
    """Runs the demo, prints its table and writes its record, pictures and pages.

    Args:
        model: ``"mlp"``, a perceptron, or ``"cnn"``, a convolutional network.
        full: six fractions, nine strengths, ten seeds (five for ``"cnn"``); in a checkout the record goes to
            ``results/demo`` (``results/demo-cnn``) too.
        smoke: two epochs: shows that it runs, measures nothing.
        fresh: forget the runs that an earlier call left in ``out``.
        out: folder for everything that is written; ``runs/demo`` or ``runs/demo-cnn`` if None.
        workers: processes; one per core if None (one for ``smoke``).

    Returns:
        0, or 130 after Ctrl-C; finished runs are kept then, and the same call resumes.

    Raises:
        MissingExtraError: a package of the extra ``demo`` is missing.
        UnknownNameError: no such ``model``.
        ArgumentError: both ``full`` and ``smoke``, or ``out`` cannot be written to.
    """
    for package in NEEDED:
        if find_spec(package) is None:
            raise missing_extra(package, "demo")
    if full and smoke:
        raise ArgumentError("smoke", expected="not together with full", got="both")
    if model not in NETWORKS:
        raise UnknownNameError("model", expected=f"one of {listing(NETWORKS)}", got=repr(model))
    from rich.console import Console

    standard = Path("runs") / _folder(model)
    out = standard if out is None else Path(out)
    options = {"--model cnn": model == "cnn", "--full": full, "--smoke": smoke, "--fresh": fresh}
    command = _command(options, None if out == standard else out, workers)
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(width=max(130, console.width), highlight=False)
    plan = PLANS[model, "full" if full else "smoke" if smoke else "default"]
    version = code_version(run_digits)
    cache = open_cache(out, digest(version), fresh=fresh)
    grid = plan.grid()
    try:
        console.print(f"{len(grid)} trainings for {len(plan.fractions)} fractions and {plan.num_seeds} seeds")
        result = run_grid(
            run_digits,
            grid,
            cache=cache,
            workers=1 if smoke and workers is None else workers,
            progress=Progress(console, "trainings"),
        )
        found = outcome(plan, result, command, version)
        paths = write_outputs(found, out)
        results = _checkout(Path.cwd(), _folder(model)) if full else None
        if results is not None:
            paths.insert(0, copy_record(out, results))
    except KeyboardInterrupt:
        kept = sum(settings in cache for settings in grid)
        console.print(f"Interrupted: {kept} of {len(grid)} trainings are kept in {cache.path}", soft_wrap=True)
        console.print(f"Resume with: {command.replace(' --fresh', '')}", soft_wrap=True)
        return INTERRUPTED
    _show(console, found)
    console.print(f"{result.seconds:.0f} s for {len(grid) - result.resumed} trainings, {result.workers} at a time")
    if smoke:
        console.print("A smoke run: two epochs, the numbers mean nothing.")
    for path in paths:
        console.print(str(path), soft_wrap=True)
    return 0


def _show(console: Any, found: Outcome) -> None:
    console.print(detail_table(found.rows, LABELS, "f", found.chance).to_rich())
    console.print(accuracy_table(found.rows, LABELS, "f").to_rich())
    for line in [*found.claim(), "", *found.conclusions(), ""]:
        console.print(line)


def _command(options: Mapping[str, bool], out: Path | None, workers: int | None) -> str:
    """The call as one types it."""
    words = ["python", "-m", "experiments", "demo", *(option for option, given in options.items() if given)]
    if out is not None:
        words += ["--out", str(out)]
    if workers is not None:
        words += ["--workers", str(workers)]
    return " ".join(words)


def _folder(model: str) -> str:
    """Under ``runs/`` and ``results/``."""
    return "demo" if model == "mlp" else f"demo-{model}"


def _checkout(folder: Path, name: str) -> Path | None:
    """Where a checkout of this project, if ``folder`` is one, keeps the record of the demo."""
    project = folder / "pyproject.toml"
    if project.is_file() and 'name = "intertwine"' in project.read_text(encoding="utf-8"):
        return folder / "results" / name
    return None
