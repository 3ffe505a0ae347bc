"""Layers that look at their input through windows: do these lie symmetrically on the grid?"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from intertwine._arguments import is_integer
from intertwine.errors import ArgumentError
from intertwine.layers.grid import axis_incidence
from intertwine.layers.grid.axis_incidence import Incidence, Window
from intertwine.layers.grid.axis_moves import AxisMove
from intertwine.layers.grid.finding import KEEPS, Finding, Sides, other_output
from intertwine.layers.grid.grid_map import SHIFTS, GridMap
from intertwine.layers.grid.settings import per_axis
from intertwine.projectors.positions.translation import TorusField

# The incidence along an axis of so many pixels.
Along = Callable[[int, int], Incidence]

_CIRCULAR = "Use padding_mode='circular'"
_ROUND = {
    "nothing": "Pad with nn.CircularPad layers before it and not in it, and measure the two together.",
    "zeros": f"{_CIRCULAR}; a transposed convolution keeps shifts with kernel = stride and no padding.",
}


@dataclass(frozen=True)
class Windows(GridMap):
    """A layer that looks at its input through a window, as its settings say and its output shows.

    Attributes:
        axes: the settings of each axis.
        along: which pixels the windows along an axis of so many pixels reach.
        padding: what is padded with: ``"zeros"``, ``"circular"`` and the like, or ``"nothing"`` (a pooling).
        same: whether ``padding="same"`` says how much.
        extra: output pixels of a transposed convolution beyond what its window makes, along each axis.

    Source:
        Own: a layer of windows commutes with a reversal iff its incidence along that axis is symmetric.

    Examples:
        >>> from intertwine.layers.grid.axis_moves import AxisMove
        >>> reversal = AxisMove(0, 0, -1)
        >>> [convolution_windows((n,), ((n + 1) // 2,), 1, 2).turned([reversal]).verdict for n in (8, 9)]
        ['breaks', 'keeps']
    """

    axes: tuple[Window, ...]
    along: Along
    padding: str = "nothing"
    same: bool = False
    extra: Sides = ()

    def turned(self, moves: Sequence[AxisMove]) -> Finding:
        move = self._asymmetric(moves)
        if move is None:
            return KEEPS
        if move.source != move.target and self.axes[move.source] != self.axes[move.target]:
            return _differ(move, self.axes)
        axis, window, n = move.source, self.axes[move.source], self.sides_in[move.source]
        if self.extra:
            return Finding(
                "breaks",
                f"axis {axis}: output_padding {self.extra[axis]} makes pixels at the end that have no counterpart at "
                "the beginning",
                "Use output_padding=0 (and no output_size), with a kernel side that gives the size you need: an even "
                "kernel doubles the sides.",
            )
        if window.before != window.after:
            pads = f"pads {window.before} before and {window.after} after"
            if self.same:
                advice = "Use an odd kernel side, or equal padding given as a number."
                return Finding("breaks", f"axis {axis}: padding='same' {pads}, as the kernel is even", advice)
            advice = "Pad both ends alike, or take a size at which that happens."
            return Finding("breaks", f"axis {axis}: {pads}", advice)
        rest = window.remainder(n)
        taken = f"{n} + {2 * window.before} - {window.dilation * (window.kernel - 1)} - 1"
        return Finding(
            "breaks",
            f"axis {axis}: its samples miss the centre: (n + 2p - d(k-1) - 1) % s = ({taken}) % {window.stride} = "
            f"{rest}, not 0",
            f"Use {n - rest} or {n - rest + window.stride} pixels in place of {n}, or another stride or kernel.",
        )

    def shifted(self, torus: TorusField, before: Sides) -> Finding:
        after = self.moved(torus, before)
        if isinstance(after, Finding):
            return after
        for axis, n in enumerate(self.sides_in):
            incidence = self.along(axis, n)
            if not incidence.shifted(before[axis], after[axis]).equals(incidence):
                return Finding(
                    "breaks",
                    f"axis {axis}: what its windows meet at the edge stays there while the pixels shift",
                    _ROUND.get(self.padding, f"{_CIRCULAR}."),
                )
        return SHIFTS

    def _asymmetric(self, moves: Sequence[AxisMove]) -> AxisMove | None:
        """A move that does not carry the incidence along one axis to that along the other, a reversal if there is one.

        An axis that is laid on another brings its pixels there: rows and columns of a rectangle are judged each for
        itself.
        """
        for move in sorted(moves, key=lambda move: (move.source != move.target, move)):
            n = self.sides_in[move.source]
            source = self.along(move.source, n) if move.sign > 0 else self.along(move.source, n).mirrored()
            if not source.equals(self.along(move.target, n)):
                return move
        return None


def convolution_windows(
    sides_in: Sides,
    sides_out: Sides,
    kernel: Any,
    stride: Any = 1,
    dilation: Any = 1,
    padding: Any = 0,
    *,
    padding_mode: str = "zeros",
    same: bool = False,
) -> Windows | Finding:
    """The windows of a convolution, or of what reads its input as one does; or that its output is not theirs.

    Args:
        sides_in: pixels of its input along each axis.
        sides_out: of its output.
        kernel: side of the kernel, a number or one for each axis; likewise ``stride`` and ``dilation``.
        padding: a number of pixels, or for each axis a number or a pair (before, after).
        padding_mode: ``"zeros"``, ``"circular"``, ``"reflect"`` or ``"replicate"``.
        same: whether ``padding="same"`` says how much is padded, for the advice.

    Raises:
        ArgumentError: a kernel, stride or dilation that is no positive number of pixels.

    Source:
        Own: ``j -> s j - p + d t`` is symmetric iff ``(n + 2p - d(k-1) - 1) % s == 0``.

    Examples:
        >>> every_second = convolution_windows((8, 8), (4, 4), kernel=1, stride=2)
        >>> every_second.axes[0].remainder(8), every_second.axes[0].remainder(9)
        (1, 0)
    """
    dim = len(sides_in)
    for name, value in (("kernel", kernel), ("stride", stride), ("dilation", dilation)):
        if not all(is_integer(one) and one >= 1 for one in per_axis(value, dim)):
            raise ArgumentError(name, expected=f"an integer >= 1, or {dim} of them", got=repr(value)[:60])
    settings = zip(*(per_axis(value, dim) for value in (kernel, stride, dilation)), strict=True)
    ends = [p if isinstance(p, tuple) else (p, p) for p in per_axis(padding, dim)]
    axes = tuple(Window(k, s, d, *end) for (k, s, d), end in zip(settings, ends, strict=True))
    stated = tuple(window.outputs(n) for window, n in zip(axes, sides_in, strict=True))
    if sides_out != stated:  # it pads or crops inside forward
        return other_output(sides_out, stated)

    def along(axis: int, n: int) -> Incidence:
        return axis_incidence.convolution(axes[axis], n, axes[axis].outputs(n), padding_mode)

    return Windows(sides_in, sides_out, axes, along, padding_mode, same)


def same_ends(kernel: Sequence[int], dilation: Sequence[int], padding: str) -> tuple[tuple[int, int], ...]:
    """How much is padded before and after along each axis: ``"same"`` pads the odd pixel after, ``"valid"`` nothing."""
    totals = [d * (k - 1) if padding == "same" else 0 for k, d in zip(kernel, dilation, strict=True)]
    return tuple((total // 2, total - total // 2) for total in totals)


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
        "breaks",
        f"{axes}, which the group exchanges, differ: {', '.join(differing)}",
        "Use the same for both, or a group that does not exchange them: the mirrors of images are Dihedral(2).",
    )
