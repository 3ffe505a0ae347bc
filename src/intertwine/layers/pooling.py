"""Poolings: what their windows do to a grid, and what a largest value does to channels."""

from typing import Any

from torch import nn
from torch.nn.modules import pooling

from intertwine.layers.channels.fits import largest
from intertwine.layers.grid import axis_incidence
from intertwine.layers.grid.axis_incidence import Incidence, Window
from intertwine.layers.grid.finding import Finding, Sides, other_output
from intertwine.layers.grid.resized import Adaptive
from intertwine.layers.grid.settings import per_axis
from intertwine.layers.grid.windows import Windows
from intertwine.layers.rule import LayerRule


def windows(module: Any, sides_in: Sides, sides_out: Sides) -> Windows | Finding:
    """Maximum, average and power-average pooling, as their settings say; or that they do more than these say."""
    dim = len(sides_in)
    kernel = per_axis(module.kernel_size, dim)
    stride = kernel if module.stride is None else per_axis(module.stride, dim)
    dilation, padding = per_axis(getattr(module, "dilation", 1), dim), per_axis(getattr(module, "padding", 0), dim)
    axes = tuple(Window(k, s, d, p, p) for k, s, d, p in zip(kernel, stride, dilation, padding, strict=True))
    ceil = bool(getattr(module, "ceil_mode", False))
    stated = tuple(window.outputs(n, ceil=ceil) for window, n in zip(axes, sides_in, strict=True))
    if sides_out != stated:
        return other_output(sides_out, stated)
    divisor = "none"
    if not isinstance(module, pooling._MaxPoolNd) and getattr(module, "divisor_override", None) is None:
        divisor = "padded" if getattr(module, "count_include_pad", True) else "inside"

    def along(axis: int, n: int) -> Incidence:
        return axis_incidence.pooling(axes[axis], n, axes[axis].outputs(n, ceil=ceil), divisor)

    return Windows(sides_in, sides_out, axes, along)


def adaptive(module: Any, sides_in: Sides, sides_out: Sides) -> Adaptive | Finding:
    """Pooling to a given size."""
    size = module.output_size if isinstance(module.output_size, tuple | list) else (module.output_size,) * len(sides_in)

    def outputs(axis: int, n: int) -> int:
        return n if size[axis] is None else int(size[axis])

    stated = tuple(outputs(axis, n) for axis, n in enumerate(sides_in))
    if sides_out != stated:
        return other_output(sides_out, stated)
    return Adaptive(sides_in, sides_out, module.forward, outputs)  # forward: the hooks are not ours


_AVERAGE = "every channel alike: it keeps every type, and iw.geometry judges its windows"
_LARGEST = "the largest of each channel: equivariant where the group permutes them"
POOLINGS: dict[type[nn.Module], LayerRule] = {
    pooling._MaxPoolNd: LayerRule(grid=windows, fits=largest, note=_LARGEST),
    pooling._AvgPoolNd: LayerRule(grid=windows, alike=True, note=_AVERAGE),
    pooling._LPPoolNd: LayerRule(grid=windows),
    pooling._AdaptiveMaxPoolNd: LayerRule(grid=adaptive, fits=largest, note=_LARGEST),
    pooling._AdaptiveAvgPoolNd: LayerRule(grid=adaptive, alike=True, note=_AVERAGE),
}
