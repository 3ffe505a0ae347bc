"""``python -m experiments reproduce rotmnist``: rotated MNIST, and the dial from upright to turned digits."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from experiments.comparison.metric import Metric
from experiments.comparison.selection import Row
from experiments.comparison.task import Task, TaskPlan
from experiments.e2cnn.layers import E2CNN, E2CNN_LABEL
from experiments.rotmnist.data import ADVICE, DATA_SEED, SIZES, available_source
from experiments.rotmnist.findings import conclusions
from experiments.rotmnist.model import ON_PIXELS
from experiments.rotmnist.training import MEASURED, TURNS, parse_condition, run_rotmnist
from experiments.runs.data_folder import required_data
from intertwine.baselines import BASELINES

TRAINED = (
    "plain",
    "weight_decay",
    "augmentation",
    "exact",
    E2CNN,
    "sampled_operator",
    "sampled_activation",
    "remul",
    "lie_derivative",
    "rpp",
    "per",
    "penalty",
    "decay",
)
ORDER = (*TRAINED[:5], "train_then_project", "orbit_averaging", *TRAINED[5:])
LABELS = {name: E2CNN_LABEL if name == E2CNN else BASELINES[name].label for name in ORDER}
# A factor of ten between neighbours; ranges from one coarse scan on the validation digits of seed 7, which is not used.
CPU_STRENGTHS = {
    "weight_decay": (1e-3, 1e-2, 1e-1),
    "sampled_operator": (0.03, 0.3, 3.0),
    "sampled_activation": (0.01, 0.1, 1.0),
    "remul": (0.1, 1.0, 10.0),
    "lie_derivative": (0.01, 0.1, 1.0),
    "rpp": (0.03, 0.3, 3.0),
    "per": (0.03, 0.3, 3.0),
    "penalty": (0.03, 0.3, 3.0),
    "decay": (3.0, 30.0, 300.0),
}
FULL_STRENGTHS = {name: (values[0] / 10, *values, values[-1] * 10) for name, values in CPU_STRENGTHS.items()}
GROUPS_AT_FULL_TURN = ("D4, 100 %", "C8, 100 %", "SO(2), 100 %")
PLANS = {
    "smoke": TaskPlan(
        conditions=("C4, 10 %", "C4, 100 %", "SO(2), 100 %"),
        methods=TRAINED,
        seeds=1,
        strengths={name: (values[1],) for name, values in CPU_STRENGTHS.items()},
        learning_rates=(0.01,),
        options={
            "source": "shipped",
            "side": 14,
            "training": 60,
            "validation": 60,
            "test": 60,
            "widths": [8, 16, 16],
            "epochs": 2,
            "batch_size": 30,
        },
    ),
    "cpu": TaskPlan(
        conditions=("C4, 0 %", "C4, 10 %", "C4, 30 %", "C4, 100 %", *GROUPS_AT_FULL_TURN),
        methods=TRAINED,
        seeds=5,
        strengths=CPU_STRENGTHS,
        learning_rates=(0.003, 0.01, 0.03),
        own_rates=("penalty", "decay"),
        options={
            "source": "mnist",
            "side": 14,
            "training": 1000,
            "validation": 1000,
            "test": 10_000,
            "widths": [16, 32, 64],
            "epochs": 8,
            "batch_size": 50,
        },
    ),
    "full": TaskPlan(
        conditions=("C4, 0 %", "C4, 5 %", "C4, 10 %", "C4, 30 %", "C4, 100 %", *GROUPS_AT_FULL_TURN),
        methods=TRAINED,
        seeds=5,
        strengths=FULL_STRENGTHS,
        learning_rates=(0.0003, 0.001, 0.002, 0.005, 0.01),
        options={
            "source": "mnist",
            "side": 28,
            "training": 10_000,
            "validation": 2000,
            "test": 50_000,
            "widths": [64, 96, 128, 128],
            "epochs": 40,
            "batch_size": 128,
        },
    ),
}
METRICS = (
    Metric("test_accuracy", "test accuracy", higher_is_better=True),
    Metric("turned_accuracy", "accuracy on turned digits", higher_is_better=True),
    Metric("quarter_turn_error", "error under quarter turns", higher_is_better=False),
    Metric("rotation_error", "error under random turns", higher_is_better=False),
)
NOTES = (
    f"""Data: all 70000 digits of MNIST, shuffled with a fixed seed ({DATA_SEED}); {SIZES["mnist"][0]} for training and
    validation, {SIZES["mnist"][1]} for the test, as in mnist-rot (Larochelle et al. 2007). The share of turned digits
    is the same in training, validation and test; a turned digit has a uniform angle, bilinear at 28 x 28. At 100 % this
    is rotated MNIST, invariant under SO(2), hence under C4 and C8, but not under the mirrors of D4. At 0 % upright
    digits break every group, 6 and 9 most of all. Size cpu: means over 2 x 2 pixels (14 x 14), 1000 digits for training
    and 1000 for validation, drawn by each seed, the first 10000 for the test. Size full: 28 x 28, 10000 / 2000 / 50000.
    """,
    """Network at size cpu: 5 x 5 convolution to 16 channels, means over 2 x 2, 3 x 3 to 32, 5 x 5 to 64 invariants, a
    linear map to 10. Under C4, D4 and C8 the first two layers carry regular fields with SiLU (4 and 8 fields of C4, 2
    and 4 of the others), one network for the three; under SO(2) scalars and frequencies 1 and 2 with gates. Strides and
    pooling keep the centre of the grid.""",
    f"""C4 and D4 take pixels onto pixels, and their networks are exactly equivariant at W = PW. The kernels of C8 and
    SO(2) are sampled steerable ones: the pixels carry no action, P is exact as a projector on their span, and the
    network at W = PW is exactly equivariant under quarter turns alone. Both errors stand in the table: under quarter
    turns, and under {TURNS} random turns, the largest each on {MEASURED} test digits; interpolation has its share in
    the latter. The column equivariance error is that of the condition's own group.""",
    f"""{E2CNN_LABEL}, is a second network, which the field's own library builds (Weiler and Cesa 2019, arXiv
    1911.08251) and plain training trains: the same layers, kernel sizes, fields and activations. It has fewer numbers
    to train, the coefficients of a basis of steerable kernels, and that basis is band-limited: rings, and on each ring
    no frequency that its pixels cannot carry; its kernels have the library's own initial draw, and its gates under
    SO(2) a bias of their own. Its weights have no types of ours, and so no relative residual.""",
    """Methods: sampled operators need a group that maps pixels onto pixels (C4, D4), the Lie derivative one with a Lie
    algebra (SO(2)); it differentiates pixels by central differences. Sampled activations look at all activations and at
    the logits, augmentation and REMUL draw one element for each digit; C8 and SO(2) move pixels by bilinear
    interpolation there. Orbit averaging is over all elements, for SO(2) over 16 random turns.""",
    """Training: Adam, the learning rate falling to zero along a cosine; size cpu 8 epochs with 50 digits a step. The
    exactly equivariant network projects gradients before Adam sees them, and weights afterwards.""",
    """Accuracy on turned digits is that on the same test digits when all of them are turned: what a network has learnt
    beyond the distribution of its training. At 100 % it is the test accuracy.""",
    """What it shows: how the methods compare with few digits and small networks, between no symmetry and a full one.
    What not: the state of the art on rotated MNIST, which takes larger networks, all 12000 digits and 28 x 28
    pixels.""",
)


def make_grid(plan: TaskPlan, seeds: int, device: str) -> list[dict[str, Any]]:
    """The plan's runs without methods that a group does not admit; on the shipped digits if the user gives no data."""
    runs = [run for run in plan.grid(seeds, device) if applies(run["method"], run["condition"])]
    if plan is PLANS["cpu"] and available_source() == "shipped":
        runs = [{**run, "source": "shipped", "test": SIZES["shipped"][1]} for run in runs]
    return runs


def applies(method: str, condition: str) -> bool:
    """Whether a method has a meaning for the group of a condition.

    Examples:
        >>> applies("sampled_operator", "C4, 10 %"), applies("lie_derivative", "C4, 10 %")
        (True, False)
    """
    group, _ = parse_condition(condition)
    return {"sampled_operator": group in ON_PIXELS, "lie_derivative": group == "SO(2)"}.get(method, True)


def prepare(plan: TaskPlan, console: Any) -> None:
    """Says which digits are used.

    Raises:
        ArgumentError: size full without the whole of MNIST.
    """
    if plan is PLANS["full"]:
        required_data("mnist", "mnist.npz", advice=ADVICE)
    if plan is PLANS["cpu"] and available_source() == "shipped":
        console.print(f"data: the 3000 digits that come with the library. {ADVICE}", soft_wrap=True)


def pictures(rows: Sequence[Row], curves: Sequence[Row], out: Path) -> list[tuple[str, str]]:
    """Accuracy along the dial; matplotlib is imported when it is drawn."""
    from experiments.rotmnist.pictures import draw

    return draw(rows, out, LABELS)


TASK = Task(
    name="rotmnist",
    title="Rotated MNIST and the dial to it: C4, D4, C8, SO(2)",
    summary="rotated MNIST: groups that act on pixels exactly (C4, D4) or nearly (C8, SO(2)), and a dial to it",
    run=run_rotmnist,
    plans=PLANS,
    labels=LABELS,
    metrics=METRICS,
    condition_label="group, digits turned",
    notes=NOTES,
    conclusions=partial(conclusions, labels=LABELS),
    packages=("e2cnn",),
    extra="rotmnist",
    prepare=prepare,
    pictures=pictures,
    make_grid=make_grid,
)
