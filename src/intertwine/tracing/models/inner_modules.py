"""The modules that a function holds: itself, the ones it closes over, its ``self``, its defaults and arguments."""

import inspect
import itertools
from collections.abc import Iterator, Mapping
from functools import partial
from types import FunctionType

from torch import nn
from torch.nn.modules.batchnorm import _NormBase
from torch.nn.modules.dropout import _DropoutNd

# Functions are followed this deep: a lambda around a method of an object that holds the network.
DEPTH = 4
# Containers are looked through up to so many items: a function may hold its data too.
ITEMS = 64
# What train mode changes, by torch's own types and their descendants.
DIFFERENT = (_DropoutNd, _NormBase, nn.RReLU, nn.MultiheadAttention, nn.RNNBase)


def inner_modules(function: object) -> dict[str, nn.Module]:
    """The outermost modules of ``function`` by the name that it calls them; ``""`` for a module itself.

    Examples:
        >>> net = nn.ReLU()
        >>> inner_modules(lambda x: net(x)), inner_modules(net.forward)
        ({'net': ReLU()}, {'': ReLU()})
    """
    found: dict[str, nn.Module] = {}
    seen: set[int] = set()

    def visit(name: str, value: object, depth: int) -> None:
        if id(value) in seen or depth > DEPTH:
            return
        seen.add(id(value))
        if isinstance(value, nn.Module):
            found.setdefault(name, value)
            return
        for inner, part in _held(value):
            visit(inner or name, part, depth + 1)

    visit("", function, 0)
    return found


def _held(value: object) -> Iterator[tuple[str, object]]:
    """What ``value`` holds, with names."""
    if isinstance(value, partial):
        yield from (("", item) for item in (value.func, *value.args))
        yield from value.keywords.items()
    elif inspect.ismethod(value):
        yield from (("", item) for item in (value.__self__, value.__func__))
    elif inspect.isfunction(value):
        yield from _in_function(value)
    elif isinstance(value, Mapping):
        yield from ((str(key), item) for key, item in itertools.islice(value.items(), ITEMS))
    elif isinstance(value, tuple | list):
        yield from (("", item) for item in value[:ITEMS])
    elif hasattr(value, "__dict__") and not isinstance(value, type) and not inspect.ismodule(value):
        yield from vars(value).items()


def _in_function(function: FunctionType) -> Iterator[tuple[str, object]]:
    """The variables of outer scopes that a Python function uses, its defaults and what it wraps."""
    code = function.__code__
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # a variable that is not assigned yet
            continue
    globals_ = function.__globals__
    for name in code.co_names:
        value = globals_.get(name)
        # Functions of installed packages hold nothing of the user's.
        if isinstance(value, nn.Module) or (inspect.isfunction(value) and value.__globals__ is globals_):
            yield name, value
    yield from (("", value) for value in function.__defaults__ or ())
    yield from (function.__kwdefaults__ or {}).items()
    yield "", getattr(function, "__wrapped__", None)


def training_modules(function: object) -> tuple[str, ...]:
    """Modules inside a function that are in train mode and act otherwise there, as ``"net, a Sequential,"``.

    A module that is measured itself is put in eval mode, and not among them.
    """
    if isinstance(function, nn.Module):
        return ()
    found = []
    for name, module in inner_modules(function).items():
        parts = (part for part in module.modules() if part.training and isinstance(part, DIFFERENT))
        if next(parts, None) is not None:
            found.append(f"{name or 'the module'} ({type(module).__name__})")
    return tuple(found)
