"""``python -m experiments reproduce ct``: section 4.3 of the paper in kind, simulated metal artefacts on slices, C4."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.comparison.metric import Metric
from experiments.comparison.selection import Row
from experiments.comparison.task import Task, TaskPlan
from experiments.ct.data import SCANS, load_pairs, load_slices
from experiments.ct.findings import conclusions
from experiments.ct.training import REFERENCES, CtSettings, run_ct
from experiments.e2cnn.layers import E2CNN, E2CNN_LABEL
from experiments.runs.progress import Progress
from intertwine.baselines import BASELINES

# Not the Lie derivative: C4 is finite and has no Lie algebra.
TRAINED = (
    "plain",
    "weight_decay",
    "augmentation",
    "exact",
    E2CNN,
    "sampled_operator",
    "sampled_activation",
    "remul",
    "rpp",
    "per",
    "penalty",
    "decay",
)
ORDER = (*TRAINED[:5], "train_then_project", "orbit_averaging", *TRAINED[5:])
LABELS = {
    "uncorrected": "no correction",
    "interpolation": "LI-MAR, no network",
    **{name: E2CNN_LABEL if name == E2CNN else BASELINES[name].label for name in ORDER},
}
# From a coarse scan on seed 1, from nearly free to nearly exact; sampled operators and PER take the range of the
# penalty, whose strength theirs is. Decay is under Adam, where its strengths compare with no other's.
CPU_STRENGTHS = {
    "weight_decay": (1e-3, 1e-2, 1e-1),
    "sampled_operator": (1e-2, 1e-1, 1.0),
    "sampled_activation": (1e-1, 1.0, 10.0),
    "remul": (0.3, 1.0, 3.0),
    "rpp": (1e-2, 1e-1, 1.0),
    "per": (1e-2, 1e-1, 1.0),
    "penalty": (1e-2, 1e-1, 1.0),
    "decay": (1.0, 10.0, 100.0),
}
PLANS = {
    "smoke": TaskPlan(
        conditions=("from LI-MAR",),
        methods=(*REFERENCES, *TRAINED),
        seeds=1,
        strengths={name: (values[1],) for name, values in CPU_STRENGTHS.items()},
        learning_rates=(3e-3,),
        options={"training": 4, "test": 3, "variants": 1, "every": 3, "widths": (4, 4, 4), "epochs": 1},
    ),
    "cpu": TaskPlan(
        conditions=("from LI-MAR",),
        methods=(*REFERENCES, *TRAINED),
        seeds=6,
        strengths=CPU_STRENGTHS,
        learning_rates=(1e-3, 3e-3, 9e-3),
        own_rates=("penalty", "decay"),
        options={"training": 80, "test": 30, "widths": (8, 16, 32), "epochs": 7, "batch_size": 2},
    ),
    "full": TaskPlan(
        conditions=("from LI-MAR", "from artefacts"),
        methods=(*REFERENCES, *TRAINED),
        seeds=6,
        strengths=CPU_STRENGTHS,
        learning_rates=(3e-4, 1e-3, 3e-3),
        options={
            "side": 129,
            "training": 400,
            "test": 40,
            "variants": 4,
            "widths": (32, 64, 128),
            "epochs": 40,
            "batch_size": 8,
        },
    ),
}
# Seeds 0 to 2 were looked at while the task was made; a multiple of three, so that each scan is held out as often.
FIRST_SEED = 12
METRICS = (
    Metric("psnr", "PSNR in dB, held-out scan", higher_is_better=True, decimals=2),
    Metric("ssim", "SSIM", higher_is_better=True),
    Metric("psnr_turned", "PSNR on turned images", higher_is_better=True, decimals=2),
)
NOTES = (
    """What it illustrates: the methods in an image-to-image task where the physics has the symmetry and the data have
    not. What it does not: metal artefact reduction in the clinic. There are three scans, from three patients; the
    metal, the scanner and its noise are simulated in a slice and with parallel rays; nobody has looked at the
    images for what a diagnosis needs. No number here compares with the paper's, whose data and networks are others.""",
    """C4 and its breaking: the simulated scanner commutes with quarter turns to rounding, pixels on pixels, its middle
    pixel being that of the odd image, and so do the artefacts' laws. Anatomy does not: every patient lies on the back,
    and all slices are shown alike, so that turned patients never occur, in training or in the test.""",
    f"""Data: axial slices of three scans ({", ".join(SCANS)}; public test images of TotalSegmentator, shipped at 65 x
    65 pixels of 6, 3 and 5.9 mm; size full cuts 129 x 129 from the volumes, which --data has). The lowest torso slices,
    which show a real hip implant, and the uppermost of the chest, full of dense contrast, are left out; the chest is a
    crop, beyond which the simulation sees air.""",
    """Simulation: one to three implants (discs, ellipses, rods) of titanium or iron at random places in the body.
    Parallel rays over half a turn (scikit-image's radon), five energies from 40 to 100 keV with NIST's attenuation of
    water and metal, tissue taken as water of its density, a million photons a ray, Poisson noise, at least one photon
    counted; the scanner corrects for water's beam hardening; filtered back projection with a ramp filter (iradon). The
    clean image is the same back projection of noiseless rays of one energy without metal. Bone's own spectrum, scatter,
    partial volume, motion and cone beams are left out.""",
    """Split: seed mod 3 says which scan is held out and tested on, so that six seeds test twice on each. Of each other
    scan a block of neighbouring slices, 15 % of them, at a place drawn by the seed, is validation, and two slices on
    both sides of it are not used. Errors over seeds contain the difference between the scans, which is large;
    differences seed by seed do not. Slices of one scan are alike, so that 30 test pairs are far from 30 patients.""",
    """Network: a U-Net of three levels (8, 16 and 32 channels at size cpu: 2, 4 and 8 regular fields of C4), 3 x 3
    convolutions, leaky ReLU, strides of 2 that keep the middle pixel, no norm layers; it is exactly equivariant at W =
    PW. It sees the LI-MAR image, the artefacts' image and the metal's mask, as in CNN-MAR (Zhang and Yu 2018), and adds
    a correction to the LI-MAR image outside the metal; "from artefacts" it sees no LI-MAR image and corrects the
    artefacts themselves. Equivariance errors are relative to the output image, most of which is the first input: a
    small one can still be large beside the correction itself. Adam, cosine; the loss is half the logarithm of each
    image's mean squared error, which is what PSNR measures; with the plain mean a few images with iron decide.""",
    f"""{E2CNN_LABEL}, is the same U-Net with the convolutions of the field's own library (Weiler and Cesa 2019, arXiv
    1911.08251), trained as plain is: the same layers, kernel sizes, fields, activations and scale of the last layer. It
    has fewer numbers to train, the coefficients of a basis of steerable kernels, and that basis is band-limited: rings,
    and on each ring no frequency that its pixels cannot carry; its kernels have the library's own initial draw. Its
    weights have no types of ours, and so no relative residual.""",
    f"""What was chosen beforehand: loss, size of batches, scale of the last layer, clipping and starting from LI-MAR,
    the same for all methods, in trials with plain, augmentation, exact, penalty and decay on seeds 0 to 2, whose test
    scores were seen then; the ranges of strengths in trials on seed 1; nothing for the network of e2cnn. The seeds here
    begin at {FIRST_SEED}, but the three scans are the same, so that the absolute scores are a little hopeful.""",
    """PSNR and SSIM: means over test pairs, outside the metal. All images are limited to -1000 .. 1000 HU. Validation
    chooses by PSNR. Turned: the test pairs turned by 90, 180 and 270 degrees. LI-MAR replaces rays through metal by
    linear interpolation between their neighbours, the trace being known. The Lie derivative does not apply: C4 is
    finite.""",
)


def make_grid(plan: TaskPlan, seeds: int, device: str) -> list[dict[str, Any]]:
    """The plan's runs; what is not trained runs once, without a learning rate."""
    runs: list[dict[str, Any]] = []
    for planned in plan.grid(seeds, device):
        run = {**planned, "seed": planned["seed"] + FIRST_SEED}
        if run["method"] not in REFERENCES:
            runs.append(run)
        elif run["learning_rate"] == plan.learning_rate:
            runs.append({**run, "learning_rate": 0.0})
    return runs


def prepare(plan: TaskPlan, console: Any) -> None:
    """Simulates the pairs, unless an earlier call has."""
    chosen = CtSettings(condition=str(plan.conditions[0]), method="plain", seed=0, **plan.options)
    total = sum(len(slices[:: chosen.every]) for slices in load_slices(chosen.side).values()) * chosen.variants
    progress = Progress(console, "simulated pairs")
    with progress.running(total, 0):
        load_pairs(chosen.side, chosen.variants, chosen.every, advance=progress.advance)


def pictures(rows: Sequence[Row], curves: Sequence[Row], out: Path) -> list[tuple[str, str]]:
    """The strips of slices; matplotlib is imported when they are drawn."""
    from experiments.ct.pictures import draw

    return draw(rows, out, LABELS)


def sentences(rows: Sequence[Row]) -> list[str]:
    """The conclusions."""
    return conclusions(rows, LABELS)


TASK = Task(
    name="ct",
    title="Simulated metal artefacts on CT slices, C4 (section 4.3)",
    summary="metal artefacts simulated on slices of three CT scans, one held out; C4; beside LI-MAR",
    run=run_ct,
    plans=PLANS,
    labels=LABELS,
    metrics=METRICS,
    condition_label="network",
    notes=NOTES,
    conclusions=sentences,
    packages=("e2cnn", "skimage"),
    extra="ct",
    prepare=prepare,
    pictures=pictures,
    make_grid=make_grid,
)
