"""Convolutions, plain, grouped, depthwise and transposed: their kernels and their windows."""

from typing import Any

import torch
from torch import nn

from intertwine._arguments import plain_array
from intertwine.errors import ArgumentError
from intertwine.layers.channels.chunks import whole_field_chunks
from intertwine.layers.channels.grouped import channel_pairs
from intertwine.layers.channels.output_fields import OutputFields
from intertwine.layers.grid import axis_incidence
from intertwine.layers.grid.axis_incidence import Incidence, Window
from intertwine.layers.grid.finding import Finding, Sides, other_output
from intertwine.layers.grid.windows import Windows, convolution_windows, same_ends
from intertwine.layers.layer_type import LayerType, Slot
from intertwine.layers.rule import LayerRule
from intertwine.projectors import Projector
from intertwine.projectors.kernels.kernel import pixel_representation, space_representation
from intertwine.representations import Representation


def parameters(module: Any, layer_type: LayerType) -> tuple[Slot, ...]:
    """``y = K * x + b`` with K (out, in / groups, *k), or (in, out / groups, *k) where it is transposed.

    Both obey ``K(g x) = rho_out(g) K(x) rho_in(g)^-1``: what a transposed convolution spreads and what a plain one
    gathers differ by the order of the axes alone. Stride, dilation and padding do not enter.
    """
    layer_type.check_options(("space", "kernel_basis", "rings", "over"), module)
    rep_in, rep_out = layer_type.rep_in, layer_type.rep_out
    layer_type.check_width("rep_in", rep_in, module.in_channels, "in_channels")
    layer_type.check_width("rep_out", rep_out, module.out_channels, "out_channels")
    transposed, groups = bool(module.transposed), int(module.groups)
    rows, columns = (rep_in.dual(), rep_out) if transposed else (rep_out, rep_in.dual())
    output = OutputFields(rep_out, axis=1, groups=groups) if transposed else OutputFields(rep_out)
    kernel = tuple(int(n) for n in module.kernel_size)
    if layer_type.over is not None and any(side != 1 for side in kernel):
        raise ArgumentError(
            f"{layer_type.argument}.over",
            expected="kernel sides of 1, as the layer must treat all components of over alike",
            got=f"a kernel {' x '.join(map(str, kernel))}",
        )
    P = _projector(layer_type, rows, columns, kernel, groups, transposed=transposed)
    # A kernel of one pixel stays where it is, however the group moves space.
    moves = max(kernel) > 1
    space = space_representation(rep_in.group, kernel, layer_type.representation("space", None)) if moves else None
    weight = Slot("weight", P, "weight", output, space)
    return (weight,) if module.bias is None else (weight, layer_type.vector("bias", rep_out))


def _projector(
    layer_type: LayerType,
    rows: Representation,
    columns: Representation,
    kernel: tuple[int, ...],
    groups: int,
    *,
    transposed: bool,
) -> Projector:
    """P of a kernel (rows, columns / groups, *kernel).

    Where every group's columns carry the same representation, in whole fields, and every group's rows hold whole
    fields, nothing but the width of the axis is new. Otherwise the group may move groups of channels about.
    """
    space, options = layer_type.representation("space", None), layer_type.options
    if all(side == 1 for side in kernel) and options.kernel_basis is None and options.rings is None:
        # One pixel stays where it is however space turns, on flattened grids too, whose points the group permutes.
        if space is not None:
            space_representation(rows.group, kernel, space)
        space = len(kernel) * rows.group.trivial()
    chunks, reason = whole_field_chunks(columns, groups)
    row_chunks, row_reason = whole_field_chunks(rows, groups)
    if chunks is not None and row_chunks is not None:
        if all(chunk == chunks[0] for chunk in chunks):
            basis = options.kernel_basis
            if basis is not None and transposed:
                basis = _inputs_first(basis, layer_type.argument)
            return layer_type.projectors.kernel(
                layer_type.argument, (rows, chunks[0]), kernel, space, basis, options.rings
            )
        other = next(chunk for chunk in chunks if chunk != chunks[0])
        reason = f"groups of channels carry different representations, {chunks[0]} and {other}"
    pairs, why_not = channel_pairs(rows, columns, groups)
    if pairs is None:
        raise _refused(layer_type, groups, f"{reason or row_reason}, and {why_not}")
    if options.kernel_basis is not None or options.rings is not None:
        raise _refused(layer_type, groups, f"{reason or row_reason}, so that no steerable kernel fits a group")
    points = space_representation(rows.group, kernel, space)
    pixels, why_not = pixel_representation(rows.group, kernel, points)
    if pixels is None:
        raise _refused(layer_type, groups, f"{reason or row_reason}, and {why_not}")
    shape = (rows.dim, columns.dim // groups, *kernel)
    return layer_type.projectors.tensor(layer_type.argument, (pairs, pixels), shape)


def _inputs_first(basis: object, argument: str) -> object:
    """A basis (n, d_out, d_in, *kernel) with inputs first."""
    array = basis if isinstance(basis, torch.Tensor) else plain_array(argument, basis, "shape (n, out, in, *kernel)")
    return array.swapaxes(1, 2) if array.ndim > 2 else array


def _refused(layer_type: LayerType, groups: int, reason: str) -> ArgumentError:
    return ArgumentError(
        layer_type.argument,
        expected=f"representations that fit {groups} groups: equal whole fields in each group of channels, or "
        "permutations (up to signs) that take groups onto groups, inputs and outputs alike",
        got=reason,
        advice="Choose other fields or another number of groups, or type the weight by its name with a Projector.",
    )


def windows(module: Any, sides_in: Sides, sides_out: Sides) -> Windows | Finding:
    """The windows of a convolution, of any stride, dilation and padding; or that it does more than its settings say."""
    if module.transposed:
        return _transposed_windows(module, sides_in, sides_out)
    return convolution_windows(
        sides_in,
        sides_out,
        module.kernel_size,
        module.stride,
        module.dilation,
        _ends(module),
        padding_mode=module.padding_mode,
        same=isinstance(module.padding, str),
    )


def _transposed_windows(module: Any, sides_in: Sides, sides_out: Sides) -> Windows | Finding:
    settings = zip(module.kernel_size, module.stride, module.dilation, module.padding, strict=True)
    axes = tuple(Window(k, s, d, p, p) for k, s, d, p in settings)
    full = tuple(window.spread(n) for window, n in zip(axes, sides_in, strict=True))
    extra = tuple(m - n for m, n in zip(sides_out, full, strict=False))
    if len(extra) != len(full) or any(
        not 0 <= more < max(window.stride, window.dilation) for more, window in zip(extra, axes, strict=True)
    ):
        return other_output(sides_out, full)

    def along(axis: int, n: int) -> Incidence:
        return axis_incidence.transposed_convolution(axes[axis], n, axes[axis].spread(n) + extra[axis])

    return Windows(sides_in, sides_out, axes, along, "zeros", extra=extra)


def _ends(module: Any) -> tuple[Any, ...]:
    """Padding per axis; ``padding="same"`` pads the odd pixel after."""
    if not isinstance(module.padding, str):
        return tuple(module.padding)
    return same_ends(module.kernel_size, module.dilation, module.padding)


def is_convolution_like(module: nn.Module) -> bool:
    """Whether it holds the settings of a convolution: torch's quantised ones share no ancestor with ``nn.Conv2d``."""
    names = ("kernel_size", "stride", "dilation", "padding", "padding_mode", "transposed")
    return all(hasattr(module, name) for name in names) and isinstance(module.kernel_size, tuple)


CONVOLUTION = LayerRule(parameters, windows)
CONVOLUTIONS = dict.fromkeys(
    (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d), CONVOLUTION
)
