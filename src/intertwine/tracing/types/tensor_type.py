"""The type of a tensor, and how a run used a parameter."""

from dataclasses import dataclass

from intertwine.tracing.axes import Axis
from intertwine.tracing.normal_form import resolved


@dataclass
class TensorType:
    """The type of one tensor.

    Attributes:
        axes: one a dimension.
        dynamic: whether it depends on the model's input.
        parameters: of a constant, the parameters that it was made from by functions that have a rule.
        piece: whether the group exchanges it with other tensors, so that it has no image of its own.
    """

    axes: list[Axis]
    dynamic: bool
    parameters: tuple[str, ...] = ()
    piece: bool = False

    def __str__(self) -> str:
        return f"({', '.join(str(resolved(axis)) for axis in self.axes)})"


@dataclass
class ParameterUse:
    """How a run used one parameter or buffer.

    Attributes:
        type: its axes.
        diagonal: whether it multiplied features entry by entry.
        output: the axis of its outputs, where it is a weight.
        statistic: whether it is a running statistic of a norm layer, which is projected though it is no parameter.
        pairs: whether its last axis is (Re, Im).
        is_complex: whether it holds complex numbers.
    """

    type: TensorType
    diagonal: bool = False
    output: int | None = None
    statistic: bool = False
    pairs: bool = False
    is_complex: bool = False
