"""Figures that belong to no window, and files that are the same for the same record."""

from pathlib import Path
from typing import Any

from intertwine.errors import missing_extra


def blank_figure(width: float, height: float) -> Any:
    """A matplotlib figure of so many inches.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise missing_extra("matplotlib", "demo") from error
    return Figure(figsize=(width, height), layout="constrained")


def tidy(axes: Any) -> None:
    """Horizontal lines behind what is drawn, and no frame above and on the right."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#e3e7ee", linewidth=0.8)
    axes.set_axisbelow(True)


def save(figure: Any, path: Path, dpi: int = 130) -> None:
    """As PNG, without date and version: the same record gives the same file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=dpi, metadata={"Software": None})
