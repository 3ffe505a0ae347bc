"""Convolutions, plain, grouped, depthwise and transposed."""

from typing import Any

import torch

from intertwine._arguments import plain_array
from intertwine.errors import ArgumentError
from intertwine.layers.channels.chunks import whole_field_chunks
from intertwine.layers.channels.grouped import channel_pairs
from intertwine.layers.channels.output_fields import OutputFields
from intertwine.layers.rule import Slot, Typing
from intertwine.projectors import Projector
from intertwine.projectors.kernels.kernel import pixel_representation, space_representation
from intertwine.representations import Representation


def convolution(module: Any, typing: Typing) -> tuple[Slot, ...]:
    """``y = K * x + b`` with K (out, in / groups, *k), or (in, out / groups, *k) where it is transposed.

    Both obey ``K(g x) = rho_out(g) K(x) rho_in(g)^-1``: what a transposed convolution spreads and what a plain one
    gathers differ by the order of the axes alone. Stride, dilation and padding do not enter.
    """
    typing.check_options(("space", "kernel_basis", "rings", "over"), module)
    rep_in, rep_out = typing.rep_in, typing.rep_out
    typing.check_width("rep_in", rep_in, module.in_channels, "in_channels")
    typing.check_width("rep_out", rep_out, module.out_channels, "out_channels")
    transposed, groups = bool(module.transposed), int(module.groups)
    rows, columns = (rep_in.dual(), rep_out) if transposed else (rep_out, rep_in.dual())
    output = OutputFields(rep_out, axis=1, groups=groups) if transposed else OutputFields(rep_out)
    kernel = tuple(int(n) for n in module.kernel_size)
    if typing.over is not None and any(side != 1 for side in kernel):
        raise ArgumentError(
            f"{typing.argument}.over",
            expected="kernel sides of 1, as the layer must treat all components of over alike",
            got=f"a kernel {' x '.join(map(str, kernel))}",
        )
    P = _projector(typing, rows, columns, kernel, groups, transposed=transposed)
    # A kernel of one pixel stays where it is, however the group moves space.
    moves = max(kernel) > 1
    space = space_representation(rep_in.group, kernel, typing.representation("space", None)) if moves else None
    weight = Slot("weight", P, "weight", output, space)
    return (weight,) if module.bias is None else (weight, typing.vector("bias", rep_out))


def _projector(
    typing: Typing,
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
    space, options = typing.representation("space", None), typing.options
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
                basis = _inputs_first(basis, typing.argument)
            return typing.projectors.kernel(typing.argument, (rows, chunks[0]), kernel, space, basis, options.rings)
        other = next(chunk for chunk in chunks if chunk != chunks[0])
        reason = f"groups of channels carry different representations, {chunks[0]} and {other}"
    pairs, why_not = channel_pairs(rows, columns, groups)
    if pairs is None:
        raise _refused(typing, groups, f"{reason or row_reason}, and {why_not}")
    if options.kernel_basis is not None or options.rings is not None:
        raise _refused(typing, groups, f"{reason or row_reason}, so that no steerable kernel fits a group")
    points = space_representation(rows.group, kernel, space)
    pixels, why_not = pixel_representation(rows.group, kernel, points)
    if pixels is None:
        raise _refused(typing, groups, f"{reason or row_reason}, and {why_not}")
    shape = (rows.dim, columns.dim // groups, *kernel)
    return typing.projectors.tensor(typing.argument, (pairs, pixels), shape)


def _inputs_first(basis: object, argument: str) -> object:
    """A basis (n, d_out, d_in, *kernel) with inputs first."""
    array = basis if isinstance(basis, torch.Tensor) else plain_array(argument, basis, "shape (n, out, in, *kernel)")
    return array.swapaxes(1, 2) if array.ndim > 2 else array


def _refused(typing: Typing, groups: int, reason: str) -> ArgumentError:
    return ArgumentError(
        typing.argument,
        expected=f"representations that fit {groups} groups: equal whole fields in each group of channels, or "
        "permutations (up to signs) that take groups onto groups, inputs and outputs alike",
        got=reason,
        advice="Choose other fields or another number of groups, or type the weight by its name with a Projector.",
    )
