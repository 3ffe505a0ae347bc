"""What ``intertwine check`` does: the check of a named model as a command describes it, and what is written of it."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from intertwine.binding.representation_text import parse_group
from intertwine.binding.seeded import seeded
from intertwine.binding.types_file import read_types
from intertwine.binding.words_of_files import in_words_of
from intertwine.diagnostics.command.check_text import examples_of, parse_end, parse_hidden
from intertwine.diagnostics.command.named_model import load_checkpoint_, named_model
from intertwine.diagnostics.command.users_code import users_code
from intertwine.diagnostics.equivariance.model_check import ModelCheck, check
from intertwine.errors import IntertwineError

# What arguments of ``check`` are called on the command line.
_OPTIONS = {"rep_in": "--in", "rep_out": "--out", "hidden": "--hidden", "group": "--group"}


@dataclass(frozen=True)
class Asked:
    """What a command says of a model, in text.

    Attributes:
        model: ``"module:factory"``, as in ``named_model``.
        group: name of the group.
        ins: a text for each input, as for ``parse_end``.
        outs: a text for each output.
        examples: a text for each input, as for ``parse_example``; none: made up, as ``examples_of`` does.
        size: pixels of examples that are made up.
        hidden: what hidden features carry, as for ``parse_hidden``.
        types: a types file for names that are typed by hand.
        checkpoint: a state dict to load first.
        seed: of weights that the factory draws, and of elements of infinite groups.
    """

    model: str
    group: str
    ins: Sequence[str]
    outs: Sequence[str]
    examples: Sequence[str] = ()
    size: str | None = None
    hidden: Sequence[str] = ()
    types: Path | None = None
    checkpoint: Path | None = None
    seed: int = 0


def check_of(asked: Asked) -> ModelCheck:
    """The check of the model that a command names.

    Raises:
        IntertwineError: texts that say nothing, a model that cannot be made or does not run, ends that do not fit; in
            the words of the command line.
    """
    try:
        group = parse_group(asked.group)
    except IntertwineError as error:
        raise _in_options(error, asked, []) from error
    ends_in = [parse_end(group, text, "--in") for text in asked.ins]
    ends_out = [parse_end(group, text, "--out") for text in asked.outs]
    values = examples_of(ends_in, asked.examples, asked.size)
    hidden = parse_hidden(group, asked.hidden)
    overrides: Any = None if asked.types is None else read_types(asked.types)
    generator = torch.Generator().manual_seed(asked.seed)
    with seeded(generator, []):
        model = named_model(asked.model)
    if asked.checkpoint is not None:
        load_checkpoint_(model, asked.checkpoint)
    try:
        with users_code("the check", "a model that runs on the example as often as it is asked to"):
            return check(
                model,
                rep_in=_one(ends_in),
                rep_out=_one(ends_out),
                example=_one(values),
                hidden=hidden,
                group=group,
                overrides=overrides,
                generator=generator,
            )
    except IntertwineError as error:
        error_in_words = error if asked.types is None else in_words_of(asked.types, error)
        raise _in_options(error_in_words, asked, values) from error


def text_of(found: ModelCheck) -> str:
    """What is printed: what was found, then the layers in order."""
    return f"{found}\n\n{found.layers()}\n\n{found.to_dict()['verdict']}"


def faults(found: ModelCheck) -> str:
    """What ``--strict`` does not let pass; empty if nothing is wrong with the architecture."""
    binding = found.binding
    unknown = binding.inference.unknown if binding.inference is not None else {}
    counts = (
        (len(binding.breakers), "breaker"),
        (len(binding.unaccounted), "untyped parameter"),
        (len(unknown), "function without a rule"),
    )
    return ", ".join(f"{count} {what}{'s' if count > 1 and ' ' not in what else ''}" for count, what in counts if count)


def _in_options(error: IntertwineError, asked: Asked, values: Sequence[torch.Tensor]) -> IntertwineError:
    """The same error with the option's name for the argument's; an example that was made up is said to be."""
    found = re.match(r"(\w+)(.*)", error.argument)
    if found is None or found[1] not in (*_OPTIONS, "example", "x"):
        return error
    advice = error.advice
    if found[1] in _OPTIONS:
        argument = _OPTIONS[found[1]] + found[2]
    else:
        shapes = ", ".join("x".join(map(str, value.shape)) for value in values)
        argument = f"--example {shapes}" if asked.examples else f"--in, by an example of {shapes}"
        advice = advice or ("" if asked.examples else "--example says what the model takes, as 2x3x65x65.")
    return type(error)(argument, expected=error.expected, got=error.got, advice=advice)


def _one(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)
