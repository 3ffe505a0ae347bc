"""Checks of arguments that every part of the library takes: numbers, functions, random generators, dense tensors."""

import inspect
import math
import numbers
from typing import Any

import numpy as np
import torch

from intertwine.errors import ArgumentError, DtypeError, ShapeError


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


def check_dense(argument: str, tensor: torch.Tensor, *, values: bool = False) -> None:
    """Whether a tensor is one that arithmetic is defined on: dense, in one piece, of a dtype that adds.

    Args:
        argument: its name in an error.
        tensor: what the user gave.
        values: whether its numbers are needed too, which a tensor on the meta device does not have.

    Raises:
        ArgumentError: it is sparse or nested, or, with ``values``, on the meta device.
        DtypeError: eight bits or fewer, which torch stores and does not compute with.
    """
    if tensor.is_nested or tensor.layout is not torch.strided:
        kind = "a nested tensor" if tensor.is_nested else f"layout {tensor.layout}"
        raise ArgumentError(argument, expected="a dense tensor", got=kind, advice="Call to_dense() first.")
    if (tensor.is_floating_point() or tensor.is_complex()) and tensor.dtype.itemsize < 2:
        raise DtypeError(
            argument,
            expected="a dtype that torch computes with, such as torch.float32 or torch.bfloat16",
            got=tensor.dtype,
            advice="Convert it first.",
        )
    if values and tensor.device.type == "meta":
        raise ArgumentError(
            argument,
            expected="a tensor with values",
            got="one on the meta device, which has a shape alone",
            advice="Give the model memory first: model.to_empty(device='cpu'), then its weights.",
        )


def plain_array(argument: str, value: object, expected: str) -> "np.ndarray[Any, Any]":
    """A tensor, or whatever numpy takes, as an array of its own dtype.

    Raises:
        ArgumentError, DtypeError: a tensor that is sparse, nested, without values or of eight bits.
        ShapeError: ragged lists, or lists of such tensors.
    """
    if isinstance(value, torch.Tensor):
        check_dense(argument, value, values=True)
        kept = value.float() if value.dtype == torch.bfloat16 else value  # which numpy does not have
        return kept.detach().cpu().resolve_conj().numpy()
    try:
        return np.asarray(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise ShapeError(argument, expected=expected, got=f"a {type(value).__name__} that is no array") from error


def _shown(value: object) -> str:
    """A value in an error: short ones as they print, others by their type."""
    if isinstance(value, int | float | str | bytes | bool | type(None)):
        text = repr(value)
        return text if len(text) <= 60 else f"{text[:57]}..."
    return type(value).__name__
