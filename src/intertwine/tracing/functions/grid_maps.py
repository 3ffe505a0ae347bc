"""What a call of a torch function does to the pixels: what the layer with the settings of this call does."""

from collections.abc import Callable, Mapping
from functools import partial
from types import SimpleNamespace
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from intertwine.layers import convolutions, pooling
from intertwine.layers.grid.finding import Finding, Sides
from intertwine.layers.grid.grid_map import GridMap
from intertwine.layers.grid.rearranged import Padded
from intertwine.layers.grid.resized import Resized
from intertwine.layers.grid.settings import per_axis
from intertwine.layers.grid.windows import convolution_windows, same_ends

Said = GridMap | Finding | None
_CONVOLUTION = ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
_TRANSPOSED = ("input", "weight", "bias", "stride", "padding", "output_padding", "groups", "dilation")
_MAXIMUM = ("input", "kernel_size", "stride", "padding", "dilation", "ceil_mode", "return_indices")
_AVERAGE = ("input", "kernel_size", "stride", "padding", "ceil_mode", "count_include_pad", "divisor_override")
_INTERPOLATE = ("input", "size", "scale_factor", "mode", "align_corners", "recompute_scale_factor", "antialias")


def grid_map(name: str, args: tuple[Any, ...], kwargs: Mapping[str, Any], out: torch.Tensor, dim: int) -> Said:
    """What ``out = name(*args, **kwargs)`` does to ``dim`` axes of pixels; None where that is not known.

    Args:
        name: the function, as ``function_name`` gives it.
        args: its arguments, an image (batch, channels, *pixels) first.
        kwargs: likewise.
        out: what it gave.
        dim: how many axes of pixels the group moves.

    Examples:
        >>> from intertwine.layers.grid.axis_moves import AxisMove
        >>> x = torch.zeros(1, 1, 9, 9)
        >>> out = F.avg_pool2d(x, 2, ceil_mode=True)
        >>> grid_map("avg_pool2d", (x, 2), {"ceil_mode": True}, out, 2).turned([AxisMove(0, 0, -1)]).verdict
        'breaks'
    """
    stated = next((digit for digit in name if digit in "123"), "")
    known = _KNOWN.get(name[: name.find(stated)] if stated else name)
    if known is None or (stated and int(stated) != dim):
        return None
    names, said_of = known
    said: dict[str, Any] = {**dict(zip(names, args, strict=False)), **kwargs}
    x = said.get("input", args[0] if args else None)
    if not isinstance(x, torch.Tensor) or min(x.ndim, out.ndim) < dim + 1:
        return None
    return said_of(name, said, tuple(x.shape[-dim:]), tuple(out.shape[-dim:]))


def _convolution(name: str, said: Mapping[str, Any], sides_in: Sides, sides_out: Sides) -> Said:
    dim = len(sides_in)
    kernel = tuple(said["weight"].shape[2:])
    stride, dilation, padding = said.get("stride", 1), said.get("dilation", 1), said.get("padding", 0)
    same = isinstance(padding, str)
    if same:
        padding = same_ends(kernel, per_axis(dilation, dim), padding)
    return convolution_windows(sides_in, sides_out, kernel, stride, dilation, padding, same=same)


def _transposed(name: str, said: Mapping[str, Any], sides_in: Sides, sides_out: Sides) -> Said:
    dim = len(sides_in)
    settings = {"stride": 1, "padding": 0, "dilation": 1}
    layer = SimpleNamespace(
        kernel_size=tuple(said["weight"].shape[2:]),
        transposed=True,
        **{key: per_axis(said.get(key, default), dim) for key, default in settings.items()},
    )
    return convolutions.windows(layer, sides_in, sides_out)


def _pooling(name: str, said: Mapping[str, Any], sides_in: Sides, sides_out: Sides) -> Said:
    kind = getattr(nn, {"m": "MaxPool", "a": "AvgPool"}[name[0]] + f"{len(sides_in)}d")
    left_out = ("input", "return_indices", *(() if hasattr(kind(1), "divisor_override") else ("divisor_override",)))
    settings = {key: value for key, value in said.items() if key not in left_out}
    settings["stride"] = settings.get("stride") or None  # torch takes () for the kernel's side
    return pooling.windows(kind(**settings), sides_in, sides_out)


def _resized(name: str, said: Mapping[str, Any], sides_in: Sides, sides_out: Sides) -> Said:
    settings = {key: value for key, value in said.items() if key != "input"}
    forward: Callable[[torch.Tensor], Any] = partial(F.interpolate, **settings)
    return Resized(sides_in, sides_out, forward, str(settings.get("mode", "nearest")))


def _padded(name: str, said: Mapping[str, Any], sides_in: Sides, sides_out: Sides) -> Said:
    dim = len(sides_in)
    pads = [*said["pad"], *(0,) * (2 * dim)][: 2 * dim]  # the last axis first
    ends = tuple((int(pads[2 * i]), int(pads[2 * i + 1])) for i in reversed(range(dim)))
    return Padded(sides_in, sides_out, ends, said.get("mode") == "circular")


_KNOWN: dict[str, tuple[tuple[str, ...], Callable[[str, Mapping[str, Any], Sides, Sides], Said]]] = {
    "conv": (_CONVOLUTION, _convolution),
    "conv_transpose": (_TRANSPOSED, _transposed),
    "max_pool": (_MAXIMUM, _pooling),
    "avg_pool": (_AVERAGE, _pooling),
    "interpolate": (_INTERPOLATE, _resized),
    "pad": (("input", "pad", "mode", "value"), _padded),
}
