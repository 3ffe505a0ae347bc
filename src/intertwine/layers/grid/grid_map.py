"""What a layer does to the pixels of an image, as a value that turns, mirrors and shifts can be asked of."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from intertwine.layers.grid.axis_moves import AxisMove
from intertwine.layers.grid.finding import Finding, Sides, by
from intertwine.layers.grid.pixel_shifts import coarser, strides
from intertwine.projectors.positions.translation import TorusField

SHIFTS = Finding("keeps", "shifting its input by pixels shifts its output by pixels")


@dataclass(frozen=True)
class GridMap(ABC):
    """What one layer does to the pixels, on the sides that it met.

    Attributes:
        sides_in: pixels of its input along each axis.
        sides_out: of its output; none where it does away with the axes.

    Examples:
        >>> import intertwine as iw
        >>> class Cropped(GridMap):
        ...     def turned(self, moves):
        ...         return iw.layers.Finding("keeps", "it crops both ends of all axes alike")
        ...
        ...     def shifted(self, torus, before):
        ...         return iw.layers.Finding("breaks", "what it crops stays there while the pixels shift", "Pad it.")
        >>> rule = iw.LayerRule(grid=lambda module, sides_in, sides_out: Cropped(sides_in, sides_out))
    """

    sides_in: Sides
    sides_out: Sides

    @abstractmethod
    def turned(self, moves: Sequence[AxisMove]) -> Finding:
        """Whether it commutes with turns and mirrors, that lay axes of pixels on one another.

        Args:
            moves: what they do to the axes.
        """

    @abstractmethod
    def shifted(self, torus: TorusField, before: Sides) -> Finding:
        """Whether it commutes with shifts of a periodic grid.

        Args:
            torus: the shifts.
            before: by how many pixels they move its input.
        """

    def moved(self, torus: TorusField, before: Sides) -> Sides | Finding:
        """By how many pixels shifts move the output; the finding that they do not do so by whole ones."""
        if len(self.sides_out) != len(self.sides_in):
            return unknown_change(self.sides_in, self.sides_out)
        after = strides(torus, self.sides_out)
        if after is not None:
            return after
        moved, whole, part = self.broken(torus, before)
        return Finding(
            "breaks", f"{moved} would move its output by {part} of a pixel: {whole}", coarser(torus, self.sides_out)
        )

    def broken(self, torus: TorusField, before: Sides) -> tuple[str, str, Fraction]:
        """In words: a shift that moves the output by no whole pixels, those that do; and by what part of one."""
        axis = next(i for i, m in enumerate(self.sides_out) if m > 1 and m % torus.sides[i])
        step, part = before[axis], Fraction(self.sides_out[axis], torus.sides[axis])
        moved = f"a shift by {step} pixel{'s' * (step > 1)} along axis {axis}"
        return moved, f"only multiples of {step * part.denominator} pixels move it by whole ones", part


def unknown_change(sides_in: Sides, sides_out: Sides) -> Finding:
    """The finding on a layer of unknown type that changes the sides."""
    change = f"makes {by(sides_out)} of {by(sides_in)} pixels in a way that is not known"
    return Finding("unknown", change, "Measure it with iw.first_breaker.")
