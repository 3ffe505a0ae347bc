"""Layers without weights that resize images: by windows of adaptive size, or by interpolation."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from intertwine.layers.grid.axis_moves import AxisMove
from intertwine.layers.grid.finding import KEEPS, Finding, Sides, unequal_output
from intertwine.layers.grid.grid_map import SHIFTS, GridMap
from intertwine.projectors.positions.translation import TorusField

Forward = Callable[[torch.Tensor], Any]


@dataclass(frozen=True)
class Probed(GridMap):
    """A layer that treats each channel alike; shifting before it and shifting behind it are compared.

    Attributes:
        forward: what it computes, called on an image (1, 1, *pixels) in float64.
    """

    forward: Forward

    def shifted(self, torus: TorusField, before: Sides) -> Finding:
        after = self.moved(torus, before)
        if isinstance(after, Finding):
            return after
        generator = torch.Generator().manual_seed(0)
        image = torch.randn(1, 1, *self.sides_in, dtype=torch.float64, generator=generator)
        for axis in range(len(self.sides_in)):
            moved = self._made(image.roll(before[axis], axis + 2))
            expected = self._made(image).roll(after[axis], axis + 2)
            if not torch.allclose(moved, expected, rtol=0, atol=1e-9):
                return Finding(
                    "breaks",
                    f"axis {axis}: it treats the edge as an end, where the pixels shift over it",
                    "Resize in mode 'nearest' by a whole factor, or pool windows of equal size.",
                )
        return SHIFTS

    def _made(self, x: torch.Tensor) -> torch.Tensor:
        result = self.forward(x)
        found: torch.Tensor = result[0] if isinstance(result, tuple) else result
        return found.double()


@dataclass(frozen=True)
class Adaptive(Probed):
    """Window j of m is [floor(j n / m), ceil((j + 1) n / m)): symmetric for every n and m.

    Attributes:
        outputs: how many pixels it makes of so many along an axis.

    Source:
        Own: ``floor(j n / m)`` and ``n - ceil((m - j) n / m)`` are the same number.

    Examples:
        >>> import torch
        >>> pool = torch.nn.AdaptiveAvgPool1d(3)
        >>> Adaptive((7,), (3,), pool.forward, lambda axis, n: 3).turned([]).verdict
        'keeps'
    """

    outputs: Callable[[int, int], int]

    def turned(self, moves: Sequence[AxisMove]) -> Finding:
        turned = (
            self.outputs(move.target, self.sides_in[move.source]) == self.sides_out[move.source] for move in moves
        )
        return KEEPS if all(turned) else unequal_output(self.sides_out)


@dataclass(frozen=True)
class Resized(Probed):
    """Interpolation, up or down.

    Attributes:
        mode: as in ``torch.nn.Upsample``.

    Source:
        Own: a line without symmetry is resized forwards and backwards.

    Examples:
        >>> import torch
        >>> from intertwine.layers.grid.axis_moves import AxisMove
        >>> half = torch.nn.Upsample(scale_factor=0.5)
        >>> Resized((8,), (4,), half.forward, "nearest").turned([AxisMove(0, 0, -1)]).verdict
        'breaks'
    """

    mode: str

    def turned(self, moves: Sequence[AxisMove]) -> Finding:
        for move in moves:
            n = self.sides_in[move.source]
            line = torch.arange(1, n + 1, dtype=torch.float64).square().sin()  # without any symmetry
            source = self._response(move.source, move, line if move.sign > 0 else line.flip(0))
            target = self._response(move.target, move, line)
            if len(source) != len(target):
                return unequal_output(self.sides_out)
            if self.mode == "area":  # adaptive averaging
                continue
            if not torch.allclose(source if move.sign > 0 else source.flip(0), target, atol=1e-6):
                return Finding(
                    "breaks",
                    f"axis {move.source}: mode {self.mode!r} from {n} to {self.sides_out[move.source]} "
                    "pixels samples one end more closely than the other",
                    "Use a whole-number scale_factor, or size= with a linear mode and without align_corners and "
                    "antialias.",
                )
        return KEEPS

    def _response(self, axis: int, move: AxisMove, line: torch.Tensor) -> torch.Tensor:
        """What it makes of a line along an axis, the image being as the move makes it.

        In all dimensions, as torch copies an image whose sides all stay, where it would resample a line of it.
        """
        sides = list(self.sides_in)
        if sides[axis] != len(line):
            sides[move.source], sides[move.target] = sides[move.target], sides[move.source]
        image = line.reshape(1, 1, *(-1 if i == axis else 1 for i in range(len(sides)))).expand(1, 1, *sides)
        resized: torch.Tensor = self.forward(image.contiguous())[0, 0]
        return resized.movedim(axis, -1).flatten(0, -2)[0] if resized.ndim > 1 else resized
