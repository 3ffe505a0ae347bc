"""What ``intertwine check`` is told in text: ends of a model, and an example."""

import re
from math import prod
from pathlib import Path
from typing import Any

import torch

from intertwine._arguments import check_dense
from intertwine.binding.representation_text import parse_group, parse_representation
from intertwine.diagnostics.command.named_model import load_checkpoint_, named_model
from intertwine.diagnostics.equivariance.model_check import ModelCheck, check
from intertwine.diagnostics.grids.on_grid import on_grid
from intertwine.errors import ArgumentError, UnknownNameError
from intertwine.groups import Group

# More is a slip, and fills the memory.
LARGEST = 2**28
EXAMPLE = "sides such as 2x3x65x65, or a .pt file with a tensor"


def check_of(
    spec: str, group: str, ins: list[str], outs: list[str], examples: list[str], checkpoint: Path | None = None
) -> ModelCheck:
    """The check of the model that ``spec`` names.

    Args:
        spec: ``"module:factory"``, as in ``named_model``.
        group: name of the group.
        ins: a text for each input, as for ``parse_end``.
        outs: a text for each output.
        examples: a text for each input, as for ``parse_example``.
        checkpoint: a state dict to load first.

    Raises:
        ArgumentError, UnknownNameError: texts that say nothing, or not as many examples as inputs.
    """
    acting = parse_group(group)
    if len(ins) != len(examples):
        raise ArgumentError("--example", expected=f"one for each of {len(ins)} --in", got=len(examples))
    rep_in = [parse_end(acting, text, "--in") for text in ins]
    rep_out = [parse_end(acting, text, "--out") for text in outs]
    values = [parse_example(text) for text in examples]
    model = named_model(spec)
    if checkpoint is not None:
        load_checkpoint_(model, checkpoint)
    return check(model, rep_in=_one(rep_in), rep_out=_one(rep_out), example=_one(values), group=acting)


def parse_end(group: Group, text: str, option: str) -> Any:
    """``"images 3xtrivial"``, ``"2xregular"`` or ``"none"``.

    Raises:
        ArgumentError, UnknownNameError: no representation.

    Examples:
        >>> import intertwine as iw
        >>> parse_end(iw.Dihedral(4), "images 3xtrivial", "--in"), parse_end(iw.Dihedral(4), "none", "--out")
        (on_grid(3x0+), None)
    """
    word, _, rest = text.strip().partition(" ")
    if word == "none" and not rest:
        return None
    try:
        if word == "images":
            return on_grid(parse_representation(group, rest))
        return parse_representation(group, text)
    except (ArgumentError, UnknownNameError) as error:
        raise ArgumentError(
            option, expected=f"'images REPRESENTATION', 'none', or {error.expected}", got=error.got
        ) from error


def parse_example(text: str) -> torch.Tensor:
    """A tensor of normal numbers of these sides, always the same; or the tensor in a file.

    Raises:
        ArgumentError: neither.

    Examples:
        >>> parse_example("2x3x5").shape
        torch.Size([2, 3, 5])
    """
    if re.fullmatch(r"\d{1,6}(x\d{1,6})*", text):
        sides = [int(side) for side in text.split("x")]
        if prod(sides) > LARGEST:
            raise ArgumentError("--example", expected=f"at most {LARGEST} numbers", got=text)
        return torch.randn(sides, generator=torch.Generator().manual_seed(0))
    path = Path(text)
    if not path.is_file():
        raise ArgumentError("--example", expected=EXAMPLE, got=repr(text))
    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ArgumentError("--example", expected=EXAMPLE, got=f"{text}: {type(error).__name__}") from error
    if not isinstance(value, torch.Tensor):
        raise ArgumentError("--example", expected=EXAMPLE, got=f"{text} with a {type(value).__name__}")
    check_dense("--example", value)
    return value


def _one(values: list[Any]) -> Any:
    return values[0] if len(values) == 1 else tuple(values)
