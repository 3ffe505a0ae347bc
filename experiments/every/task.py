"""``python -m experiments reproduce every``: accuracy with penalty and decay at every k-th step, paired by seed."""

from experiments.comparison.paired_experiment import PairedExperiment
from experiments.every.findings import findings
from experiments.every.plan import FIRST_SEED, grid
from experiments.paired.training import run_paired

_TEXT = f"""
Three tasks with the settings of their own records, on seeds from {FIRST_SEED} on, which those do not use: digits with a
tenth of them turned (perceptron, SGD with momentum 0.9, 480 steps of 50 digits), wavy rings (Adam, 200 steps of all
points), rotated MNIST under C4 (Adam, 160 steps of 50 digits). Strengths are those that validation takes in most seeds
of the records, on the rings ten times that too; nothing was tuned for any k.

Differences are paired: data, initial weights and batches of a seed are the same at every k. The decay takes what still
waits after the last step. *Within a standard error*: the mean difference is at most its own standard error; *ahead* and
*behind*: its 95 % t interval leaves out 0. Of so many intervals one in twenty leaves out 0 by chance.

What it shows: what `every` changes in short trainings; on rotated MNIST every = 16 takes ten terms in all. What not:
long trainings.
"""
NOTES = tuple(" ".join(paragraph.split()) for paragraph in _TEXT.split("\n\n"))

TASK = PairedExperiment(
    name="every",
    title="Penalty and decay at every k-th step",
    summary="accuracy with every = 1, 4, 8, 16 on three tasks, paired by seed",
    run=run_paired,
    make_grid=grid,
    num_seeds={"smoke": 2, "cpu": 5, "full": 20},
    findings=findings,
    label="test accuracy, ahead of every = 1",
    notes=NOTES,
    packages=("sklearn",),
)
