"""One typed call of a run: the function, the types of its arguments and of what it gave."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from intertwine.tracing.axes import Axis
from intertwine.tracing.bindings import ConflictError
from intertwine.tracing.context import Context, TensorType
from intertwine.tracing.functions.rule import Rule
from intertwine.tracing.models.value_trees import children, tensors
from intertwine.tracing.normal_form import exact, resolved
from intertwine.tracing.record import Place

# What takes of the others only the shape, dtype or device.
OF_THE_FIRST = frozenset(["type_as", "expand_as", "view_as", "reshape_as", "to"])


@dataclass
class TypedCall:
    """A call with its types.

    Attributes:
        place: function, module path and source line.
        inputs: types of its tensor arguments, in order, as they were before the call.
        outputs: types of the tensors that it gave.
        rule: ``"rule"``, ``"constant"``, ``"found"`` where there is no rule but its type was found by values, or
            ``"proposal"`` where it was not, or the rule failed.
        reason: why there is a proposal only.
        mutates: whether it writes into its first argument.
        parameters: names of the parameters among its arguments.
        memory: where each of its tensor arguments lies, so that writes through a view are seen.
        written: where the tensors lie that it gave.
        how: in what way its type was found.
        reaching: for each output whether the model's output depends on its values.
    """

    place: Place
    inputs: list[TensorType]
    outputs: list[TensorType]
    rule: str
    reason: str = ""
    mutates: bool = False
    parameters: tuple[str, ...] = ()
    shapes: list[tuple[int, ...]] = field(default_factory=list)
    memory: tuple[int, ...] = ()
    written: tuple[int, ...] = ()
    how: str = ""
    reaching: tuple[bool, ...] = ()

    @property
    def dynamic(self) -> bool:
        """Whether it depends on the model's input."""
        return any(kind.dynamic for kind in self.outputs)

    def __str__(self) -> str:
        ins, outs = (", ".join(map(str, kinds)) for kinds in (self.inputs, self.outputs))
        return f"{self.place}: {ins} -> {outs}"


def writes(function: Callable[..., Any], name: str, args: Sequence[Any], kwargs: dict[str, Any]) -> bool:
    """Whether a call writes into its first argument: ``add_``, ``x[i] = y``, ``relu(x, inplace=True)``."""
    if name in ("setitem", "__set__") or (name.endswith("_") and not name.endswith("__")):
        return True
    return bool(kwargs.get("inplace")) or isinstance(kwargs.get("out"), torch.Tensor)


def leaves(*values: Any) -> list[torch.Tensor]:
    """Every tensor among arguments, in order."""
    return tensors(values)


def kind_shape(kind: TensorType) -> tuple[int, ...]:
    """The shape of a tensor of this type."""
    return tuple(axis.size for axis in kind.axes)


def checked_axes(
    rule: Rule, context: Context, out: Any, args: tuple[Any, ...], kwargs: dict[str, Any], typed: TypedCall
) -> Any:
    """What a rule gives, if it fits the shapes of the result; why not is kept with the call.

    Raises:
        ConflictError: it does not fit, or asks for what cannot be.
    """
    try:
        # ``out=`` of the function is what it wrote into, hence the result.
        axes = rule(context, out, *args, **{name: value for name, value in kwargs.items() if name != "out"})
    except ConflictError as conflict:
        where = f", from {'; '.join(conflict.origins[:2])}" if conflict.origins else ""
        typed.reason = f"{conflict}{where}"
        raise
    for tensor, own in zip(leaves(out), flat_axes(axes), strict=False):
        if own is not None and [axis.size for axis in own] != list(tensor.shape):
            sizes = [axis.size for axis in own]
            typed.reason = (
                f"the rule for {typed.place.function} gives lengths {sizes}, the result has {tuple(tensor.shape)}"
            )
            raise ConflictError(typed.reason)
    return axes


def flat_axes(axes: Any) -> list[Any]:
    """The axes of each output tensor: a rule gives a list of Axis for one, nested lists for several."""
    if isinstance(axes, list) and (not axes or isinstance(axes[0], Axis)):
        return [axes]
    found: list[Any] = []
    for part in (children(axes) or {}).values():
        if part is not None:
            found += flat_axes(part)
    return found


def mark_reaching(calls: Sequence[TypedCall], read: Iterable[TensorType]) -> None:
    """Sets ``reaching`` of every call: whether the values of each tensor that it gave are used.

    A tensor of which only the shape is taken (``x[:, :, -1].shape``), and indices of a maximum that nobody reads, are
    nobody's values. Tensors are told apart by their types, of which each has its own; what is written into memory
    counts if that memory is read later, under whatever name.

    Args:
        calls: in the order of the run.
        read: types of the model's outputs, and of tensors that Python took values from, as in ``if x.max() > 0``.
    """
    kinds = {id(kind) for kind in read}
    memory: set[int] = set()
    for call in reversed(calls):
        written = call.mutates and bool(memory.intersection(call.written))
        call.reaching = tuple(written or id(kind) in kinds for kind in call.outputs)
        if any(call.reaching):
            of = 1 if call.place.function in OF_THE_FIRST else None
            kinds.update(id(kind) for kind in call.inputs[:of])
            memory.update(call.memory[:of])


def memory_of(tensor: torch.Tensor) -> int:
    """Where a tensor's numbers lie, the same for all views of them; 0 where that is unknown."""
    try:
        return tensor.untyped_storage().data_ptr()
    except (NotImplementedError, RuntimeError):
        return 0


def settle(calls: Sequence[TypedCall]) -> None:
    """Replace unknowns by what they were found to be, once for all; axes that are exactly alike become one object."""
    done: set[int] = set()
    whole: dict[int, tuple[Axis, Axis]] = {}
    kept: dict[Hashable, Axis] = {}

    def settled(axis: Axis) -> Axis:
        if id(axis) not in whole:
            new = resolved(axis)
            whole[id(axis)] = axis, kept.setdefault(exact(new), new)
        return whole[id(axis)][1]

    for call in calls:
        for kind in (*call.inputs, *call.outputs):
            if id(kind) not in done:
                done.add(id(kind))
                kind.axes = [settled(axis) for axis in kind.axes]
