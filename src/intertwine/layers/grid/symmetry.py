"""Whether one layer commutes with turns and mirrors of its own grid, whatever its weights are, and if not, why."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.modules.pooling import _AdaptiveAvgPoolNd, _AdaptiveMaxPoolNd, _AvgPoolNd, _LPPoolNd, _MaxPoolNd

from intertwine.layers.grid.axis_moves import AxisMove
from intertwine.layers.grid.finding import KEEPS, Finding, Sides, by
from intertwine.layers.grid.resizing import adaptive_pooling, flatten, padding, pixel_shuffle, upsampling
from intertwine.layers.grid.windows import convolution, pooling, transposed_convolution

_PADDING = tuple(
    getattr(nn, f"{kind}Pad{dim}d")
    for kind in ("Zero", "Constant", "Reflection", "Replication", "Circular")
    for dim in (1, 2, 3)
)
Mover = Callable[[torch.Tensor, int], torch.Tensor]
Judge = Callable[[Any, Sides, Sides, Sequence[AxisMove]], Finding]
_JUDGES: tuple[tuple[Any, Judge], ...] = (
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
    return judge_of(module) is not None


def judge_of(module: nn.Module) -> Judge | None:
    """What judges layers of this type under turns and mirrors; None for a type that is not known."""
    judge = next((judge for kinds, judge in _JUDGES if isinstance(module, kinds)), None)
    if judge is None and all(hasattr(module, name) for name in _CONVOLUTION) and isinstance(module.kernel_size, tuple):
        return transposed_convolution if module.transposed else convolution
    return judge


def _axes(module: nn.Module) -> int | None:
    """Along how many axes torch's class works, by its name; None where it says nothing."""
    names = [kind.__name__ for kind in type(module).__mro__ if kind.__module__.startswith("torch.")]
    return next((int(name[-2]) for name in names if re.fullmatch(r"\w+[123]d", name)), None)


class Symmetry(ABC):
    """What a group does to the pixels of an image, as a judge of layers.

    Attributes:
        dim: number of axes of pixels.
    """

    dim: int

    @abstractmethod
    def movers(self, sides: Sides) -> tuple[Mover, ...] | None:
        """What each generator does to an image of these sides, as ``(image, first axis of pixels) -> moved image``.

        None where it does not move them by whole pixels.
        """

    def layer(self, module: nn.Module, sides_in: Sides, sides_out: Sides) -> Finding | None:
        """The finding on one layer with spatial geometry; None for a layer that leaves the sides as they are.

        Args:
            module: a layer.
            sides_in: its input's sides.
            sides_out: its output's; none where the layer does away with the axes.
        """
        judge = judge_of(module)
        if judge is None:
            return None if sides_out == sides_in else unknown_change(sides_in, sides_out)
        return other_axes(module, len(sides_in)) or self.judged(judge, module, sides_in, sides_out)

    @abstractmethod
    def judged(self, judge: Judge, module: Any, sides_in: Sides, sides_out: Sides) -> Finding:
        """The finding on a layer, or on the settings of a function, that turns and mirrors judge by ``judge``."""

    @abstractmethod
    def rolled(self, shifts: Sides, sides: Sides, windows: Sides | None) -> Finding:
        """The finding on pixels that are rolled by ``shifts``, and perhaps cut into windows then."""


@dataclass(frozen=True)
class TurnsAndMirrors(Symmetry):
    """Turns by 90 degrees and mirrors.

    Args:
        moves: what they do to the axes.
        turns: for each generator and each axis, the axis that is laid on it, and the sign.
        dim: number of axes of pixels.
    """

    moves: tuple[AxisMove, ...]
    turns: tuple[tuple[tuple[int, int], ...], ...]
    dim: int

    def movers(self, sides: Sides) -> tuple[Mover, ...]:
        return tuple(partial(_turned, turn) for turn in self.turns)

    def judged(self, judge: Judge, module: Any, sides_in: Sides, sides_out: Sides) -> Finding:
        return judge(module, sides_in, sides_out, self.moves)

    def rolled(self, shifts: Sides, sides: Sides, windows: Sides | None) -> Finding:
        periods = windows or sides
        uneven = (
            move
            for move in self.moves
            if (move.sign * shifts[move.source] - shifts[move.target]) % periods[move.target]
        )
        move = next(uneven, None)
        if move is None:
            return KEEPS
        axis = move.target
        shift, side = abs(shifts[axis]), periods[axis]
        if windows is None:
            return Finding(
                "depends",
                f"axis {axis}: rolls the pixels by {shift} of {side}, which the group turns into another shift",
                "What follows must undo it, or treat all pixels alike.",
            )
        return Finding(
            "breaks",
            f"axis {axis}: windows of {side} pixels, shifted by {shift}, do not lie symmetrically: "
            f"2 * {shift} % {side} = {2 * shift % side}, not 0",
            "Use windows of an even side, shifted by half of it.",
        )


def _turned(turn: Sequence[tuple[int, int]], image: torch.Tensor, first: int) -> torch.Tensor:
    """An image whose axes of pixels begin at ``first``, turned."""
    order = list(range(image.ndim))
    order[first : first + len(turn)] = [first + source for source, _ in turn]
    return image.permute(order).flip([first + axis for axis, (_, sign) in enumerate(turn) if sign < 0])


def unknown_change(sides_in: Sides, sides_out: Sides) -> Finding:
    """The finding on a layer of unknown type that changes the sides."""
    change = f"makes {by(sides_out)} of {by(sides_in)} pixels in a way that is not known"
    return Finding("unknown", change, "Measure it with iw.first_breaker.")


def other_axes(module: nn.Module, dim: int) -> Finding | None:
    """The finding on a layer that works along another number of axes than the group moves; None if it does not."""
    axes = _axes(module)
    if axes in (None, dim):
        return None
    return Finding(
        "unknown", f"works along {axes} axes, and the group moves {dim}", "Measure it with iw.first_breaker."
    )
