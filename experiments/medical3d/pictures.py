"""A picture of the volumes: what each network keeps of the symmetry, exactly and between the voxels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.comparison.canvas import blank_figure, save, tidy
from experiments.comparison.figures import style
from experiments.comparison.selection import Row
from experiments.medical3d.e3nn import E3NN

PICTURE = "networks.png"
CAPTION = (
    "Equivariance error of the network under the rotations of the cube, which move voxels onto voxels (filled), and "
    "under random rotations with trilinear interpolation (hollow), geometric means over the seeds. Exact is at W = PW: "
    "what is far above rounding there comes from outside the weights."
)
SHOWN = ("plain", "augmentation", "train_then_project", "exact", E3NN, "penalty", "decay")
SMALLEST = 1e-8


def draw(rows: Sequence[Row], out: Path, labels: Mapping[str, str]) -> list[tuple[str, str]]:
    """The picture, if there is a row to draw: its file name with a caption.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    shown = [row for row in rows if row.method in SHOWN]
    if not shown:
        return []
    conditions = list(dict.fromkeys(str(row.condition) for row in shown))
    figure = blank_figure(2.6 * len(conditions) + 3.2, 4.2)
    axes = figure.add_subplot()
    methods = [method for method in SHOWN if any(row.method == method for row in shown)]
    for i, method in enumerate(methods):
        colour, marker = style(method, i)
        place = 0.11 * (i - (len(methods) - 1) / 2)
        mine = {str(row.condition): row for row in shown if row.method == method}
        x = [conditions.index(condition) + place for condition in mine]
        for name, face in (("equivariance_error", colour), ("rotation_error", "none")):
            y = [_mean(row.values(name)) for row in mine.values()]
            label = labels[method] if name == "equivariance_error" else None
            axes.plot(x, y, marker, color=colour, markerfacecolor=face, markersize=8, linestyle="none", label=label)
    axes.set_yscale("log")
    axes.set_xticks(range(len(conditions)), conditions)
    axes.set_ylabel("relative equivariance error of the network")
    tidy(axes)
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, out / PICTURE)
    return [(PICTURE, CAPTION)]


def _mean(values: Sequence[float]) -> float:
    """Geometric, as the axis is logarithmic."""
    return float(np.exp(np.mean(np.log(np.clip(values, SMALLEST, 1e6)))))
