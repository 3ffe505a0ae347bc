"""``python -m experiments reproduce medical3d``: section 4.4 of the paper, volumes of MedMNIST3D."""

from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from experiments.comparison.metric import Metric
from experiments.comparison.selection import Row
from experiments.comparison.task import Task, TaskPlan
from experiments.medical3d import data as medical3d_data
from experiments.medical3d.data import DATASETS
from experiments.medical3d.e3nn import E3NN, E3NN_LABEL
from experiments.medical3d.findings import auc_standard_error, conclusions
from experiments.medical3d.model import ARCHITECTURES
from experiments.medical3d.network import ROTATIONS
from experiments.medical3d.training import (
    BOTH_STRENGTHS,
    EQUAL_STRENGTHS,
    MEASURED,
    MEASURED_AVERAGE,
    run_medical3d,
)
from experiments.runs.data_folder import given_data
from intertwine.baselines import BASELINES

TRAINED = (
    "plain",
    "weight_decay",
    "augmentation",
    "exact",
    E3NN,
    "sampled_operator",
    "sampled_activation",
    "remul",
    "lie_derivative",
    "rpp",
    "per",
    "penalty",
    EQUAL_STRENGTHS,
    BOTH_STRENGTHS,
    "decay",
)
OWN_LABELS = {
    E3NN: E3NN_LABEL,
    EQUAL_STRENGTHS: "penalty, lambda_G = lambda_perp",
    BOTH_STRENGTHS: "penalty, lambda_G = 1e-3",
}
ORDER = (*TRAINED[:5], "train_then_project", "orbit_averaging", *TRAINED[5:])
LABELS = {name: OWN_LABELS.get(name) or BASELINES[name].label for name in ORDER}
# Where a method has a meaning: e3nn has gates; the group must move voxels; it must have a Lie algebra; the paper's own.
ONLY_IN = {
    E3NN: ("gated",),
    "sampled_operator": ("regular",),
    "lie_derivative": ("gated", "dense"),
    EQUAL_STRENGTHS: ("dense",),
    BOTH_STRENGTHS: ("dense",),
}
CPU_STRENGTHS = {
    "weight_decay": (1e-2, 1e-1, 3e-1),
    "sampled_operator": (1e-1, 1.0, 10.0),
    "sampled_activation": (1e-1, 1.0, 10.0),
    "remul": (0.3, 1.0, 3.0),
    "lie_derivative": (1e-1, 1.0, 10.0),
    "rpp": (1e-1, 1.0, 10.0),
    "per": (1e-1, 1.0, 10.0),
    "penalty": (1e-1, 1.0, 10.0),
    EQUAL_STRENGTHS: (1e-2, 1e-1, 3e-1),
    BOTH_STRENGTHS: (1e-1, 1.0, 10.0),
    "decay": (1.0, 10.0, 100.0),
}
# The paper's lambda_perp of 1e-3 to 1, in front of a square that is not halved.
PAPER_STRENGTHS = (2e-3, 2e-2, 2e-1, 2.0)
FULL_STRENGTHS = {
    **dict.fromkeys(("penalty", BOTH_STRENGTHS, "sampled_operator", "rpp", "per"), PAPER_STRENGTHS),
    **dict.fromkeys(("weight_decay", EQUAL_STRENGTHS), (2e-5, 2e-4, 2e-3, 2e-2)),
    "sampled_activation": (1e-2, 1e-1, 1.0, 10.0),
    "remul": (0.1, 0.3, 1.0, 3.0),
    "lie_derivative": (1e-2, 1e-1, 1.0, 10.0),
    "decay": (1.0, 10.0, 100.0, 1000.0),
}
CPU_NETWORKS = ("octahedral regular", "SO(3) gated", "SO(3) dense")
PLANS = {
    "smoke": TaskPlan(
        conditions=CPU_NETWORKS,
        methods=TRAINED,
        seeds=1,
        strengths={name: (values[1],) for name, values in CPU_STRENGTHS.items()},
        learning_rates=(0.03,),
        options={"pool": 4, "training": 32, "evaluated": 40, "epochs": 1},
    ),
    "cpu": TaskPlan(
        conditions=CPU_NETWORKS,
        methods=TRAINED,
        seeds=5,
        strengths=CPU_STRENGTHS,
        learning_rates=(0.01, 0.03, 0.1),
        own_rates=("penalty", "decay"),
        options={"pool": 2, "training": 512, "epochs": 8, "widths": {"regular": 1, "gated": 2, "dense": 2}},
    ),
    "full": TaskPlan(
        conditions=tuple(ARCHITECTURES),
        methods=TRAINED,
        seeds=5,
        strengths=FULL_STRENGTHS,
        learning_rates=(3e-5, 5e-5, 1e-4, 3e-4),
        options={
            "pool": 1,
            "training": None,
            "epochs": 100,
            "optimizer": "adam",
            "widths": {"regular": 2, "gated": 8, "dense": 8},
        },
    ),
}
# Seeds below were used to settle widths and learning rates.
FIRST_SEED = 10
METRICS = (
    Metric("test_auc", "test AUC", higher_is_better=True),
    Metric("test_accuracy", "test accuracy", higher_is_better=True),
    Metric("rotation_error", "error under random rotations", higher_is_better=False, decimals=2),
    Metric("projected_error", "error at W = PW", higher_is_better=False),
)
NOTES = (
    """Data: AdrenalMNIST3D (MedMNIST, CC BY 4.0), binary shapes of 1584 adrenal glands, official files and
    official test set. Size cpu: volumes averaged to 14 x 14 x 14, which moves no centre; each seed draws 512 of the
    1188 training volumes to train on, and the other 676 join the 98 official validation volumes, of which 22 positive
    ones would be too few to choose by. Nothing says which glands are of one patient, so that of some patients one
    gland is trained on and the other chosen by; the test set holds other patients. Size full: 28 x 28 x 28 and the
    official split; Organ, Nodule and Synapse join it as further conditions where the package medmnist is installed
    (intertwine[medical], it downloads them) or --data has their files.""",
    f"""The test set has 298 volumes, 69 of them positive: by itself an AUC of 0.82 has a standard error of
    {auc_standard_error(0.82, 69, 229):.3f} (Hanley and McNeil), an accuracy of 0.8 one of 0.023. The errors beside the
    means are those over seeds, which share this test set; third decimals mean nothing. Accuracy of the majority:
    0.768. AUC is MedMNIST's: over one class against the rest, averaged if there are more than two.""",
    f"""Networks: {"; ".join(f"{name}: {a.text}" for name, a in ARCHITECTURES.items() if name in CPU_NETWORKS)}.
    All strides keep the centre of the grid, so that the rotations of the cube act exactly. Widths are ours: 24 to 192,
    36 and 30 channels at size cpu. Nets with an equivariant start are initialised by projection with the norms of
    fields kept.""",
    """The dense network is not equivariant at W = PW: an ELU at each entry of a vector, and statistics of each
    channel of an irrep for itself. Its BatchNorm has no representation, and report(binding) lists it; `first_breaker`
    is run on it at W = PW, and the first sentence that speaks of W = PW names what it finds.""",
    f"""Equivariance error: under all rotations of the cube, which map voxels onto voxels, {MEASURED} test volumes
    ({MEASURED_AVERAGE} for orbit averages). Error under random rotations: the mean over {ROTATIONS} random elements of
    SO(3) with trilinear interpolation, which at 14 x 14 x 14 blurs thin shapes and so has a share in it. Error at W =
    PW: of the exact rows.""",
    f"""{E3NN_LABEL}, is a second network, which the field's own library makes (Geiger and Smidt 2022, arXiv
    2207.09453) and plain training trains: the gated one, its layers, kernel sizes, strides, fields and activations. Its
    layer on voxels knows no strides and leaves out the corners of a kernel, so that ours is made of its tensor product,
    harmonics and radial functions. What differs: the numbers that are trained, which are the coefficients of a basis;
    the basis, a radial function for each distance in a kernel with harmonics of all degrees, more than the band-limited
    P keeps; and the library's own initial draw, batch norm, and activations scaled to a second moment of one. Its
    weights have no types of ours, and so no relative residual.""",
    """Methods: sampled operators need a group that maps voxels onto voxels, hence regular fields only; the Lie
    derivative needs a Lie algebra, hence SO(3) only, its motion of the volume by central differences. Augmentation,
    REMUL, sampled activations and orbit averaging (16 random elements) interpolate under SO(3), and so see blurred
    volumes that the test set does not have. The hidden site of sampled activations is behind the average over voxels.
    Penalty with lambda_G = lambda_perp is weight decay of the typed weights from an equivariant start; weight decay
    itself starts as plain does. Strengths are those of s/2 |.|^2, twice the paper's lambda.""",
    f"""Training: size cpu SGD with momentum 0.9, batch 32, 8 epochs, cosine; under SGD a projected step is the step
    of the equivariant network. Size full: Adam, batch 32, 100 epochs as in the paper. Widths, epochs and learning rates
    of size cpu were settled in trial runs of plain, exact and a few other methods on seeds 0 and 1, with their test AUC
    in sight (the regular network got more fields in its last layer when the exact one died there); ranges of strengths
    on the validation data of seed 7. The seeds here begin at {FIRST_SEED}: none of those.""",
    """What it shows: whether a symmetry that the data do not have (all glands lie as the scanner saw them) helps as a
    regulariser with few volumes. What not: the state of the art on this data set, nor what the paper's widths do at
    full resolution.""",
)


def make_grid(plan: TaskPlan, seeds: int, device: str) -> list[dict[str, Any]]:
    """The plan's runs without methods that have no meaning in a network; at size full all data sets at hand."""
    planned = plan.grid(seeds, device)
    runs = [{**run, "seed": run["seed"] + FIRST_SEED} for run in planned if _applies(run["method"], run["condition"])]
    if plan is PLANS["full"]:
        others = [name for name in DATASETS if name != "adrenal" and _at_hand(name)]
        runs += [{**run, "condition": f"{name}: {run['condition']}"} for name in others for run in runs]
    return runs


def _applies(method: str, condition: str) -> bool:
    return condition.rsplit(maxsplit=1)[-1] in ONLY_IN.get(method, (condition.rsplit(maxsplit=1)[-1],))


def _at_hand(dataset: str) -> bool:
    """Whether a data set is there, or the package that downloads it."""
    return given_data("medmnist3d", f"{DATASETS[dataset][0]}.npz") is not None or find_spec("medmnist") is not None


def prepare(plan: TaskPlan, console: Any) -> None:
    """Downloads what a grid needs before its workers ask for it."""
    for dataset in ["adrenal", *(name for name in DATASETS if plan is PLANS["full"] and _at_hand(name))]:
        console.print(f"data: {medical3d_data.data_file(dataset)}", soft_wrap=True)


def pictures(rows: Sequence[Row], curves: Sequence[Row], out: Path) -> list[tuple[str, str]]:
    """What each network keeps of the symmetry; matplotlib is imported when it is drawn."""
    from experiments.medical3d.pictures import draw

    return draw(rows, out, LABELS)


TASK = Task(
    name="medical3d",
    title="Volumes of MedMNIST3D, octahedral and SO(3) (section 4.4)",
    summary="AdrenalMNIST3D: regular fields, gates, and the paper's dense network that is not equivariant at W = PW",
    run=run_medical3d,
    plans=PLANS,
    labels=LABELS,
    metrics=METRICS,
    condition_label="network",
    notes=NOTES,
    conclusions=conclusions,
    packages=("e3nn",),
    extra="medical",
    prepare=prepare,
    pictures=pictures,
    make_grid=make_grid,
)
