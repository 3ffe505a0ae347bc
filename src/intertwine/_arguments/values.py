"""Numbers, names, choices, functions and random generators that users give."""

import inspect
import math
import numbers
import operator
from collections.abc import Sequence
from typing import SupportsIndex, TypeGuard

import numpy as np
import torch

from intertwine.errors import ArgumentError

MAX_INTEGER = 2**31 - 1  # no size is larger


def check_instance(argument: str, value: object, kind: type, expected: str) -> None:
    """Whether ``value`` is of ``kind``.

    Raises:
        ArgumentError: it is something else.
    """
    if not isinstance(value, kind):
        raise ArgumentError(argument, expected=expected, got=_shown(value))


def real_number(argument: str, value: object, expected: str, *, minimum: float, positive: bool = False) -> float:
    """``value`` if it is a finite number of at least ``minimum``, or above it if ``positive``.

    Raises:
        ArgumentError: it is something else; booleans, strings, arrays and NaN are no numbers here.
    """
    if isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value):
        number = float(value)
        if number > minimum or (number == minimum and not positive):
            return number
    raise ArgumentError(argument, expected=expected, got=_shown(value))


def integer(argument: str, value: object, minimum: int) -> int:
    """``value`` as an int of at least ``minimum``; booleans, floats and strings are refused.

    Raises:
        ArgumentError: it is none.
    """
    try:
        number = None
        if isinstance(value, SupportsIndex) and not isinstance(value, bool | np.bool_):
            number = operator.index(value)
    except (TypeError, RuntimeError):
        number = None
    if number is None or number < minimum or number > MAX_INTEGER:
        limit = f" and <= {MAX_INTEGER}" if number is not None and number > MAX_INTEGER else ""
        raise ArgumentError(argument, expected=f"an integer >= {minimum}{limit}", got=repr(value)[:80])
    return number


def is_integer(value: object, minimum: int = 0, maximum: int = MAX_INTEGER) -> TypeGuard[int]:
    """Whether ``value`` is an int, and no boolean, from ``minimum`` to ``maximum``."""
    return isinstance(value, int) and not isinstance(value, bool) and minimum <= value <= maximum


def check_sides(
    argument: str,
    value: object,
    dim: int | None = None,
    *,
    most: int = MAX_INTEGER,
    expected: str = "a tuple of positive integers, such as (8, 8)",
) -> tuple[int, ...]:
    """``value`` as a tuple of positive integers, ``dim`` of them, or from one to ``most``.

    Raises:
        ArgumentError: it is none.
    """
    sides = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str | bytes) else ()
    if not 1 <= len(sides) <= most or not all(is_integer(n, 1) for n in sides):
        raise ArgumentError(argument, expected=expected, got=repr(value)[:80])
    if dim is not None and len(sides) != dim:
        raise ArgumentError(argument, expected=f"{dim} numbers, one a dimension", got=str(sides))
    return sides


def kernel_sides(kernel: object) -> tuple[int, ...]:
    """``kernel`` as a tuple of one to three sides.

    Raises:
        ArgumentError: anything else.
    """
    return check_sides("kernel", kernel, most=3, expected="a tuple of one to three positive sides, such as (3, 3)")


def flag(argument: str, value: object) -> bool:
    """``value`` if it is True or False.

    Raises:
        ArgumentError: it is something else.
    """
    if not isinstance(value, bool):
        raise ArgumentError(argument, expected="True or False", got=repr(value))
    return value


def check_name(value: object) -> None:
    """Whether ``value`` can be a group's name: None or a string.

    Raises:
        ArgumentError: it cannot.
    """
    if value is not None and not isinstance(value, str):
        raise ArgumentError("name", expected="a string, or None", got=type(value).__name__)


def check_function(argument: str, value: object, expected: str, *, takes: int | None = None) -> None:
    """Whether ``value`` can be called.

    A class makes an instance of what it is given and is no function of it, ``nn.Tanh`` beside ``nn.Tanh()``.

    Args:
        argument: its name in an error.
        value: what the user gave.
        expected: what it should be.
        takes: how many positional arguments it must take, where it says what it takes; None: any number.

    Raises:
        ArgumentError: it cannot, it is a class, or it takes other arguments.

    Examples:
        >>> check_function("activation", torch.nn.Tanh, "a function of a tensor")
        Traceback (most recent call last):
        ...
        intertwine.errors.ArgumentError: activation: expected a function of a tensor; got the class Tanh. Give an
        instance, as Tanh(...) makes one, or a function that calls it.
    """
    if isinstance(value, type):
        advice = f"Give an instance, as {value.__name__}(...) makes one, or a function that calls it."
        raise ArgumentError(argument, expected=expected, got=f"the class {value.__name__}", advice=advice)
    if not callable(value):
        raise ArgumentError(argument, expected=expected, got=_shown(value))
    if takes is None:
        return
    try:
        signature = inspect.signature(value.forward if isinstance(value, torch.nn.Module) else value)
    except (TypeError, ValueError):  # a builtin that does not say
        return
    try:
        signature.bind(*range(takes))
    except TypeError as error:
        name = getattr(value, "__name__", type(value).__name__)
        raise ArgumentError(argument, expected=expected, got=f"{name}{signature}: {error}") from error


def check_choice(argument: str, value: object, choices: tuple[str | None, ...]) -> None:
    """Whether ``value`` is one of ``choices``.

    Raises:
        ArgumentError: it is something else; the message lists them.
    """
    if not isinstance(value, str | type(None)) or value not in choices:
        raise ArgumentError(argument, expected=f"one of {', '.join(map(repr, choices))}", got=_shown(value))


def check_generator(argument: str, value: object) -> None:
    """Whether ``value`` is None or a torch generator on the CPU.

    Raises:
        ArgumentError: it is something else.
    """
    if value is not None and (not isinstance(value, torch.Generator) or value.device.type != "cpu"):
        raise ArgumentError(argument, expected="a torch.Generator on the CPU, or None", got=_shown(value))


def _shown(value: object) -> str:
    """A value in an error: short ones as they print, others by their type."""
    if isinstance(value, int | float | str | bytes | bool | type(None)):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    return type(value).__name__
