"""Measures every class, keeps what is done, writes the table."""

import argparse
import json
import math
import sys
import time
from pathlib import Path

from benchmarks.measuring.environment import machine
from benchmarks.optimizers.classes import PACKAGES, candidates
from benchmarks.optimizers.measure import DRIFT_STEPS, EXACT, EXACT_STEPS, MOVED, Row, measured

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "optimizers"
COLUMNS = ("optimiser", "train", "eval", "hooks", "decays", "permutations", "irreps", "lr")
ABOUT = """# Optimisers and equivariant weights

One float32 weight of D4, {dim} x {dim}, with the regular representation (*permutations*) or invariants and vectors
(*irreps*).

* `train`, `eval`: relative residual after {exact} steps on random data from a random start with
  `iw.EquivarianceDecay(optimizer, binding, strength=inf)`, in the optimiser's train and eval mode; 0 is at most
  {tolerance:g}.
* `hooks`, `decays`: how often in a step the optimiser runs the decay's hook, and how often the decay acts.
* `permutations`, `irreps`: **without** the decay, from `W = PW`: the largest relative residual in {steps} steps of
  regression on whole orbits, a loss that has no freedom outside the subspace. Rounding is 1e-8 to 1e-6. In brackets: W
  moved by less than {moved:.0%} of its norm, or diverged, which says nothing.

{counts}

{machine[date]}, {machine[processor]}, {machine[cores]} cores, torch {machine[torch]}, intertwine
{machine[intertwine]}; made with `{command}` in {seconds:.0f} s, beside other work. Into an environment with torch and
Intertwine: `pip install --no-deps {pins}`.
"""


def main(arguments: list[str] | None = None) -> list[Row]:
    """Measures and writes README.md and record.json."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizers", description=__doc__)
    parser.add_argument("--packages", nargs="+", choices=PACKAGES, default=list(PACKAGES), metavar="PACKAGE")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "optimizers", help="folder of the record")
    parser.add_argument("--record", action="store_true", help="also write to results/optimizers")
    parser.add_argument("--quick", action="store_true", help="small weights, few steps: does everything run?")
    options = parser.parse_args(arguments)
    copies, steps = (1, 5) if options.quick else (12, DRIFT_STEPS)
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "rows.json"
    done: dict[str, Row] = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    found = list(candidates(options.packages))
    start, spent = time.perf_counter(), sum(row["seconds"] for row in done.values())
    for number, candidate in enumerate(found, 1):
        if candidate.key not in done:
            begin = time.perf_counter()
            row = measured(candidate, copies=copies, steps=steps)
            done[candidate.key] = row | {"seconds": round(time.perf_counter() - begin, 2)}
            kept.write_text(json.dumps(done, indent=1) + "\n", encoding="utf-8")
            print(f"{number}/{len(found)} {candidate.key}: {done[candidate.key]}", file=sys.stderr, flush=True)
    rows = [done[candidate.key] for candidate in found]
    header = {
        "command": "python -m benchmarks.optimizers " + " ".join(sys.argv[1:] if arguments is None else arguments),
        "seconds": round(time.perf_counter() - start + spent, 1),
        "packages": {PACKAGES[row["package"]]: row["version"] for row in rows},
        "dim": 8 * copies,
        "machine": machine("cpu"),
    }
    for folder in [options.out, RESULTS] if options.record and not options.quick else [options.out]:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "README.md").write_text(markdown(rows, header, steps), encoding="utf-8")
        (folder / "record.json").write_text(json.dumps({**header, "rows": rows}, indent=1) + "\n", encoding="utf-8")
        print("written:", folder)
    return rows


def markdown(rows: list[Row], header: dict, steps: int) -> str:
    """The counts, then a table for each package."""
    about = ABOUT.format(
        exact=EXACT_STEPS, tolerance=EXACT, steps=steps, moved=MOVED, counts=counts(rows), pins=pins(header), **header
    )
    parts = [about]
    for package, number in header["packages"].items():
        its = [row for row in rows if PACKAGES[row["package"]] == package]
        table = [COLUMNS, ["---"] + ["--:"] * (len(COLUMNS) - 1), *(_cells(row) for row in its if "train" in row)]
        parts.append(f"## {package} {number}\n")
        parts.append("\n".join(f"| {' | '.join(line)} |" for line in table) + "\n")
        left = [f"`{row['class']}` ({row.get('refused') or row['not run']})" for row in its if "train" not in row]
        parts += [f"Refused or not run: {'; '.join(left)}.\n"] if left else []
    return "\n".join(parts)


def pins(header: dict) -> str:
    """What to install beside torch."""
    return " ".join(f"{name}=={number}" for name, number in header["packages"].items() if name != "torch")


def counts(rows: list[Row]) -> str:
    """How many are exact, and how many keep which weights without help."""
    ran = [row for row in rows if "train" in row]
    exact = [row for row in ran if max(row["train"], row["eval"]) <= EXACT and row["decays"] == 1]
    others = ", ".join(row["class"] for row in ran if row not in exact)
    text = f"Of {len(rows)} classes {len(ran)} were run; {len(exact)} are exact in both modes"
    kept = {name: sum(row[name] <= EXACT for row in ran if says(row, name)) for name in ("permutations", "irreps")}
    said = {name: sum(says(row, name) for row in ran) for name in kept}
    return (
        f"{text}{f' (not: {others})' if others else ''}. Without the decay {kept['permutations']} of "
        f"{said['permutations']} keep weights between permutations, {kept['irreps']} of {said['irreps']} those between "
        f"irreps, to {EXACT:g}."
    )


def says(row: Row, name: str) -> bool:
    """Whether W moved enough, and not to infinity, in time."""
    return name in row and math.isfinite(row[name]) and row[f"{name} moved"] >= MOVED


def _cells(row: Row) -> list[str]:
    numbers = [_residual(row[name]) for name in ("train", "eval")]
    calls = [f"{row[name]:g}" for name in ("hooks", "decays")]
    drifts = []
    for name in ("permutations", "irreps"):
        text = f"{row[name]:.0e}" if row.get(name) else "0" if name in row else "too slow"
        drifts.append(text if says(row, name) else f"({text})")
    return [row["class"], *numbers, *calls, *drifts, "" if row["lr"] is None else f"{row['lr']:g}"]


def _residual(value: float) -> str:
    return "0" if value <= EXACT else f"{value:.2g}"


if __name__ == "__main__":
    main()
