"""Why a call breaks the symmetry, and what to do about it."""

from typing import Any

import torch

from intertwine.layers.grid.axis_moves import axis_moves
from intertwine.layers.grid.finding import Finding
from intertwine.layers.grid.settings import per_axis
from intertwine.layers.grid.windows import convolution_windows, same_ends
from intertwine.representations import Representation
from intertwine.tracing.axes import Axis, Carried, Nested
from intertwine.tracing.calls import TypedCall, leaves
from intertwine.tracing.functions import combine, pointwise

MIXED = frozenset((*pointwise.PERMUTED, *combine.ENTRYWISE))


def reason_of(typed: TypedCall, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any, space: Any) -> str:
    """One sentence with the cause and the remedy, where they are known; empty otherwise."""
    if typed.reason:
        return typed.reason
    name = typed.place.function
    found = _geometry(name, args, kwargs, out, space)
    if found is not None and found.verdict == "breaks":
        return f"{found.reason}. {found.advice}"
    mixed = [rep for kind in typed.inputs if kind.dynamic for axis in kind.axes for rep in mixed_fields(axis)]
    if mixed and name in MIXED:
        what = f"a function of each entry by itself, on {mixed[0]}, which the group does not permute"
        return f"{what}. Gate these features by invariants (iw.nn.Gate), or type them as permuted or trivial"
    if name == "roll":
        return "pixels are shifted one way, which the group turns into another; by half of an even window it keeps"
    constants = [kind for kind in typed.inputs if not kind.dynamic and not kind.parameters and kind.axes]
    if constants and name in (*combine.ADD, *combine.MULTIPLY, *combine.DIVIDE, *combine.ENTRYWISE):
        return f"its constant {constants[0]} is not one that the group leaves as it is"
    return ""


def mixed_fields(axis: Axis) -> list[Representation]:
    """The representations on an axis that permute no features."""
    found: list[Representation] = []
    for term in axis.terms:
        for factor in term:
            if isinstance(factor, Carried) and not factor.rep.is_permutation:
                found.append(factor.rep)
            elif isinstance(factor, Nested):
                found += mixed_fields(factor.axis)
    return found


def _geometry(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any, space: Any) -> Finding | None:
    """What ``geometry`` says of a layer with the settings of this call."""
    x = args[0] if args and isinstance(args[0], torch.Tensor) else kwargs.get("input")
    results = leaves(out)
    if space is None or not isinstance(x, torch.Tensor) or not results:
        return None
    dim = space.dim
    sides_in, sides_out = (tuple(t.shape[-dim:]) for t in (x, results[0]))
    if name in ("conv1d", "conv2d", "conv3d"):
        weight = args[1] if len(args) > 1 else kwargs["weight"]
        said = {**dict(zip(("stride", "padding", "dilation"), args[3:], strict=False)), **kwargs}
        kernel = tuple(weight.shape[2:])
    elif name.startswith(("max_pool", "avg_pool")) and len(args) + len(kwargs) > 1:
        said = {**dict(zip(("kernel_size", "stride", "padding"), args[1:], strict=False)), **kwargs}
        kernel = said["kernel_size"]
        said["stride"] = said.get("stride") or kernel
    else:
        return None
    stride, dilation, padding = said.get("stride", 1), said.get("dilation", 1), said.get("padding", 0)
    same = isinstance(padding, str)
    if same:
        padding = same_ends(per_axis(kernel, dim), per_axis(dilation, dim), padding)
    found = convolution_windows(sides_in, sides_out, kernel, stride, dilation, padding, same=same)
    return found if isinstance(found, Finding) else found.turned(axis_moves(space))
