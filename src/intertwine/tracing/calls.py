"""One typed call of a run: the function, the types of its arguments and of what it gave."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from intertwine.tracing.axes import Axis
from intertwine.tracing.bindings import ConflictError
from intertwine.tracing.context import Context, TensorType
from intertwine.tracing.functions.rule import Rule
from intertwine.tracing.models.value_trees import children, tensors
from intertwine.tracing.record import Place


@dataclass
class TypedCall:
    """A call with its types.

    Attributes:
        place: function, module path and source line.
        inputs: types of its tensor arguments, in order, as they were before the call.
        outputs: types of the tensors that it gave.
        rule: ``"rule"``, ``"constant"``, or ``"proposal"`` where no rule is known or the rule failed.
        reason: why there is a proposal only.
        mutates: whether it writes into its first argument.
        parameters: names of the parameters among its arguments.
    """

    place: Place
    inputs: list[TensorType]
    outputs: list[TensorType]
    rule: str
    reason: str = ""
    mutates: bool = False
    parameters: tuple[str, ...] = ()
    shapes: list[tuple[int, ...]] = field(default_factory=list)

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
    return list(tensors(values))


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
