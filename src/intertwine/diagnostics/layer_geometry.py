"""Whether one layer commutes with turns and mirrors of its own grid, whatever its weights are, and if not, why."""

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


def layer_finding(module: nn.Module, sides_in: Sides, sides_out: Sides, moves: Sequence[AxisMove]) -> Finding | None:
    """The finding on one layer with spatial geometry; None for a layer that leaves the sides as they are.

    Args:
        module: a layer.
        sides_in: its input's sides.
        sides_out: its output's; none where the layer does away with the axes.
        moves: what the group does to the axes.
    """
    judge = next((judge for kinds, judge in _JUDGES if isinstance(module, kinds)), None)
    if judge is None:
        if sides_out == sides_in:
            return None
        change = f"makes {by(sides_out)} of {by(sides_in)} pixels in a way that is not known"
        return Finding("unknown", change, "Measure it with iw.first_breaker.")
    kernel = getattr(module, "kernel_size", None)
    if isinstance(kernel, tuple) and len(kernel) != len(sides_in):
        return Finding("unknown", f"works along {len(kernel)} axes, and the group moves {len(sides_in)}")
    if any(sides_in[move.source] != sides_in[move.target] for move in moves):
        return Finding(
            "breaks",
            f"its input is {by(sides_in)}, which the group turns into another shape",
            "Crop or pad to equal sides, or take the subgroup that keeps this grid.",
        )
    return judge(module, sides_in, sides_out, moves)
