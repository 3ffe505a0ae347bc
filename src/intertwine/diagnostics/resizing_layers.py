"""Layers that resize, pad or rearrange the pixels."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from intertwine.diagnostics.axis_moves import AxisMove
from intertwine.diagnostics.finding import KEEPS, Finding, Sides, by, other_output, unequal_output


def adaptive_pooling(module: Any, sides_in: Sides, sides_out: Sides, moves: Sequence[AxisMove]) -> Finding:
    """Window j is [floor(j n / m), ceil((j + 1) n / m)): symmetric for every n and m."""
    size = module.output_size if isinstance(module.output_size, tuple | list) else (module.output_size,) * len(sides_in)
    stated = tuple(n if m is None else int(m) for m, n in zip(size, sides_in, strict=True))
    if sides_out != stated:
        return other_output(sides_out, stated)
    return unequal_output(sides_out, moves) or KEEPS


def upsampling(module: Any, sides_in: Sides, sides_out: Sides, moves: Sequence[AxisMove]) -> Finding:
    """Interpolation, up or down."""
    unequal = unequal_output(sides_out, moves)
    if unequal is not None or module.mode == "area":  # adaptive averaging
        return unequal or KEEPS
    positions = [_sample_positions(module, axis, sides_in) for axis in range(len(sides_in))]
    for move in moves:
        source = positions[move.source]
        if move.sign < 0:
            source = sides_in[move.source] - 1 - source.flip(0)
        if not torch.allclose(source, positions[move.target], atol=1e-6):
            return Finding(
                "breaks",
                f"axis {move.target}: mode {module.mode!r} from {sides_in[move.target]} to {sides_out[move.target]} "
                "pixels samples one end more closely than the other",
                "Use a whole-number scale_factor, or size= with a linear mode.",
            )
    return KEEPS


def _sample_positions(module: Any, axis: int, sides_in: Sides) -> torch.Tensor:
    """Where the layer reads its samples along an axis: what it makes of a ramp.

    In all dimensions, as torch copies an image whose sides all stay, where it would resample a line of it.
    """
    ramp = torch.arange(sides_in[axis], dtype=torch.float64)
    image = ramp.reshape(1, 1, *(-1 if i == axis else 1 for i in range(len(sides_in)))).expand(1, 1, *sides_in)
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
    grid = ", ".join(map(str, sides_in))
    return Finding(
        "depends",
        f"the features after it hold {by(sides_in)} pixels, which the group moves",
        f"Type the layer after it with rep.tensor(G.grid({grid})), or average over the pixels first.",
    )
