"""Tensors in tuples, lists, dictionaries, named tuples and dataclasses: their parts, and what is made of them."""

import copy
import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import torch

from intertwine.errors import listing, with_article

Path = tuple[int | str, ...]
# Most arguments of a call are of these types, and the tests for containers take longer than such a call.
_PLAIN = frozenset([type(None), bool, int, float, str, torch.dtype, torch.device, torch.Tensor, torch.nn.Parameter])


def children(value: object) -> dict[int | str, Any] | None:
    """The parts of a container by index or name; None for what is no container.

    Examples:
        >>> children((1, 2)), children({"a": 3}), children(4)
        ({0: 1, 1: 2}, {'a': 3}, None)
    """
    kind = type(value)
    if kind in _PLAIN:
        return None
    if kind is tuple or kind is list or isinstance(value, tuple | list):
        return dict(enumerate(value))  # type: ignore[arg-type]
    if isinstance(value, Mapping):
        return dict(value.items())
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return None


def child(value: object, key: int | str) -> Any:
    """One part: an entry, or a field of a named tuple or dataclass."""
    if isinstance(value, Mapping):
        return value[key]
    return value[key] if isinstance(value, tuple | list) and isinstance(key, int) else getattr(value, str(key))


def rebuilt(value: Any, parts: Mapping[int | str, Any]) -> Any:
    """A container of the kind of ``value`` with other parts, all of them."""
    if hasattr(value, "_replace") and any(isinstance(key, str) for key in parts):  # a named tuple, by names
        return value._replace(**{str(key): part for key, part in parts.items()})
    if isinstance(value, tuple | list):
        return type(value)._make(parts.values()) if hasattr(value, "_make") else type(value)(parts.values())
    if type(value) is dict:
        return dict(parts)
    new = copy.copy(value)
    for key, part in parts.items():
        if isinstance(value, Mapping):
            new[key] = part
        else:
            object.__setattr__(new, str(key), part)  # a frozen dataclass too
    return new


def mapped(value: object, function: Callable[[torch.Tensor], object]) -> Any:
    """``value`` with ``function`` of every tensor in it; containers are made anew, other things kept.

    Examples:
        >>> mapped({"a": (torch.ones(1), 3)}, lambda x: 2 * x)
        {'a': (tensor([2.]), 3)}
    """
    if isinstance(value, torch.Tensor):
        return function(value)
    parts = children(value)
    if parts is None:
        return value
    return rebuilt(value, {key: mapped(part, function) for key, part in parts.items()})


def replaced(value: object, function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """As ``mapped``, but containers in which nothing changes are kept as they are, as shapes are.

    Examples:
        >>> shape = torch.Size([2])
        >>> replaced((shape, torch.ones(1)), lambda x: 2 * x)[0] is shape
        True
    """
    if isinstance(value, torch.Tensor):
        return function(value)
    parts = children(value)
    if parts is None:
        return value
    others = {key: replaced(part, function) for key, part in parts.items()}
    return value if all(others[key] is part for key, part in parts.items()) else rebuilt(value, others)


def tensors(value: object) -> list[torch.Tensor]:
    """Every tensor in ``value``, in order.

    Examples:
        >>> tensors(((torch.ones(1), 2), {"a": [torch.zeros(1)]}))
        [tensor([1.]), tensor([0.])]
    """
    found: list[torch.Tensor] = []
    _collect(value, found)
    return found


def _collect(value: object, found: list[torch.Tensor]) -> None:
    # Every call of a run comes through here several times: what is no container is told by its type alone.
    kind = type(value)
    if kind is tuple or kind is list:
        for part in value:  # type: ignore[attr-defined]
            _collect(part, found)
    elif isinstance(value, torch.Tensor):
        found.append(value)
    elif kind not in _PLAIN:
        for part in (children(value) or {}).values():
            _collect(part, found)


def copied(value: object) -> Any:
    """``value`` with a copy of every tensor, outside any graph, asking for a gradient where the original does."""
    return mapped(value, lambda x: x.detach().clone().requires_grad_(x.requires_grad))


def path_text(path: Path) -> str:
    """``"[0]['a']"``."""
    return "".join(f"[{key!r}]" for key in path)


def described(value: object) -> str:
    """What ``value`` is, in a few words, for an error."""
    parts = children(value)
    if parts is None:
        if isinstance(value, torch.Tensor) and not value.is_nested:
            return f"a tensor of shape {tuple(value.shape)}"
        return type(value).__name__
    if isinstance(value, tuple | list):
        return f"{with_article(type(value).__name__)} of {len(parts)}"
    kind = "dictionary" if type(value) is dict else type(value).__name__
    return f"a {kind} with {listing(map(repr, parts))}"
