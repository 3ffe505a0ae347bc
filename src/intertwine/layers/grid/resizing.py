"""Layers that resize, pad or rearrange the pixels."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from intertwine.layers.grid.axis_moves import AxisMove
from intertwine.layers.grid.finding import KEEPS, Finding, Sides, by, other_output, unequal_output


def adaptive_pooling(module: Any, sides_in: Sides, sides_out: Sides, moves: Sequence[AxisMove]) -> Finding:
    """Window j is [floor(j n / m), ceil((j + 1) n / m)): symmetric for every n and m."""
    size = module.output_size if isinstance(module.output_size, tuple | list) else (module.output_size,) * len(sides_in)

    def outputs(axis: int, n: int) -> int:
        return n if size[axis] is None else int(size[axis])

    stated = tuple(outputs(axis, n) for axis, n in enumerate(sides_in))
    if sides_out != stated:
        return other_output(sides_out, stated)
    turned = (outputs(move.target, sides_in[move.source]) == sides_out[move.source] for move in moves)
    return KEEPS if all(turned) else unequal_output(sides_out)


def upsampling(module: Any, sides_in: Sides, sides_out: Sides, moves: Sequence[AxisMove]) -> Finding:
    """Interpolation, up or down."""

    def response(axis: int, move: AxisMove, line: torch.Tensor) -> torch.Tensor:
        """What it makes of a line along an axis, the image being as the move makes it."""
        sides = list(sides_in)
        sides[move.source], sides[move.target] = sides[move.target], sides[move.source]
        return _resized(module, axis, sides_in if sides_in[axis] == len(line) else tuple(sides), line)

    for move in moves:
        n = sides_in[move.source]
        line = _uneven(n)
        source = response(move.source, move, line if move.sign > 0 else line.flip(0))
        target = response(move.target, move, line)
        if len(source) != len(target):
            return unequal_output(sides_out)
        if module.mode == "area":  # adaptive averaging
            continue
        if not torch.allclose(source if move.sign > 0 else source.flip(0), target, atol=1e-6):
            return Finding(
                "breaks",
                f"axis {move.source}: mode {module.mode!r} from {n} to {sides_out[move.source]} "
                "pixels samples one end more closely than the other",
                "Use a whole-number scale_factor, or size= with a linear mode and without align_corners and antialias.",
            )
    return KEEPS


def _uneven(side: int) -> torch.Tensor:
    """A line without any symmetry."""
    return torch.arange(1, side + 1, dtype=torch.float64).square().sin()


def _resized(module: Any, axis: int, sides_in: Sides, line: torch.Tensor) -> torch.Tensor:
    """What the layer makes of a line along an axis.

    In all dimensions, as torch copies an image whose sides all stay, where it would resample a line of it.
    """
    image = line.reshape(1, 1, *(-1 if i == axis else 1 for i in range(len(sides_in)))).expand(1, 1, *sides_in)
    resized: torch.Tensor = module.forward(image.contiguous())[0, 0]  # forward: the hooks are ours
    return resized.movedim(axis, -1).flatten(0, -2)[0] if resized.ndim > 1 else resized


def padding(module: Any, sides_in: Sides, sides_out: Sides, moves: Sequence[AxisMove]) -> Finding:
    """Padding layers, whatever they pad with."""
    pads = module.padding  # the last axis first
    ends = [(pads[2 * i], pads[2 * i + 1]) for i in reversed(range(len(sides_in)))]
    stated = tuple(n + before + after for n, (before, after) in zip(sides_in, ends, strict=True))
    if sides_out != stated:
        return other_output(sides_out, stated)
    for move in moves:
        source, target = ends[move.source], ends[move.target]
        if (source if move.sign > 0 else source[::-1]) != target:
            return Finding(
                "breaks",
                f"axis {move.target}: pads {target[0]} before and {target[1]} after, where the group asks for "
                f"{source if move.sign > 0 else source[::-1]}",
                "Pad both ends of all axes that the group moves alike.",
            )
    return KEEPS


def pixel_shuffle(module: Any, sides_in: Sides, sides_out: Sides, moves: Sequence[AxisMove]) -> Finding:
    """Pixels moved into channels or back."""
    inverse = isinstance(module, nn.PixelUnshuffle)
    factor = module.downscale_factor if inverse else module.upscale_factor
    return Finding(
        "depends",
        f"its {'output' if inverse else 'input'} channels hold {factor} x {factor} pixels, which the group moves too",
        f"Type these channels as rep.tensor(G.grid({factor}, {factor})), rep being that of the others.",
    )


def flatten(module: Any, sides_in: Sides, sides_out: Sides, moves: Sequence[AxisMove]) -> Finding:
    """Pixels and channels made into one axis."""
    if all(side == 1 for side in sides_in):
        return Finding("keeps", "one pixel is left")
    if any(sides_in[move.source] != sides_in[move.target] for move in moves):
        return Finding(
            "breaks",
            f"its input is {by(sides_in)}, which the group turns into another shape, so that no feature behind it has "
            "one meaning",
            "Average over the pixels first, crop or pad to equal sides, or take the subgroup that keeps this grid.",
        )
    grid = ", ".join(map(str, sides_in))
    return Finding(
        "depends",
        f"the features after it hold {by(sides_in)} pixels, which the group moves",
        f"Type the layer after it with rep.tensor(G.grid({grid})), or average over the pixels first.",
    )
