"""``python -m experiments reproduce rings``: section 4.1 of the paper, SO(2), an arc and wavy rings."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from experiments.comparison.metric import Metric
from experiments.comparison.selection import Row
from experiments.comparison.task import Task, TaskPlan
from experiments.rings.data import ARC, DEVIATION, RING_RADII
from experiments.rings.findings import (
    EQUIVARIANT_STRENGTHS,
    PAPER_METHOD,
    PAPER_STRENGTH,
    STRENGTHS,
    conclusions,
)
from experiments.rings.methods import FORMS, PERCEPTRON, SWEEP, NormPenalty, both_name
from experiments.rings.model import NETWORKS
from experiments.rings.training import MEASURED_POINTS, TURNS, run_rings
from intertwine.baselines import BASELINES

TRAINED = (
    "plain",
    "weight_decay",
    "augmentation",
    "exact",
    "sampled_operator",
    "sampled_activation",
    "remul",
    "lie_derivative",
    "rpp",
    "per",
    "penalty",
    "penalty_norm",
    "decay",
    PERCEPTRON,
)
ORDER = (*TRAINED[:4], "train_then_project", "orbit_averaging", *TRAINED[4:])
LABELS = {
    name: {PERCEPTRON: "perceptron 4 x 96, GELU", NormPenalty.name: NormPenalty.label}.get(name)
    or BASELINES[name].label
    for name in ORDER
}
# Ranges of one coarse scan on validation of seed 1; decades apart, so that three of them cover it.
CPU_STRENGTHS = {
    "weight_decay": (3e-4, 1e-3, 3e-3),
    "sampled_operator": (1e-2, 1e-1, 1.0),
    "sampled_activation": (1e-3, 1e-2, 1e-1),
    "remul": (1e-1, 1.0, 10.0),
    "lie_derivative": (1e-4, 3e-3, 1e-1),
    "rpp": (1e-2, 1e-1, 1.0),
    "per": (1e-2, 1e-1, 1.0),
    "penalty": (1e-2, 1e-1, 1.0),
    "penalty_norm": (3e-3, 1e-2, 3e-2),
    "decay": (1e1, 1e2, 1e3),
}
FULL_STRENGTHS = {
    "weight_decay": (1e-4, 3e-4, 1e-3, 3e-3, 1e-2),
    "sampled_operator": (3e-3, 1e-2, 3e-2, 1e-1, 1.0),
    "sampled_activation": (1e-4, 1e-3, 1e-2, 1e-1, 1.0),
    "remul": (1e-2, 1e-1, 1.0, 10.0, 100.0),
    "lie_derivative": (1e-5, 1e-4, 1e-3, 1e-2, 1e-1),
    "rpp": (3e-3, 1e-2, 3e-2, 1e-1, 1.0),
    "per": (3e-3, 1e-2, 3e-2, 1e-1, 1.0),
    "penalty": (3e-3, 1e-2, 3e-2, 1e-1, 1.0),
    "penalty_norm": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
    "decay": (1.0, 1e1, 1e2, 1e3, 1e4),
}
PLANS = {
    "smoke": TaskPlan(
        conditions=(ARC, "wavy 0.5"),
        methods=TRAINED,
        seeds=1,
        strengths={name: (values[1],) for name, values in CPU_STRENGTHS.items()},
        learning_rates=(3e-3,),
        options={"epochs": 3, "training": 20, "test": 200},
    ),
    "cpu": TaskPlan(
        conditions=(ARC, "wavy 0", "wavy 0.5", "wavy 1"),
        methods=TRAINED,
        seeds=10,
        strengths=CPU_STRENGTHS,
        learning_rates=(1e-3, 3e-3, 9e-3),
        options={"epochs": 200},
    ),
    "full": TaskPlan(
        conditions=(ARC, "wavy 0", "wavy 0.25", "wavy 0.5", "wavy 0.75", "wavy 1"),
        methods=TRAINED,
        seeds=10,
        strengths=FULL_STRENGTHS,
        learning_rates=(3e-4, 1e-3, 3e-3, 9e-3, 3e-2),
        options={"epochs": 200},
    ),
}
# Beside the strengths that validation chooses from: the curve of error against accuracy.
SWEPT_CONDITION = "wavy 0.5"
SWEEPS = {
    "penalty": (1e-3, 3e-3, 3e-2, 3e-1, 3.0, 10.0),
    "weight_decay": (1e-4, 1e-2, 3e-2),
}
METRICS = (
    Metric("test_accuracy", "test accuracy", higher_is_better=True),
    Metric("turned_accuracy", "accuracy on turned points", higher_is_better=True),
    Metric("worst_rotation_error", "worst-rotation error, logits", higher_is_better=False, decimals=2),
)
NOTES = (
    f"""Data: the arc is 100 points of the disc r < 1 against 100 on a quarter of the annulus 2.3 < r < 3, uniform in
    area; wavy rings are 350 + 350 points of radius R + amplitude sin(5 angle) + noise. The paper does not give radii
    and noise: ours are R = {RING_RADII[0]:g} and {RING_RADII[1]:g}, deviation {DEVIATION:g}, which leaves 2.3 % error
    to a perfect classifier at every amplitude. Validation has as many points as training; the test is 2000 fresh points
    of the same distribution.""",
    f"""Network: {NETWORKS["harmonic"]}. Real harmonics of frequency m = 0 .. 4 carry the complex ones of m = -4 .. 4,
    as those of a real signal come in conjugate pairs; weights are real, and P keeps of them what a complex linear map
    that masks unlike m has. The two maps stand side by side, have no biases, and are the typed weights; the pairing is
    conj(u) v in each channel and frequency, exactly invariant, so that the network is equivariant where W = PW. The
    head is free and not typed. Perceptron: {NETWORKS[PERCEPTRON]}; it has no typed weights, hence no residual.""",
    """Training: Adam at 3e-3 (methods without a strength: at several rates), 200 steps, all points in each, one logit,
    cross-entropy. Augmentation and REMUL turn all points in one operation.""",
    f"""Equivariance and worst-rotation error: {TURNS} random turns, {MEASURED_POINTS} test points; the latter is the
    largest over the turns of the root mean square of f(Rx) - f(x), in logits, and scales with them: whatever shrinks
    the logits lowers it. The relative error has no such way out. Orbit averaging is over 16 random turns.""",
    """Turned points are the test points turned by random angles with their labels kept: for the arc and for amplitude 0
    this is what the symmetry says; for the other amplitudes labels depend on the angle, and a network that fits the
    waves must lose there.""",
    """Both strengths (grid pictures, in the record as `both FORM LAMBDA_G` with strength lambda_perp) start from
    torch's own initial draw, as in the paper; a squared lambda is half of the library's strength, so that lambda_G =
    lambda_perp in squared norms is weight decay of the typed weights. `sweep` rows of the record are further strengths,
    which validation does not choose from.""",
    """What it shows: how the methods behave where everything is known. What not: which is best on real data; the data
    are made for this network, and every method fits the points of the arc.""",
)


def make_grid(plan: TaskPlan, seeds: int, device: str) -> list[dict[str, Any]]:
    """The plan's runs, the paper's grids over both strengths, its own strengths on the waves, and the sweep."""
    # The smoke size takes the corners.
    step = 3 if plan is PLANS["smoke"] else 1
    both = [(ARC, both_name(form, first), second) for form in FORMS for first in EQUIVARIANT_STRENGTHS[::step]
            for second in STRENGTHS[::step]]  # fmt: skip
    paper = [(condition, PAPER_METHOD, PAPER_STRENGTH) for condition in plan.conditions if condition != ARC]
    sweep = [
        (SWEPT_CONDITION, SWEEP + method, strength)
        for method, strengths in SWEEPS.items()
        for strength in strengths[::step]
    ]
    rate = plan.learning_rate
    others = [
        {"condition": condition, "method": method, "seed": seed, "device": device, "strength": strength,
         "learning_rate": rate, **plan.options}
        for seed in range(seeds)
        for condition, method, strength in (*both, *paper, *sweep)
    ]  # fmt: skip
    return plan.grid(seeds, device) + others


def pictures(rows: Sequence[Row], curves: Sequence[Row], out: Path) -> list[tuple[str, str]]:
    """Decision regions, grids, the sweep; matplotlib is imported when they are drawn."""
    from experiments.rings.pictures import draw

    return draw(rows, curves, out, LABELS)


TASK = Task(
    name="rings",
    title="Arc and wavy rings, SO(2) (section 4.1)",
    summary="points of the plane under SO(2): an arc, wavy rings, both strengths of the penalty",
    run=run_rings,
    plans=PLANS,
    labels=LABELS,
    metrics=METRICS,
    condition_label="data",
    notes=NOTES,
    conclusions=partial(conclusions, labels=LABELS),
    pictures=pictures,
    make_grid=make_grid,
)
