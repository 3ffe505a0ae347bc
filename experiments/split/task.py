"""``python -m experiments reproduce split``: split moments beside penalty, decay, exact and plain training, paired."""

from typing import Any

from experiments.comparison.paired_experiment import PairedExperiment
from experiments.paired.training import run_paired
from experiments.smoke.data import generate
from experiments.split.findings import findings
from experiments.split.plan import grid

_TEXT = """
Rotated MNIST and smoke plumes with the networks, data, budgets and seeds of their own records (from 0, from 10); size
full has three times the epochs. Penalty, decay and split moments have three strengths at one learning rate, plain and
exactly equivariant training three rates; a seed chooses by its validation loss. Split moments have the strengths of the
decay, whose proximal step they take; nothing was tuned for them. All but plain begin with projected weights. Adam
without weight decay, which is AdamW at weight decay 0.

Differences are paired: data, initial weights and batches of a seed are the same for all. *Ahead* and *behind*: the 95 %
t interval leaves out 0; there is no correction for the number of intervals. RMSE: ahead is lower.

What it shows: what moments of their own change at these budgets, which are short: 160 and 200 steps. What not: networks
trained to the end.
"""
NOTES = tuple(" ".join(paragraph.split()) for paragraph in _TEXT.split("\n\n"))


def prepare(size: str, console: Any) -> None:
    """Simulates plumes that are not there."""
    generate("smoke" if size == "smoke" else "cpu", console, ("rotation",))


TASK = PairedExperiment(
    name="split",
    title="Split moments under Adam",
    summary="split moments beside penalty, decay, exact and plain: rotated MNIST, smoke plumes; paired by seed",
    run=run_paired,
    make_grid=grid,
    num_seeds={"smoke": 2, "cpu": 5, "full": 5},
    findings=findings,
    label="split moments ahead by (accuracy up, RMSE down)",
    notes=NOTES,
    packages=("phi",),
    extra="smoke",
    prepare=prepare,
)
