"""Layers that pad images, or move pixels into channels and back."""

from collections.abc import Sequence
from dataclasses import dataclass

from intertwine.layers.grid.axis_moves import AxisMove
from intertwine.layers.grid.finding import KEEPS, Finding, Sides, by
from intertwine.layers.grid.grid_map import SHIFTS, GridMap
from intertwine.layers.grid.pixel_shifts import coarser
from intertwine.projectors.positions.translation import TorusField


@dataclass(frozen=True)
class Padded(GridMap):
    """Pixels added around an image.

    Attributes:
        ends: how many before and after, along each axis.
        circular: whether they are those of the other end.

    Source:
        Own: both ends of axes that the group lays on one another must grow alike.

    Examples:
        >>> from intertwine.layers.grid.axis_moves import AxisMove
        >>> Padded((8,), (9,), ((0, 1),)).turned([AxisMove(0, 0, -1)]).reason
        'axis 0: pads 0 before and 1 after, where the group asks for (1, 0)'
    """

    ends: tuple[tuple[int, int], ...]
    circular: bool = False

    def turned(self, moves: Sequence[AxisMove]) -> Finding:
        for move in moves:
            source, target = self.ends[move.source], self.ends[move.target]
            if (source if move.sign > 0 else source[::-1]) != target:
                return Finding(
                    "breaks",
                    f"axis {move.target}: pads {target[0]} before and {target[1]} after, where the group asks for "
                    f"{source if move.sign > 0 else source[::-1]}",
                    "Pad both ends of all axes that the group moves alike.",
                )
        return KEEPS

    def shifted(self, torus: TorusField, before: Sides) -> Finding:
        if self.sides_out == self.sides_in:
            return SHIFTS
        if self.circular:
            return Finding(
                "depends",
                "what it adds is the other end of the image, which the layer behind it must take off again",
                "Measure the two together, or use padding_mode='circular' in the convolution.",
            )
        return Finding("breaks", "what it adds at the edge stays there while the pixels shift", "Pad circularly.")


@dataclass(frozen=True)
class Shuffled(GridMap):
    """Pixels moved into channels (``inverse``), ``factor x factor`` of them, or back.

    Source:
        Own: the pixels of a block are moved as a grid of their own.

    Examples:
        >>> Shuffled((4, 4), (8, 8), 2, inverse=False).turned([]).advice
        'Type these channels as rep.tensor(G.grid(2, 2)), rep being that of the others.'
    """

    factor: int
    inverse: bool

    def turned(self, moves: Sequence[AxisMove]) -> Finding:
        factor = self.factor
        return Finding(
            "depends",
            f"its {'output' if self.inverse else 'input'} channels hold {factor} x {factor} pixels, which the group "
            "moves too",
            f"Type these channels as rep.tensor(G.grid({factor}, {factor})), rep being that of the others.",
        )

    def shifted(self, torus: TorusField, before: Sides) -> Finding:
        after = self.moved(torus, before)
        if not isinstance(after, Finding):
            return SHIFTS
        if not self.inverse or len(self.sides_out) != len(self.sides_in):
            return after
        moved, whole, _ = self.broken(torus, before)
        return Finding(
            "depends",
            f"{moved} moves pixels from channel to channel of its output: {whole}",
            coarser(torus, self.sides_out),
        )


@dataclass(frozen=True)
class Flattened(GridMap):
    """Pixels and channels made into one axis.

    Source:
        Own: the features behind it are channels times a grid of pixels.

    Examples:
        >>> Flattened((4, 4), ()).turned([]).reason
        'the features after it hold 4 x 4 pixels, which the group moves'
    """

    def turned(self, moves: Sequence[AxisMove]) -> Finding:
        if all(side == 1 for side in self.sides_in):
            return Finding("keeps", "one pixel is left")
        if any(self.sides_in[move.source] != self.sides_in[move.target] for move in moves):
            return Finding(
                "breaks",
                f"its input is {by(self.sides_in)}, which the group turns into another shape, so that no feature "
                "behind it has one meaning",
                "Average over the pixels first, crop or pad to equal sides, or take the subgroup that keeps this grid.",
            )
        return self._depends("moves", "G.grid")

    def shifted(self, torus: TorusField, before: Sides) -> Finding:
        if all(side == 1 for side in self.sides_in):
            return Finding("keeps", "one pixel is left")
        return self._depends("shifts", "iw.torus")

    def _depends(self, what: str, grid: str) -> Finding:
        sides = ", ".join(map(str, self.sides_in))
        return Finding(
            "depends",
            f"the features after it hold {by(self.sides_in)} pixels, which the group {what}",
            f"Type the layer after it with rep.tensor({grid}({sides})), or average over the pixels first.",
        )
