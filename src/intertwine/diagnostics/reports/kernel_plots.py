"""Pictures of kernels: what of them is equivariant, and which symmetry a bank of them keeps."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from intertwine._arguments import check_instance, is_integer
from intertwine._numerics import Array
from intertwine.diagnostics.chains import ChainSplit, chain_split
from intertwine.errors import ArgumentError, missing_extra
from intertwine.projectors.projector import Projector

# White is zero in each panel; the three parts of one kernel share a scale.
DIVERGING = "RdBu_r"
# What the largest group keeps is darkest; what no group keeps is grey.
KEPT, LOST = "Greens_r", "#b9bec7"
COLUMNS = ("W", "P W", "W - P W")
# More panels than this cannot be read.
PANEL_LIMIT = 400


def plot_kernel(P: Projector, W: torch.Tensor, *, out: int = 0, in_: int = 0) -> Any:
    """A kernel beside its equivariant part and its residual, for one pair of fields: W, P W and W - P W.

    Each of the three pictures has a panel for every output channel (rows) and input channel (columns) of the two
    fields; in three dimensions it is the middle slice of the first spatial axis. All panels have one colour scale.
    The titles give each part's share of the pair's squared norm.

    Args:
        P: a projector of kernels, made with ``projector(rep_in, rep_out, kernel=...)``.
        W: a kernel of its shape.
        out: which field of the outputs, counted in their order.
        in_: which field of the inputs.

    Returns:
        A matplotlib figure that belongs to no window; save it with ``figure.savefig(path)``.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ArgumentError: P is not a projector of kernels, there is no such field, or the fields have more than 400
            pairs of channels.
        ShapeError: W does not fit P.

    Examples:
        >>> import intertwine as iw, torch
        >>> G = iw.SO(2)
        >>> P = iw.projector(G.irreps("2x0 + 1"), G.irreps("4x1"), kernel=(5, 5))
        >>> W = torch.randn(P.shape, generator=torch.Generator().manual_seed(0))
        >>> figure = plot_kernel(P, W, out=0, in_=2)  # from the vector field to the first vector field
        >>> len(figure.axes)
        12
    """
    figure_class = _figure_class()
    (rows, row_name), (columns, column_name) = _field(P, 0, out, "out"), _field(P, 1, in_, "in_")
    check_instance("W", W, torch.Tensor, f"a torch tensor of shape {P.shape}")
    projected = P.project(W.detach())
    panels = (len(rows), len(columns))
    if panels[0] * panels[1] > PANEL_LIMIT:
        raise ArgumentError(
            "out",
            expected=f"fields of at most {PANEL_LIMIT} pairs of channels",
            got=f"{panels[0]} x {panels[1]}",
            advice="Plot slices of W as they are.",
        )
    weight = W.detach()
    parts = [part.cpu().double().numpy()[np.ix_(rows, columns)] for part in (weight, projected, P.residual(weight))]
    if parts[0].ndim == 5:
        middle = parts[0].shape[2] // 2
        slices = [part[:, :, middle] for part in parts]
    else:
        slices = [part.reshape(*part.shape[:2], -1, part.shape[-1]) for part in parts]
    limit = max(float(np.abs(part).max(initial=0.0)) for part in slices) or 1.0
    total = float((parts[0] ** 2).sum())
    figure = figure_class(figsize=(1.2 + 3 * 0.9 * panels[1], 1.1 + 0.9 * panels[0]), layout="constrained")
    figure.suptitle(f"{P.group}: input field {in_} ({column_name}) to output field {out} ({row_name})")
    for part, name, whole, sub in zip(slices, COLUMNS, parts, figure.subfigures(1, 3, wspace=0.08), strict=True):
        share = float((whole**2).sum()) / total if total else 0.0
        sub.suptitle(f"{name}  {share:.1%}", fontsize="medium")
        grid = sub.subplots(*panels, squeeze=False)
        for index, axes in np.ndenumerate(grid):
            axes.imshow(part[index], cmap=DIVERGING, vmin=-limit, vmax=limit, interpolation="nearest")
            axes.set(xticks=[], yticks=[])
    return figure


def plot_chain(P_chain: Sequence[Projector], W: torch.Tensor) -> Any:
    """Which symmetry a bank of filters keeps, as a share of its energy, beside what random filters would keep.

    Two stacked bars: the shares of ``chain_split(W, P_chain)``, and those of i.i.d. Gaussian weights.

    Args:
        P_chain: projectors of nested groups, the largest group first, as for ``chain_split``.
        W: a tensor of their shape, as the kernels of a trained layer.

    Returns:
        A matplotlib figure that belongs to no window; save it with ``figure.savefig(path)``.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ArgumentError, ShapeError, NonFiniteError: as ``chain_split``.

    Examples:
        >>> import intertwine as iw, torch
        >>> D4, C4, C2 = iw.Dihedral(4), iw.Cyclic(4), iw.Cyclic(2)
        >>> chain = [iw.projector(3 * G.trivial(), 16 * G.trivial(), kernel=(5, 5)) for G in (D4, C4, C2)]
        >>> W = chain[1].project(torch.randn(16, 3, 5, 5, generator=torch.Generator().manual_seed(0)))
        >>> figure = plot_chain(chain, W)
        >>> [text.get_text() for text in figure.axes[0].get_xticklabels()]
        ['weights', 'chance']
    """
    figure_class = _figure_class()
    split = chain_split(W, P_chain)
    figure = figure_class(figsize=(4.6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    bottom = np.zeros(2)
    for name, colour, *heights in zip(split.names, _colours(split), split.shares, split.chance, strict=True):
        axes.bar(("weights", "chance"), heights, bottom=bottom, color=colour, width=0.55, label=name)
        for place, (height, start) in enumerate(zip(heights, bottom, strict=True)):
            if height >= 0.05:
                dark = sum(colour[:3]) < 1.5 if isinstance(colour, tuple) else False
                text = "white" if dark else "#1d2430"
                axes.text(place, start + height / 2, f"{height:.0%}", ha="center", va="center", color=text)
        bottom += heights
    axes.set(ylim=(0, 1), ylabel="share of $|W|^2$", xlim=(-0.5, 1.5))
    axes.spines[["top", "right"]].set_visible(False)
    # The legend reads from top to bottom as the bar does.
    handles, labels = axes.get_legend_handles_labels()
    axes.legend(handles[::-1], labels[::-1], frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    return figure


def _colours(split: ChainSplit) -> list[Any]:
    """A colour for each component of the split."""
    from matplotlib import colormaps

    kept = len(split.groups)
    return [*(colormaps[KEPT](0.15 + 0.6 * step / max(1, kept - 1)) for step in range(kept)), LOST]


def _figure_class() -> Any:
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError as error:
        raise missing_extra("matplotlib", "report") from error
    return Figure


def _field(P: Projector, axis: int, number: int, argument: str) -> tuple[Array, str]:
    """Where one field lies on an axis of a kernel, and its name."""
    rep = P.axes[axis] if isinstance(P, Projector) and len(P.axes) == 3 and len(P.shape) > 2 else None
    if rep is None:
        raise ArgumentError(
            "P", expected="a projector of kernels, projector(rep_in, rep_out, kernel=(5, 5))", got=repr(P)[:80]
        )
    fields = [
        (copy, segment.field.name)
        for segment, copies in zip(rep.segments, rep.positions, strict=True)
        for copy in copies
    ]
    if not is_integer(number, 0, len(fields) - 1):
        raise ArgumentError(argument, expected=f"a field of {rep}, from 0 to {len(fields) - 1}", got=repr(number))
    return fields[number]
