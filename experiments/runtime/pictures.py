"""The pictures of the timings."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from experiments.comparison.canvas import blank_figure, save, tidy
from experiments.runtime.findings import LARGEST_SHARE, NAMES, PRECISIONS, Findings, Sampling, Steps
from experiments.runtime.methods import LABELS, SAMPLED
from experiments.runtime.variance import WEIGHTS

TIME, MEMORY, BASIS, SPREAD = "time.png", "memory.png", "basis.png", "spread.png"
TIME_CAPTION = (
    "What each regulariser adds to a training step, as a share of the plain step, over the number of sampled elements; "
    "the widest network of each group and kind. Ours and plain L2 by themselves, the others as differences of steps. "
    f"Dotted: our budget of {LARGEST_SHARE:.0%}."
)
MEMORY_CAPTION = "Peak memory of a training step, as a multiple of the plain step's, for the same networks."
BASIS_CAPTION = (
    "Memory of the projectors: the dense N x D basis of each whole layer (hollow, float32), which the reference method "
    "stores, beside the constants of ours after a first penalty (filled) and the weights themselves (line). Weights of "
    "up to 2^18 entries are computed together through two 32-bit indices an entry: twice the weights. Projectors "
    "without constants are drawn at one byte."
)
SPREAD_CAPTION = (
    "Relative standard deviation of the penalty sampled with n elements, about the exact value, for one weight matrix. "
    "Lines: c / sqrt(n), continued to where sampling knows the value to 0.1 %. Dotted: 1 % and 0.1 %."
)
# Okabe and Ito's colours, which most colour-blind readers tell apart.
COLOURS = {
    "sampled_activation": "#d55e00",
    "sampled_operator": "#cc79a7",
    "penalty": "#009e73",
    "decay": "#0072b2",
    "plain_l2": "#8a8f98",
    "augmentation": "#56b4e9",
    "lie_derivative": "#b58900",
    "rpp": "#1d2430",
}
GROUP_COLOURS = {"C4": "#0072b2", "D4": "#56b4e9", "O": "#009e73", "SO(2)": "#d55e00", "SO(3)": "#cc79a7"}
MARKERS = {"mlp": "o", "cnn2d": "s", "cnn3d": "^"}
# What costs nothing that can be seen is drawn here.
SMALLEST_EXTRA = 1e-4


def draw(found: Findings, out: Path) -> list[tuple[str, str]]:
    """All pictures that there are runs for.

    Returns:
        File names with captions.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    pictures = []
    if found.widest:
        plot_time(found.widest, out / TIME)
        plot_memory(found.widest, out / MEMORY)
        plot_basis((*found.large, *found.small), out / BASIS)
        pictures += [(TIME, TIME_CAPTION), (MEMORY, MEMORY_CAPTION), (BASIS, BASIS_CAPTION)]
    if found.sampling:
        plot_spread(found.sampling, out / SPREAD)
        pictures.append((SPREAD, SPREAD_CAPTION))
    return pictures


def plot_time(steps: Sequence[Steps], path: Path) -> None:
    """A panel per network: lines over the number of sampled elements, levels of what samples nothing."""
    figure, panels = _panels(len(steps))
    for axes, s in zip(panels, steps, strict=False):
        for name in SAMPLED:
            _line(axes, s, name, [s.extra(f"{name}@{n}") for n in s.settings["samples"]])
        for name in ("plain_l2", "penalty", "decay"):
            _level(axes, name, s.share(name))
        for name in ("augmentation", "lie_derivative", "rpp"):
            _level(axes, name, s.extra(name))
        axes.axhline(LARGEST_SHARE, color="#555555", linewidth=0.8, linestyle=":")
        axes.set_yscale("log")
        _label(axes, s, "added / plain step")
    _finish(figure, panels[: len(steps)], path)


def plot_memory(steps: Sequence[Steps], path: Path) -> None:
    """A panel per network, as for the time."""
    figure, panels = _panels(len(steps))
    for axes, s in zip(panels, steps, strict=False):
        plain = s.memory("plain") or 1
        for name in SAMPLED:
            peaks = [s.memory(f"{name}@{n}") for n in s.settings["samples"]]
            _line(axes, s, name, [None if peak is None else peak / plain for peak in peaks])
        for name in ("plain_l2", "penalty", "decay", "augmentation", "lie_derivative", "rpp"):
            peak = s.memory(name)
            _level(axes, name, None if peak is None else peak / plain)
        axes.set_yscale("log")
        _label(axes, s, "peak memory / plain step")
    _finish(figure, panels[: len(steps)], path)


def plot_basis(steps: Sequence[Steps], path: Path) -> None:
    """Bytes over the number of weights."""
    figure = blank_figure(8.2, 4.6)
    axes = figure.add_subplot()
    seen: set[str] = set()
    for s in steps:
        group, kind = s.pair
        look: dict[str, Any] = {"color": GROUP_COLOURS[group], "marker": MARKERS[kind], "linestyle": "none"}
        label = f"{group}, {NAMES[kind]}"
        weights = s.run["weights"]
        axes.plot(weights, s.run["dense_bytes"], fillstyle="none", label=None if label in seen else label, **look)
        axes.plot(weights, max(1, s.run["constant_bytes"]), **look)
        seen.add(label)
    ends = [min(s.run["weights"] for s in steps), max(s.run["weights"] for s in steps)]
    axes.plot(ends, [4 * n for n in ends], color="#555555", linewidth=1, label="the weights, float32")
    axes.set(xscale="log", yscale="log", xlabel="typed weights", ylabel="bytes")
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    tidy(axes)
    save(figure, path, dpi=110)


def plot_spread(sampling: Sequence[Sampling], path: Path) -> None:
    """A panel per kind of weight, a line per group."""
    figure = blank_figure(3.6 * len(WEIGHTS) + 1.4, 3.4)
    panels = figure.subplots(1, len(WEIGHTS), sharey=True, squeeze=False)[0]
    for axes, kind in zip(panels, WEIGHTS, strict=True):
        for s in sampling:
            colour, counts = GROUP_COLOURS[s.settings["group"]], s.settings["counts"]
            ends = [1, s.cost(kind, PRECISIONS[-1])[0]]
            axes.plot(ends, [s.run["constant"][kind] / n**0.5 for n in ends], color=colour, linewidth=1)
            axes.plot(counts, s.run["spread"][kind], color=colour, marker="o", markersize=4, linestyle="none",
                      label=s.settings["group"])  # fmt: skip
        for precision in PRECISIONS:
            axes.axhline(precision, color="#555555", linewidth=0.8, linestyle=":")
        axes.set(xscale="log", yscale="log", xlabel="sampled elements n")
        axes.set_title(kind.replace("_", " "), fontsize=10)
        tidy(axes)
    panels[0].set_ylabel("relative standard deviation")
    panels[-1].legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    save(figure, path, dpi=110)


def _line(axes: Any, s: Steps, name: str, values: Sequence[float | None]) -> None:
    points = [
        (n, max(value, SMALLEST_EXTRA))
        for n, value in zip(s.settings["samples"], values, strict=True)
        if value is not None
    ]
    if points:
        axes.plot(*zip(*points, strict=True), color=COLOURS[name], marker="o", markersize=4, label=LABELS[name])


def _level(axes: Any, name: str, value: float | None) -> None:
    if value is not None:
        width = 2.0 if name in ("penalty", "decay") else 1.2
        style = "--" if name in ("augmentation", "lie_derivative", "rpp") else "-"
        axes.axhline(
            max(value, SMALLEST_EXTRA), color=COLOURS[name], linewidth=width, linestyle=style, label=LABELS[name]
        )


def _label(axes: Any, s: Steps, quantity: str) -> None:
    axes.set_title(f"{s.name}, {s.run['positions']} positions", fontsize=9)
    axes.set_xscale("log", base=2)
    axes.set_xticks(s.settings["samples"], [str(n) for n in s.settings["samples"]])
    axes.set_xlabel("sampled elements", fontsize=9)
    axes.set_ylabel(quantity, fontsize=9)
    tidy(axes)


def _panels(count: int) -> tuple[Any, list[Any]]:
    columns = min(count, 5)
    rows = -(-count // columns)
    figure = blank_figure(max(9.0, 3.1 * columns + 0.3), 2.9 * rows + 0.9)
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for axes in panels[count:]:
        axes.set_visible(False)
    return figure, panels


def _finish(figure: Any, panels: Sequence[Any], path: Path) -> None:
    """One legend for all panels."""
    handles: dict[str, Any] = {}
    for axes in panels:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            handles.setdefault(label, handle)
    order = [label for label in LABELS.values() if label in handles]
    figure.legend([handles[label] for label in order], order, frameon=False, loc="outside lower center", ncols=4)
    save(figure, path, dpi=110)
