"""Whether one layer commutes with turns and mirrors of its own grid, whatever its weights are, and if not, why."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AdaptiveMaxPoolNd, _AvgPoolNd, _LPPoolNd, _MaxPoolNd

from intertwine.diagnostics.axis_moves import AxisMove
from intertwine.diagnostics.finding import Finding, Sides, by
from intertwine.diagnostics.resizing_layers import adaptive_pooling, flatten, padding, pixel_shuffle, upsampling
from intertwine.diagnostics.window_layers import convolution, pooling, transposed_convolution

_PADDING = tuple(
    getattr(nn, f"{kind}Pad{dim}d")
    for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular")
    for dim in (1, 2, 3)
)
_Judge = Callable[[Any, Sides, Sides, Sequence[AxisMove]], Finding]
_JUDGES: tuple[tuple[Any, _Judge], ...] = (
    (_ConvTransposeNd, transposed_convolution),
    (_ConvNd, convolution),
    ((_MaxPoolNd, _AvgPoolNd, _LPPoolNd), pooling),
    ((_AdaptiveAvgPoolNd, _AdaptiveMaxPoolNd), adaptive_pooling),
    (nn.Upsample, upsampling),
    (_PADDING, padding),
    ((nn.PixelShuffle, nn.PixelUnshuffle), pixel_shuffle),
    (nn.Flatten, flatten),
)


# What a convolution of another class holds: torch's quantised ones share no ancestor with nn.Conv2d.
_CONVOLUTION = ("kernel_size", "stride", "dilation", "padding", "padding_mode", "transposed")


def is_judged(module: nn.Module) -> bool:
    """Whether the geometry of such a layer is known by its type, whatever children it has."""
    return _judge(module) is not None


def _judge(module: nn.Module) -> _Judge | None:
    judge = next((judge for kinds, judge in _JUDGES if isinstance(module, kinds)), None)
    if judge is None and all(hasattr(module, name) for name in _CONVOLUTION) and isinstance(module.kernel_size, tuple):
        return transposed_convolution if module.transposed else convolution
    return judge


def _axes(module: nn.Module) -> int | None:
    """Along how many axes torch's class works, by its name; None where it says nothing."""
    names = [kind.__name__ for kind in type(module).__mro__ if kind.__module__.startswith("torch.")]
    return next((int(name[-2]) for name in names if re.fullmatch(r"\w+[123]d", name)), None)


def layer_finding(module: nn.Module, sides_in: Sides, sides_out: Sides, moves: Sequence[AxisMove]) -> Finding | None:
    """The finding on one layer with spatial geometry; None for a layer that leaves the sides as they are.

    Args:
        module: a layer.
        sides_in: its input's sides.
        sides_out: its output's; none where the layer does away with the axes.
        moves: what the group does to the axes.
    """
    judge = _judge(module)
    if judge is None:
        if sides_out == sides_in:
            return None
        change = f"makes {by(sides_out)} of {by(sides_in)} pixels in a way that is not known"
        return Finding("unknown", change, "Measure it with iw.first_breaker.")
    axes = _axes(module)
    if axes not in (None, len(sides_in)):
        return Finding(
            "unknown",
            f"works along {axes} axes, and the group moves {len(sides_in)}",
            "Measure it with iw.first_breaker.",
        )
    return judge(module, sides_in, sides_out, moves)
