"""Convolutions and poolings: do their windows lie symmetrically on the grid?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from torch.nn.modules.pooling import _MaxPoolNd

from intertwine.layers.grid import axis_incidence
from intertwine.layers.grid.axis_incidence import Incidence, Window
from intertwine.layers.grid.axis_moves import AxisMove
from intertwine.layers.grid.finding import KEEPS, Finding, Sides, other_output

# The incidence along an axis of so many pixels.
Along = Callable[[int, int], Incidence]


@dataclass(frozen=True)
class Windows:
    """A layer that looks at its input through a window, as its settings say and its output shows.

    Attributes:
        axes: the settings of each axis.
        along: which pixels the windows along an axis of so many pixels reach.
        padding: what is padded with: ``"zeros"``, ``"circular"`` and the like, or ``"nothing"`` (a pooling).
        extra: output pixels of a transposed convolution beyond what its window makes.
    """

    axes: tuple[Window, ...]
    along: Along
    padding: str
    extra: Sides = ()


def convolution(module: Any, sides_in: Sides, sides_out: Sides, moves: Sequence[AxisMove]) -> Finding:
    """A plain convolution, of any stride, dilation and padding."""
    windows = convolution_windows(module, sides_in, sides_out)
    return _compare(windows, sides_in, moves, same=isinstance(module.padding, str))


def transposed_convolution(module: Any, sides_in: Sides, sides_out: Sides, moves: Sequence[AxisMove]) -> Finding:
    """A transposed convolution."""
    windows = transposed_windows(module, sides_in, sides_out)
    if isinstance(windows, Finding):
        return windows
    asymmetric = _asymmetric(windows.along, sides_in, moves)
    if asymmetric is None:
        return KEEPS
    if asymmetric.source != asymmetric.target and windows.axes[asymmetric.source] != windows.axes[asymmetric.target]:
        return _differ(asymmetric, windows.axes)
    axis = asymmetric.source
    return Finding(
        "breaks",
        f"axis {axis}: output_padding {windows.extra[axis]} makes pixels at the end that have no counterpart at the "
        "beginning",
        "Use output_padding=0 (and no output_size), with a kernel side that gives the size you need: an even kernel "
        "doubles the sides.",
    )


def pooling(module: Any, sides_in: Sides, sides_out: Sides, moves: Sequence[AxisMove]) -> Finding:
    """Maximum, average and power-average pooling."""
    return _compare(pooling_windows(module, sides_in, sides_out), sides_in, moves)


def convolution_windows(module: Any, sides_in: Sides, sides_out: Sides) -> Windows | Finding:
    """The windows of a plain convolution, or the finding that it does more than its settings say."""
    axes = _convolution_axes(module)
    stated = tuple(window.outputs(n) for window, n in zip(axes, sides_in, strict=True))
    if sides_out != stated:  # it pads or crops inside forward
        return other_output(sides_out, stated)

    def along(axis: int, n: int) -> Incidence:
        return axis_incidence.convolution(axes[axis], n, axes[axis].outputs(n), module.padding_mode)

    return Windows(axes, along, module.padding_mode)


def transposed_windows(module: Any, sides_in: Sides, sides_out: Sides) -> Windows | Finding:
    """The windows of a transposed convolution, likewise."""
    axes = _convolution_axes(module)
    full = tuple(window.spread(n) for window, n in zip(axes, sides_in, strict=True))
    extra = tuple(m - n for m, n in zip(sides_out, full, strict=False))
    if len(extra) != len(full) or any(
        not 0 <= more < max(window.stride, window.dilation) for more, window in zip(extra, axes, strict=True)
    ):
        return other_output(sides_out, full)

    def along(axis: int, n: int) -> Incidence:
        return axis_incidence.transposed_convolution(axes[axis], n, axes[axis].spread(n) + extra[axis])

    return Windows(axes, along, "zeros", extra)


def pooling_windows(module: Any, sides_in: Sides, sides_out: Sides) -> Windows | Finding:
    """The windows of a pooling, likewise."""
    dim = len(sides_in)
    kernel = _per_axis(module.kernel_size, dim)
    stride = kernel if module.stride is None else _per_axis(module.stride, dim)
    dilation, padding = _per_axis(getattr(module, "dilation", 1), dim), _per_axis(getattr(module, "padding", 0), dim)
    axes = tuple(Window(k, s, d, p, p) for k, s, d, p in zip(kernel, stride, dilation, padding, strict=True))
    ceil = bool(getattr(module, "ceil_mode", False))
    stated = tuple(window.outputs(n, ceil=ceil) for window, n in zip(axes, sides_in, strict=True))
    if sides_out != stated:
        return other_output(sides_out, stated)
    divisor = "none"
    if not isinstance(module, _MaxPoolNd) and getattr(module, "divisor_override", None) is None:
        divisor = "padded" if getattr(module, "count_include_pad", True) else "inside"

    def along(axis: int, n: int) -> Incidence:
        return axis_incidence.pooling(axes[axis], n, axes[axis].outputs(n, ceil=ceil), divisor)

    return Windows(axes, along, "nothing")


def _compare(windows: Windows | Finding, sides: Sides, moves: Sequence[AxisMove], *, same: bool = False) -> Finding:
    if isinstance(windows, Finding):
        return windows
    move = _asymmetric(windows.along, sides, moves)
    if move is None:
        return KEEPS
    if move.source != move.target and windows.axes[move.source] != windows.axes[move.target]:
        return _differ(move, windows.axes)
    axis, window, n = move.source, windows.axes[move.source], sides[move.source]
    if window.before != window.after:
        pads = f"pads {window.before} before and {window.after} after"
        if same:
            advice = "Use an odd kernel side, or equal padding given as a number."
            return Finding("breaks", f"axis {axis}: padding='same' {pads}, as the kernel is even", advice)
        return Finding("breaks", f"axis {axis}: {pads}", "Pad both ends alike, or take a size at which that happens.")
    rest = window.remainder(n)
    taken = f"{n} + {2 * window.before} - {window.dilation * (window.kernel - 1)} - 1"
    return Finding(
        "breaks",
        f"axis {axis}: its samples miss the centre: (n + 2p - d(k-1) - 1) % s = ({taken}) % {window.stride} = {rest}, "
        "not 0",
        f"Use {n - rest} or {n - rest + window.stride} pixels in place of {n}, or another stride or kernel.",
    )


def _asymmetric(along: Along, sides: Sides, moves: Sequence[AxisMove]) -> AxisMove | None:
    """A move that does not carry the incidence along one axis to that along the other, a reversal if there is one.

    An axis that is laid on another brings its pixels there: rows and columns of a rectangle are judged each for itself.
    """
    for move in sorted(moves, key=lambda move: (move.source != move.target, move)):
        n = sides[move.source]
        source = along(move.source, n) if move.sign > 0 else along(move.source, n).mirrored()
        if not source.equals(along(move.target, n)):
            return move
    return None


def _differ(move: AxisMove, windows: Sequence[Window]) -> Finding:
    first, second = windows[min(move.source, move.target)], windows[max(move.source, move.target)]
    names = {"kernel": "kernel", "stride": "stride", "dilation": "dilation", "before": "padding"}
    differing = [
        f"{text} {getattr(first, name)} and {getattr(second, name)}"
        for name, text in names.items()
        if getattr(first, name) != getattr(second, name)
    ]
    axes = f"axes {min(move.source, move.target)} and {max(move.source, move.target)}"
    return Finding(
        "breaks", f"{axes}, which the group exchanges, differ: {', '.join(differing)}", "Use the same for both."
    )


def _convolution_axes(module: Any) -> tuple[Window, ...]:
    """Settings per axis; ``padding="same"`` pads the odd pixel after."""
    axes = zip(module.kernel_size, module.stride, module.dilation, strict=True)
    if isinstance(module.padding, str):
        totals = [d * (k - 1) if module.padding == "same" else 0 for k, _, d in axes]
        ends = [(total // 2, total - total // 2) for total in totals]
    else:
        ends = [p if isinstance(p, tuple) else (p, p) for p in module.padding]
    settings = zip(module.kernel_size, module.stride, module.dilation, ends, strict=True)
    return tuple(Window(k, s, d, before, after) for k, s, d, (before, after) in settings)


def _per_axis(value: Any, dim: int) -> tuple[int, ...]:
    values = tuple(value) if isinstance(value, tuple | list) else (value,) * dim
    return values * dim if len(values) == 1 else values
