"""Trains on digits under targets, and says where each weight ended: `python -m benchmarks.targets --record`."""

import argparse
import itertools
import json
import sys
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F

import intertwine as iw
from benchmarks.measuring.environment import machine
from experiments.demo.digits_data import load_digits_split, stream
from experiments.demo.digits_training import digits_types, initial_network

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results" / "targets"
FRACTION, TRAINING, BATCH, EPOCHS = 0.3, 300, 50, 40
RATES = {("mlp", "sgd"): 0.2, ("cnn", "sgd"): 0.05, ("mlp", "adamw"): 1e-3, ("cnn", "adamw"): 1e-3}
LIMITS, SEEDS = (0.5, 0.3, 0.05), 3
# Within so much of its target a weight counts as there.
WITHIN = 0.05
ABOUT = """# Targets on the demo's digits

Relative residuals `|W-PW| / |W|` after {epochs} epochs with
`iw.EquivarianceDecay(optimizer, binding, strength=iw.Target(binding, target))`, {fraction:.0%} of {training} digits
turned, seeds 0 to {last}, from `binding.project_(preserve_norm=True)`; SGD has momentum 0.9, learning rates fall to
zero along a cosine.

* *at target*: weights and biases within {within:.0%} of it, of those that the group leaves something to bound; the
  others have slack: the loss holds them below, the lowest as far as the next column says.
* *largest*: of all, over the target.
* *multiplier*: the running mean of the strengths that steps needed, at the end; median over weights and seeds.
* *accuracy*: on test digits, mean over seeds.

{table}

{machine[date]}, {machine[processor]}, {machine[cores]} cores, torch {machine[torch]};
`python -m benchmarks.targets --record`.
"""
HEAD = ("network", "optimiser", "target", "at target", "lowest / target", "largest / target", "multiplier", "accuracy")


def trained(network: str, kind: str, limit: float, seed: int, epochs: int) -> dict[str, Any]:
    """One training: residuals by name, multipliers, accuracy."""
    split = load_digits_split(FRACTION, seed, TRAINING, TRAINING)
    model = initial_network(seed, network)
    # A strict target would take as much off the norm of random weights as a projection does.
    binding = iw.bind(model, digits_types(network)).project_(preserve_norm=True)
    rate = RATES[network, kind]
    optimizer: torch.optim.Optimizer = (
        torch.optim.SGD(model.parameters(), rate, momentum=0.9)
        if kind == "sgd"
        else torch.optim.AdamW(model.parameters(), rate, weight_decay=0.0)
    )
    target = iw.Target(binding, limit)
    iw.EquivarianceDecay(optimizer, binding, strength=target)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    generator = stream(seed, "batches")
    for _ in range(epochs):
        for chosen in torch.randperm(TRAINING, generator=generator).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(model(split.training.x[chosen]), split.training.y[chosen]).backward()
            optimizer.step()
        schedule.step()
    found = {name: one for name, one in binding.residuals().items() if one.rank < one.numel}
    with torch.no_grad():
        right = (model(split.test.x).argmax(1) == split.test.y).float().mean()
    return {
        "residuals": {name: one.relative_residual for name, one in found.items()},
        "multipliers": {name: target.multipliers[name] for name in found},
        "accuracy": float(right),
    }


def main(arguments: list[str] | None = None) -> None:
    """Run what is not there yet, and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.targets", description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "targets", help="folder where runs are kept")
    parser.add_argument("--record", action="store_true", help="also write results/targets/README.md")
    parser.add_argument("--quick", action="store_true", help="one seed, one epoch: does everything run?")
    options = parser.parse_args(arguments)
    seeds, epochs = (1, 1) if options.quick else (SEEDS, EPOCHS)
    options.out.mkdir(parents=True, exist_ok=True)
    kept = options.out / "runs.json"
    done = json.loads(kept.read_text(encoding="utf-8")) if kept.exists() else {}
    rows = []
    for (network, kind), limit in itertools.product(RATES, LIMITS):
        runs = []
        for seed in range(seeds):
            key = f"{network} {kind} {limit} {seed} {epochs}"
            if key not in done:
                print(key, file=sys.stderr, flush=True)
                done[key] = trained(network, kind, limit, seed, epochs)
                kept.write_text(json.dumps(done) + "\n", encoding="utf-8")
            runs.append(done[key])
        rows.append((network, kind, limit, *_summary(runs, limit)))
    lines = [HEAD, ("---",) * len(HEAD), *rows]
    table = "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
    page = ABOUT.format(
        table=table,
        machine=machine("cpu"),
        epochs=epochs,
        fraction=FRACTION,
        training=TRAINING,
        last=seeds - 1,
        within=WITHIN,
    )
    print(page)
    if options.record:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / "README.md").write_text(page, encoding="utf-8")


def _summary(runs: list[dict[str, Any]], limit: float) -> tuple[str, str, str, str, str]:
    shares = sorted(value / limit for run in runs for value in run["residuals"].values())
    multipliers = sorted(value for run in runs for value in run["multipliers"].values())
    there = sum(abs(share - 1) <= WITHIN for share in shares)
    accuracy = sum(run["accuracy"] for run in runs) / len(runs)
    middle = multipliers[len(multipliers) // 2]
    return f"{there} of {len(shares)}", f"{shares[0]:.3f}", f"{shares[-1]:.5f}", f"{middle:.2g}", f"{accuracy:.3f}"


if __name__ == "__main__":
    main()
