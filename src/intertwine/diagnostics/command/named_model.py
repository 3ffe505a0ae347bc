"""A model by its name in a Python module, and its weights from a file."""

import importlib
import inspect
import pickle
import struct
import sys
from pathlib import Path
from typing import Any

import torch
from torch import nn

from intertwine.diagnostics.command.users_code import users_code
from intertwine.errors import ArgumentError


def named_model(spec: str) -> nn.Module:
    """The module that ``module:factory`` names, from the working directory or the installed packages.

    Args:
        spec: the text; the factory is a function without arguments, or a module itself.

    Raises:
        ArgumentError: there is no such model, and the message says what there is; or its code raises.

    Examples:
        >>> named_model("torch.nn:Identity")
        Identity()
    """
    module_name, colon, attribute = spec.partition(":")
    expected = "module:factory, a function without arguments that returns a torch.nn.Module, or a module itself"
    if not (colon and attribute) or not all(
        part.isidentifier() for part in [*module_name.split("."), *attribute.split(".")]
    ):
        raise ArgumentError("MODULE:FACTORY", expected=expected, got=repr(spec))
    # As `python -m` does it: the user's file need not be installed.
    sys.path.insert(0, str(Path.cwd()))
    with users_code(f"MODULE:FACTORY {spec}", "a module that can be imported"):
        try:
            found: Any = importlib.import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name is None or not (module_name == error.name or module_name.startswith(f"{error.name}.")):
                raise
            raise ArgumentError(
                "MODULE:FACTORY", expected=f"a module in {Path.cwd()} or installed", got=repr(module_name)
            ) from error
    for part in attribute.split("."):
        if not hasattr(found, part):
            names = ", ".join(name for name in vars(found) if not name.startswith("_")) or "nothing"
            raise ArgumentError("MODULE:FACTORY", expected=f"a name in {module_name}: {names}", got=repr(part))
        found = getattr(found, part)
    if not isinstance(found, nn.Module) and callable(found):
        _check_takes_nothing(found, spec, expected)
        with users_code(f"MODULE:FACTORY {spec}", "a function that returns a model"):
            found = found()
    model = found
    if not isinstance(model, nn.Module):
        raise ArgumentError("MODULE:FACTORY", expected=expected, got=f"{spec}, which gives {type(model).__name__}")
    return model


def load_checkpoint_(model: nn.Module, path: Path) -> None:
    """A state dict into the model, read without executing anything in it.

    Raises:
        ArgumentError: no such file, no state dict, or one of another model.
    """
    expected = "a state dict of this model, as torch.save(model.state_dict(), path) writes it"
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        model.load_state_dict(state)
    except (
        OSError,
        RuntimeError,
        TypeError,
        ValueError,
        AttributeError,
        EOFError,
        pickle.UnpicklingError,
        struct.error,
    ) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise ArgumentError(f"checkpoint {path}", expected=expected, got=" ".join(reason)[:300]) from error


def _check_takes_nothing(factory: Any, spec: str, expected: str) -> None:
    """Whether a factory can be called without arguments.

    Raises:
        ArgumentError: it cannot; the message names what it needs.
    """
    try:
        parameters = inspect.signature(factory).parameters.values()
    except (TypeError, ValueError):  # a builtin that does not say
        return
    empty, several = inspect.Parameter.empty, (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    needed = [p.name for p in parameters if p.default is empty and p.kind not in several]
    if needed:
        raise ArgumentError(
            "MODULE:FACTORY",
            expected=expected,
            got=f"{spec}, which needs {', '.join(needed)}",
            advice="Write a function that calls it with them.",
        )
