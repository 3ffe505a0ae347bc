"""A call repeated on other arguments."""

from collections.abc import Callable
from typing import Any

import torch

from intertwine.tracing.calls import TypedCall, leaves
from intertwine.tracing.models.value_trees import children, rebuilt


def again(typed: TypedCall, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a call gives on other arguments."""
    try:
        other = function(*args, **kwargs)
    except RuntimeError:  # a view of moved arguments that lie otherwise in memory
        args, kwargs = replaced((args, kwargs), lambda tensor: tensor.contiguous())
        other = function(*args, **kwargs)
    return args[0] if typed.mutates and typed.place.function == "setitem" else other


def replaced(value: Any, function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Arguments with ``function`` of every tensor in them."""
    if isinstance(value, torch.Tensor):
        return function(value)
    parts = children(value)
    if parts is None or not leaves(value):
        return value
    return rebuilt(value, {key: replaced(part, function) for key, part in parts.items()})
