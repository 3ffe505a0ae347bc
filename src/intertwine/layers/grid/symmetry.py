"""What a group does to the pixels of an image, as a judge of what layers do to them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import torch

from intertwine.layers.grid.axis_moves import AxisMove
from intertwine.layers.grid.finding import KEEPS, Finding, Sides, by
from intertwine.layers.grid.grid_map import SHIFTS, GridMap
from intertwine.layers.grid.pixel_shifts import strides
from intertwine.projectors.positions.translation import TorusField

Mover = Callable[[torch.Tensor, int], torch.Tensor]


class Symmetry(ABC):
    """What a group does to the pixels of an image, as a judge of layers."""

    @property
    @abstractmethod
    def dim(self) -> int:
        """Number of axes of pixels."""

    @abstractmethod
    def movers(self, sides: Sides) -> tuple[Mover, ...] | None:
        """What each generator does to an image of these sides, as ``(image, first axis of pixels) -> moved image``.

        None where it does not move them by whole pixels.
        """

    @abstractmethod
    def judged(self, layer: GridMap) -> Finding:
        """The finding on a layer, or on a function, that does this to the pixels."""

    @abstractmethod
    def rolled(self, shifts: Sides, sides: Sides, windows: Sides | None) -> Finding:
        """The finding on pixels that are rolled by ``shifts``, and perhaps cut into windows then."""


@dataclass(frozen=True)
class TurnsAndMirrors(Symmetry):
    """Turns by 90 degrees and mirrors.

    Args:
        moves: what they do to the axes.
        turns: for each generator and each axis, the axis that is laid on it, and the sign.
        axes: number of axes of pixels.
    """

    moves: tuple[AxisMove, ...]
    turns: tuple[tuple[tuple[int, int], ...], ...]
    axes: int

    @property
    def dim(self) -> int:
        return self.axes

    def movers(self, sides: Sides) -> tuple[Mover, ...]:
        return tuple(partial(_turned, turn) for turn in self.turns)

    def judged(self, layer: GridMap) -> Finding:
        return layer.turned(self.moves)

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


@dataclass(frozen=True)
class Shifts(Symmetry):
    """Shifts of a periodic grid.

    Args:
        torus: the grid.
    """

    torus: TorusField

    @property
    def dim(self) -> int:
        return len(self.torus.sides)

    def movers(self, sides: Sides) -> tuple[Mover, ...] | None:
        steps = strides(self.torus, sides)
        return None if steps is None else tuple(partial(_shifted, step, axis) for axis, step in enumerate(steps))

    def judged(self, layer: GridMap) -> Finding:
        before = strides(self.torus, layer.sides_in)
        if before is None:
            return Finding(
                "unknown",
                f"its input of {by(layer.sides_in)} pixels is not moved by whole pixels: what lies before it has "
                "changed the grid",
                "Measure it together with that, with iw.first_breaker behind it.",
            )
        return layer.shifted(self.torus, before)

    def rolled(self, shifts: Sides, sides: Sides, windows: Sides | None) -> Finding:
        if windows is None:
            return SHIFTS
        steps = strides(self.torus, sides)
        if steps is not None and not any(step % side for step, side in zip(steps, windows, strict=True)):
            return SHIFTS
        return Finding(
            "breaks",
            f"windows of {by(windows)} pixels are cut in the same places however the pixels shift",
            "Measure shifts by whole windows, with space=iw.torus(number of windows along each axis).",
        )


def _turned(turn: Sequence[tuple[int, int]], image: torch.Tensor, first: int) -> torch.Tensor:
    """An image whose axes of pixels begin at ``first``, turned."""
    order = list(range(image.ndim))
    order[first : first + len(turn)] = [first + source for source, _ in turn]
    return image.permute(order).flip([first + axis for axis, (_, sign) in enumerate(turn) if sign < 0])


def _shifted(step: int, axis: int, image: torch.Tensor, first: int) -> torch.Tensor:
    """An image whose axes of pixels begin at ``first``, shifted along one of them."""
    return image.roll(step, first + axis)
