"""Which layer a function of pixels is, and the names of what it is called with."""

from collections.abc import Callable
from typing import Any

from torch import nn

_POOLING = ("kernel_size", "stride", "padding")
# What a function is called with by position, behind its input.
PARAMETERS: dict[str, tuple[str, ...]] = {
    "pad": ("pad", "mode", "value"),
    "roll": ("shifts", "dims"),
    "interpolate": ("size", "scale_factor", "mode", "align_corners", "recompute_scale_factor", "antialias"),
    "pixel_shuffle": ("upscale_factor",),
    "pixel_unshuffle": ("downscale_factor",),
    **{f"conv{d}d": ("weight", "bias", "stride", "padding", "dilation", "groups") for d in (1, 2, 3)},
    **{f"max_pool{d}d": (*_POOLING, "dilation", "ceil_mode", "return_indices") for d in (1, 2, 3)},
    **{f"avg_pool{d}d": (*_POOLING, "ceil_mode", "count_include_pad", "divisor_override") for d in (1, 2, 3)},
    **{f"adaptive_{kind}_pool{d}d": ("output_size",) for kind in ("avg", "max") for d in (1, 2, 3)},
}


def _made(kind: Callable[..., nn.Module], names: tuple[str, ...]) -> Callable[[dict[str, Any]], nn.Module]:
    """The layer that a function is: its arguments are the layer's settings."""
    return lambda rest: kind(**{name: rest[name] for name in names if name in rest})


# Functions that are judged as the layers of the same name.
LAYERS: dict[str, Callable[[dict[str, Any]], nn.Module]] = {
    "pixel_shuffle": _made(nn.PixelShuffle, PARAMETERS["pixel_shuffle"]),
    "pixel_unshuffle": _made(nn.PixelUnshuffle, PARAMETERS["pixel_unshuffle"]),
    **{f"max_pool{d}d": _made(getattr(nn, f"MaxPool{d}d"), (*_POOLING, "dilation", "ceil_mode")) for d in (1, 2, 3)},
    "avg_pool1d": _made(nn.AvgPool1d, PARAMETERS["avg_pool1d"][:5]),
    **{f"avg_pool{d}d": _made(getattr(nn, f"AvgPool{d}d"), PARAMETERS[f"avg_pool{d}d"]) for d in (2, 3)},
    **{
        f"adaptive_{kind}_pool{d}d": _made(getattr(nn, f"Adaptive{kind.title()}Pool{d}d"), ("output_size",))
        for kind in ("avg", "max")
        for d in (1, 2, 3)
    },
}
# Functions with a judge of their own; others are run on moved images.
KNOWN = frozenset(PARAMETERS)
