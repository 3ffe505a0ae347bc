"""Torch functions by name: the function, the method and the operator are one."""

from collections.abc import Callable
from typing import Any

# What hands values to Python, or to gradients that are read later.
READ = frozenset(["item", "tolist", "__bool__", "__int__", "__float__", "__index__", "numpy", "backward"])


def function_name(function: Callable[..., Any]) -> str:
    """``"add"`` for ``torch.add``, ``Tensor.add``, ``Tensor.__add__``, ``__radd__``; ``"T"`` for the attribute T.

    Where the order counts the reflected operators have names of their own: ``2 ** x`` is ``"rpow"``.

    Examples:
        >>> import torch
        >>> function_name(torch.Tensor.__radd__), function_name(torch.Tensor.T.__get__), function_name(torch.relu_)
        ('add', 'T', 'relu_')
        >>> function_name(torch.Tensor.__rpow__)
        'rpow'
    """
    name = getattr(function, "__name__", type(function).__name__)
    if name in ("__get__", "__set__"):
        return str(getattr(getattr(function, "__self__", None), "__name__", name))
    if name.startswith("__") and name.endswith("__"):
        bare = name[2:-2]
        if bare in ("getitem", "setitem"):
            return bare
        if bare in _IN_PLACE:
            return bare[1:] + "_"
        return bare[1:] if bare in _REFLECTED else bare
    return name


_ARITHMETIC = ("add", "sub", "mul", "truediv", "floordiv", "matmul", "pow", "and", "or", "xor", "mod")
# Of which both operands may be exchanged, as far as types go.
_REFLECTED = frozenset("r" + name for name in ("add", "sub", "mul", "and", "or", "xor"))
_IN_PLACE = frozenset("i" + name for name in _ARITHMETIC)


def is_torchs(function: Callable[..., Any]) -> bool:
    """Whether a function is one of torch's own, so that its name says what it does."""
    module = getattr(function, "__module__", None) or ""
    if module.partition(".")[0] == "torch":
        return True
    owner = getattr(function, "__objclass__", None) or getattr(function, "__self__", None)
    owner = owner if isinstance(owner, type) or owner is None else type(owner)
    return not module and (owner is None or owner.__module__.partition(".")[0] in ("torch", "builtins", ""))
