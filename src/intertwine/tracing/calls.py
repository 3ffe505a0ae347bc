"""One typed call of a run: the function, the types of its arguments and of what it gave."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from intertwine.tracing.axes import resolved
from intertwine.tracing.context import TensorType
from intertwine.tracing.models.value_trees import tensors
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


def axes_text(kind: TensorType) -> str:
    """``"(2, [8xregular], y:32, x:32)"``."""
    return f"({', '.join(str(resolved(axis)) for axis in kind.axes)})"
