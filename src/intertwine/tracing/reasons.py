"""Why a call breaks the symmetry, and what to do about it."""

from typing import Any

from intertwine.errors import listing
from intertwine.layers.grid.axis_moves import axis_moves
from intertwine.layers.grid.finding import Finding
from intertwine.tracing.axes import Digit
from intertwine.tracing.calls import TypedCall, leaves
from intertwine.tracing.checking.vectors import LEARN, constant_text, vector_reason
from intertwine.tracing.context import TensorType
from intertwine.tracing.functions import combine
from intertwine.tracing.functions.grid_maps import grid_map
from intertwine.tracing.spectral.reasons import of_waves

JOINED = ("cat", "concat", "concatenate", "stack")
COMBINED = frozenset((*combine.ADD, *combine.MULTIPLY, *combine.DIVIDE, *combine.ENTRYWISE))


def reason_of(typed: TypedCall, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any, space: Any) -> str:
    """One sentence with the cause and the remedy, where they are known; empty otherwise."""
    of_vectors = vector_reason(typed)
    if typed.reason:
        return f"{typed.reason}; it {of_vectors}" if of_vectors.startswith("reads") else typed.reason
    name = typed.place.function
    found = _slices(args, typed.inputs[0]) if name == "getitem" else _geometry(name, args, kwargs, out, space)
    if found is not None and found.verdict == "breaks":
        return f"{found.reason}. {found.advice}"
    if of_vectors:
        return of_vectors
    if name == "roll":
        return "pixels are shifted one way, which the group turns into another; by half of an even window it keeps"
    if name.startswith("fft_i"):
        return of_waves(typed)
    return _constants(typed) if name in (*COMBINED, *JOINED) else ""


def _constants(typed: TypedCall) -> str:
    """What is combined with features and does not move with them."""
    constants = [kind for kind in typed.inputs if not kind.dynamic and kind.axes]
    made = [kind for kind in constants if kind.parameters and not typed.parameters]
    if made:
        what = f"its constant {made[0]}, made of {listing(made[0].parameters)} and of constants of the model,"
        return f"{what} is not one that the group leaves as it is, though these are equivariant. {LEARN}"
    if typed.place.function in JOINED and constants:
        return (
            f"its constant {constants[0]} is not one that the group leaves as it is, as coordinates of pixels are not: "
            "leave it out, or give coordinates from the centre as an input that carries vectors"
        )
    if constants:
        return constant_text(constants[0])
    return ""


def _geometry(name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any, space: Any) -> Finding | None:
    """What ``geometry`` says of a layer with the settings of this call."""
    results = leaves(out)
    if space is None or not results:
        return None
    found = grid_map(name, args, kwargs, results[0], space.dim)
    return found if found is None or isinstance(found, Finding) else found.turned(axis_moves(space))


def _slices(args: tuple[Any, ...], kind: TensorType) -> Finding | None:
    """Pixels read by ``x[..., ::2]``: those left out before the first and after the last must be as many."""
    index = args[1] if isinstance(args[1], tuple) else (args[1],)
    if not all(item is Ellipsis or isinstance(item, slice) for item in index):
        return None
    place = index.index(Ellipsis) if Ellipsis in index else len(index)
    after = index[place + 1 :]
    items = [*index[:place], *(slice(None),) * (len(kind.axes) - place - len(after)), *after]
    for item, axis in zip(items, kind.axes, strict=True):
        factor = axis.terms[0][0]
        read = range(axis.size)[item]
        if not isinstance(factor, Digit) or not read or read[0] + read[-1] == axis.size - 1:
            continue
        n, step = axis.size, abs(read.step)
        what = (
            f"axis {factor.coordinate}: leaves out {read[0]} pixels before and {n - 1 - read[-1]} after those it reads"
        )
        if step > 1 and read[0] == 0:
            rest = (n - 1) % step
            return Finding("breaks", what, f"Use {n - rest} or {n - rest + step} pixels in place of {n}, or pool them.")
        return Finding("breaks", what, "Leave out as many at both ends.")
    return None
