"""Whether one layer commutes with shifts of its periodic grid, whatever its weights are, and if not, why."""

from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import Any

import torch
from torch import nn

from intertwine.layers.grid.finding import Finding, Sides, by
from intertwine.layers.grid.pixel_shifts import coarser, strides
from intertwine.layers.grid.resizing import flatten, padding, pixel_shuffle
from intertwine.layers.grid.symmetry import Judge, Mover, Symmetry, unknown_change
from intertwine.layers.grid.windows import (
    Windows,
    convolution,
    convolution_windows,
    pooling,
    pooling_windows,
    transposed_convolution,
    transposed_windows,
)
from intertwine.projectors.positions.translation import TorusField

KEEPS = Finding("keeps", "shifting its input by pixels shifts its output by pixels")
# What reads the windows of layers that have some.
_READERS: dict[Any, Any] = {
    convolution: convolution_windows,
    transposed_convolution: transposed_windows,
    pooling: pooling_windows,
}


@dataclass(frozen=True)
class Shifts(Symmetry):
    """Shifts of a periodic grid.

    Args:
        torus: the grid.
    """

    torus: TorusField

    @property
    def dim(self) -> int:  # type: ignore[override]
        return len(self.torus.sides)

    def movers(self, sides: Sides) -> tuple[Mover, ...] | None:
        steps = strides(self.torus, sides)
        return None if steps is None else tuple(partial(_rolled, step, axis) for axis, step in enumerate(steps))

    def judged(self, judge: Judge, module: Any, sides_in: Sides, sides_out: Sides) -> Finding:
        before = strides(self.torus, sides_in)
        if before is None:
            return Finding(
                "unknown",
                f"its input of {by(sides_in)} pixels is not moved by whole pixels: what lies before it has changed the "
                "grid",
                "Measure it together with that, with iw.first_breaker behind it.",
            )
        if judge in (flatten, padding):
            return _flatten(sides_in) if judge is flatten else _padding(module, sides_in, sides_out)
        windows = _READERS[judge](module, sides_in, sides_out) if judge in _READERS else None
        if isinstance(windows, Finding) or len(sides_out) != len(sides_in):
            return windows if isinstance(windows, Finding) else unknown_change(sides_in, sides_out)
        after = strides(self.torus, sides_out)
        if after is None:
            return _broken(self.torus, before, module, sides_out)
        if windows is not None:
            return _windowed(windows, sides_in, before, after)
        return KEEPS if judge is pixel_shuffle else _probed(module, sides_in, before, after)

    def rolled(self, shifts: Sides, sides: Sides, windows: Sides | None) -> Finding:
        if windows is None:
            return KEEPS
        steps = strides(self.torus, sides)
        if steps is not None and not any(step % side for step, side in zip(steps, windows, strict=True)):
            return KEEPS
        return Finding(
            "breaks",
            f"windows of {by(windows)} pixels are cut in the same places however the pixels shift",
            "Measure shifts by whole windows, with space=iw.torus(number of windows along each axis).",
        )


def _rolled(step: int, axis: int, image: torch.Tensor, first: int) -> torch.Tensor:
    """An image whose axes of pixels begin at ``first``, shifted along one of them."""
    return image.roll(step, first + axis)


def _broken(torus: TorusField, before: Sides, module: nn.Module, sides_out: Sides) -> Finding:
    """The output has no whole pixels to be shifted by."""
    axis = next(i for i, m in enumerate(sides_out) if m > 1 and m % torus.sides[i])
    step, part = before[axis], Fraction(sides_out[axis], torus.sides[axis])
    moved = f"a shift by {step} pixel{'s' * (step > 1)} along axis {axis}"
    whole = f"only multiples of {step * part.denominator} pixels move it by whole ones"
    if isinstance(module, nn.PixelUnshuffle):
        return Finding(
            "depends", f"{moved} moves pixels from channel to channel of its output: {whole}", coarser(torus, sides_out)
        )
    return Finding("breaks", f"{moved} would move its output by {part} of a pixel: {whole}", coarser(torus, sides_out))


def _windowed(windows: Windows, sides_in: Sides, before: Sides, after: Sides) -> Finding:
    for axis, n in enumerate(sides_in):
        incidence = windows.along(axis, n)
        if not incidence.shifted(before[axis], after[axis]).equals(incidence):
            circular = {
                "nothing": "Pad with nn.CircularPad layers before it and not in it, and measure the two together.",
                "zeros": "Use padding_mode='circular'; a transposed convolution keeps shifts with kernel = stride and "
                "no padding.",
            }
            return Finding(
                "breaks",
                f"axis {axis}: what its windows meet at the edge stays there while the pixels shift",
                circular.get(windows.padding, "Use padding_mode='circular'."),
            )
    return KEEPS


def _probed(module: Any, sides_in: Sides, before: Sides, after: Sides) -> Finding:
    """Layers without weights that treat each channel alike: shifting before and shifting behind are compared."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, 1, *sides_in, dtype=torch.float64, generator=generator)

    def made(x: torch.Tensor) -> torch.Tensor:
        result = module.forward(x)  # forward: the hooks are ours
        return (result[0] if isinstance(result, tuple) else result).double()

    for axis in range(len(sides_in)):
        moved, expected = made(image.roll(before[axis], axis + 2)), made(image).roll(after[axis], axis + 2)
        if not torch.allclose(moved, expected, rtol=0, atol=1e-9):
            return Finding(
                "breaks",
                f"axis {axis}: it treats the edge as an end, where the pixels shift over it",
                "Resize in mode 'nearest' by a whole factor, or pool windows of equal size.",
            )
    return KEEPS


def _padding(module: Any, sides_in: Sides, sides_out: Sides) -> Finding:
    if sides_out == sides_in:
        return KEEPS
    if "Circular" in type(module).__name__ or getattr(module, "mode", None) == "circular":
        return Finding(
            "depends",
            "what it adds is the other end of the image, which the layer behind it must take off again",
            "Measure the two together, or use padding_mode='circular' in the convolution.",
        )
    return Finding("breaks", "what it adds at the edge stays there while the pixels shift", "Pad circularly.")


def _flatten(sides_in: Sides) -> Finding:
    if all(side == 1 for side in sides_in):
        return Finding("keeps", "one pixel is left")
    sides = ", ".join(map(str, sides_in))
    return Finding(
        "depends",
        f"the features after it hold {by(sides_in)} pixels, which the group shifts",
        f"Type the layer after it with rep.tensor(iw.torus({sides})), or average over the pixels first.",
    )
