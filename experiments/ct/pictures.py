"""A strip of one test slice per scan: the truth, the artefacts, and what each correction makes of them."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from experiments.comparison.canvas import blank_figure, save
from experiments.comparison.selection import Row
from experiments.ct.scores import psnr, sample_image, sample_index
from experiments.ct.training import CtSettings

CAPTION = (
    "Networks {condition}: of each held-out scan the test pair whose artefacts have the median PSNR, chosen before any "
    "training; -400 to 600 HU, implants in orange, PSNR outside them."
)
SHOWN = ("plain", "exact", "penalty", "decay")
# Densities of water that are black and white.
WINDOW = (0.6, 1.6)
METAL = (1.0, 0.6, 0.1)


def draw(rows: Sequence[Row], out: Path, labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """A picture for each condition, file names with captions: scans down, corrections across.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    pictures = []
    for condition in dict.fromkeys(str(row.condition) for row in rows):
        here = {row.method: row for row in rows if row.condition == condition}
        shown = [here[method] for method in SHOWN if method in here]
        if shown:
            name = f"slices_{condition.replace(' ', '_').replace('-', '_').lower()}.png"
            _strip(shown, labels, out / name)
            pictures.append((name, CAPTION.format(condition=condition)))
    return pictures


def _strip(rows: Sequence[Row], labels: Mapping[str, str], path: Path) -> None:
    # The first seed of each scan.
    first = {str(run["held_out"]): i for i, run in reversed(list(enumerate(rows[0].runs)))}
    scans = sorted(first, key=lambda scan: first[scan])
    figure = blank_figure(1.75 * (3 + len(rows)), 2.05 * len(scans))
    grid = figure.subplots(len(scans), 3 + len(rows), squeeze=False)
    for line, scan in zip(grid, scans, strict=True):
        # Whatever the networks see, this condition has both images.
        test = CtSettings(**{**rows[0].settings[first[scan]], "condition": "from LI-MAR"}).split().test
        pair = test.pick(torch.tensor([sample_index(test)]))
        images = [("truth", pair.y), ("artefacts", pair.x[:, 1:2]), ("LI-MAR", pair.x[:, :1])]
        images += [(labels[row.method], sample_image(row.runs[first[scan]]["sample"])) for row in rows]
        metal = pair.x[0, -1].numpy() > 0
        for axes, (label, image) in zip(line, images, strict=True):
            score = "" if label == "truth" else f"  {float(psnr(image, pair)):.1f} dB"
            axes.imshow(_coloured(image[0, 0].numpy(), metal))
            axes.set_title(f"{label}{score}", fontsize=7.5)
            axes.set(xticks=[], yticks=[])
        line[0].set_ylabel(scan, fontsize=9)
    save(figure, path)


def _coloured(image: np.ndarray, metal: np.ndarray) -> Any:
    low, high = WINDOW
    grey = np.clip((image - low) / (high - low), 0, 1)
    return np.where(metal[..., None], METAL, grey[..., None])
