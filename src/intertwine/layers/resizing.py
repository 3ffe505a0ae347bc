"""Interpolation, padding, pixels moved into channels and back, and flattened images."""

from typing import Any

from torch import nn

from intertwine.layers.grid.finding import Finding, Sides, other_output
from intertwine.layers.grid.rearranged import Flattened, Padded, Shuffled
from intertwine.layers.grid.resized import Resized
from intertwine.layers.rule import LayerRule


def upsampling(module: Any, sides_in: Sides, sides_out: Sides) -> Resized:
    """Interpolation, up or down."""
    return Resized(sides_in, sides_out, module.forward, module.mode)  # forward: the hooks are not ours


def padding(module: Any, sides_in: Sides, sides_out: Sides) -> Padded | Finding:
    """Padding layers, whatever they pad with."""
    pads = module.padding  # the last axis first
    ends = tuple((pads[2 * i], pads[2 * i + 1]) for i in reversed(range(len(sides_in))))
    stated = tuple(n + before + after for n, (before, after) in zip(sides_in, ends, strict=True))
    if sides_out != stated:
        return other_output(sides_out, stated)
    return Padded(sides_in, sides_out, ends, isinstance(module, _CIRCULAR))


def pixel_shuffle(module: Any, sides_in: Sides, sides_out: Sides) -> Shuffled:
    """Channels made into pixels."""
    return Shuffled(sides_in, sides_out, module.upscale_factor, inverse=False)


def pixel_unshuffle(module: Any, sides_in: Sides, sides_out: Sides) -> Shuffled:
    """Pixels made into channels."""
    return Shuffled(sides_in, sides_out, module.downscale_factor, inverse=True)


def flatten(module: Any, sides_in: Sides, sides_out: Sides) -> Flattened:
    """Pixels and channels made into one axis."""
    return Flattened(sides_in, sides_out)


def _padding(kind: str) -> tuple[type[nn.Module], ...]:
    return tuple(getattr(nn, f"{kind}Pad{dim}d") for dim in (1, 2, 3))


_CIRCULAR = _padding("Circular")
_ALIKE = "every channel alike: it keeps every type, and iw.geometry judges what it does to pixels"
_PADDING = LayerRule(grid=padding, alike=True, note=_ALIKE)
RESIZING: dict[type[nn.Module], LayerRule] = {
    nn.Upsample: LayerRule(grid=upsampling, alike=True, note=_ALIKE),
    **{kind: _PADDING for name in ("Zero", "Reflection", "Replication", "Circular") for kind in _padding(name)},
    **dict.fromkeys(_padding("Constant"), LayerRule(grid=padding)),
    nn.PixelShuffle: LayerRule(grid=pixel_shuffle),
    nn.PixelUnshuffle: LayerRule(grid=pixel_unshuffle),
    nn.Flatten: LayerRule(grid=flatten),
}
