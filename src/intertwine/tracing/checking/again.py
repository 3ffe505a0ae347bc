"""A call repeated on other arguments."""

from collections.abc import Callable
from typing import Any

from intertwine.tracing.calls import TypedCall
from intertwine.tracing.models.value_trees import replaced


def again(typed: TypedCall, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a call gives on other arguments."""
    try:
        other = function(*args, **kwargs)
    except RuntimeError:  # a view of moved arguments that lie otherwise in memory
        args, kwargs = replaced((args, kwargs), lambda tensor: tensor.contiguous())
        other = function(*args, **kwargs)
    return args[0] if typed.mutates and typed.place.function == "setitem" else other
