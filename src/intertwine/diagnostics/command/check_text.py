"""What ``intertwine check`` is told in text: ends of a model, examples, hidden features."""

import re
from collections.abc import Callable, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any

import torch

from intertwine._arguments import check_dense
from intertwine.binding.representation_text import parse_representation
from intertwine.diagnostics.grids.on_grid import GridAction, on_grid
from intertwine.errors import ArgumentError, UnknownNameError
from intertwine.groups import Group
from intertwine.representations import Representation
from intertwine.tracing.policy import default_policy

# More is a slip, and fills the memory.
LARGEST = 2**28
SIDES = re.compile(r"\d{1,6}(x\d{1,6})*")
EXAMPLE = "sides such as 2x3x65x65, or a .pt file with a tensor"
# Samples of an example that nobody gives.
SAMPLES = 2


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
    if SIDES.fullmatch(text):
        return _normal([int(side) for side in text.split("x")], text)
    path = Path(text)
    if not path.is_file():
        reason = "no such file" if path.suffix else "neither"
        raise ArgumentError("--example", expected=EXAMPLE, got=f"{text!r}, {reason}")
    try:
        value = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ArgumentError("--example", expected=EXAMPLE, got=f"{text}: {type(error).__name__}") from error
    if not isinstance(value, torch.Tensor):
        raise ArgumentError("--example", expected=EXAMPLE, got=f"{text} with a {type(value).__name__}")
    check_dense("--example", value)
    return value


def examples_of(ends: Sequence[Any], texts: Sequence[str], size: str | None) -> list[torch.Tensor]:
    """An example for each input: as given, else of ``size`` pixels for images, else a few vectors.

    Raises:
        ArgumentError: not as many as inputs, or none where nothing says what it looks like.

    Examples:
        >>> import intertwine as iw
        >>> images = iw.on_grid(3 * iw.Dihedral(4).trivial())
        >>> [tuple(x.shape) for x in examples_of([images, iw.Dihedral(4).regular()], [], "65x65")]
        [(2, 3, 65, 65), (2, 8)]
    """
    if texts:
        if size is not None:
            raise ArgumentError("--size", expected="nothing beside --example, which says it", got=repr(size))
        if len(ends) != len(texts):
            raise ArgumentError("--example", expected=f"one for each of {len(ends)} --in", got=len(texts))
        return [parse_example(text) for text in texts]
    if size is not None and not SIDES.fullmatch(size):
        raise ArgumentError("--size", expected="pixels such as 65x65", got=repr(size))
    if size is not None and not any(isinstance(end, GridAction) for end in ends):
        raise ArgumentError("--size", expected="images among the --in, as in 'images 3xtrivial'", got=repr(size))
    return [_example(end, size) for end in ends]


def _example(end: Any, size: str | None) -> torch.Tensor:
    if isinstance(end, Representation):
        return _normal([SAMPLES, end.dim], f"{SAMPLES}x{end.dim}")
    if isinstance(end, GridAction) and size is not None:
        return _normal([SAMPLES, end.rep.dim, *map(int, size.split("x"))], f"{end.rep.dim} channels of {size}")
    missing = "--size" if isinstance(end, GridAction) else "--example"
    raise ArgumentError(
        missing,
        expected="pixels such as 65x65" if missing == "--size" else EXAMPLE,
        got="none",
        advice="Nothing else says how large the input is.",
    )


def _normal(sides: list[int], text: str) -> torch.Tensor:
    if prod(sides) > LARGEST:
        raise ArgumentError("--example", expected=f"at most {LARGEST} numbers", got=text)
    return torch.randn(sides, generator=torch.Generator().manual_seed(0))


def parse_hidden(group: Group, texts: Sequence[str]) -> Callable[[int], Representation] | None:
    """What hidden features carry: ``"64=8xregular"`` at one width, ``"regular"`` as often as it fits and invariants.

    Raises:
        ArgumentError, UnknownNameError: no representation, or one of another width.

    Examples:
        >>> import intertwine as iw
        >>> policy = parse_hidden(iw.Cyclic(4), ["regular", "6=2x1 + 2x0"])
        >>> policy(9), policy(6)
        (Representation(C4: 2xregular + 0), Representation(C4: 2x1 + 2x0))
    """
    if not texts:
        return None
    widths: dict[int, Representation] = {}
    unit: Representation | None = None
    for text in texts:
        width, equals, rest = text.partition("=")
        rep = _hidden(group, rest if equals else text)
        if not equals:
            if unit is not None or rep.dim < 1:
                expected = "one representation for all widths, of one feature at least"
                raise ArgumentError("--hidden", expected=expected, got=repr(text))
            unit = rep
        elif not width.strip().isdecimal() or int(width) != rep.dim:
            raise ArgumentError("--hidden", expected=f"{rep.dim}={rest.strip()}, by its width", got=repr(text))
        else:
            widths[rep.dim] = rep
    return _policy(group, widths, unit)


def _hidden(group: Group, text: str) -> Representation:
    try:
        return parse_representation(group, text)
    except (ArgumentError, UnknownNameError) as error:
        raise ArgumentError("--hidden", expected=f"WIDTH=REPRESENTATION, or {error.expected}", got=error.got) from error


def _policy(
    group: Group, widths: Mapping[int, Representation], unit: Representation | None
) -> Callable[[int], Representation]:
    usual = default_policy(group)

    def policy(width: int) -> Any:
        if width in widths:
            return widths[width]
        if unit is None:
            return usual(width)
        copies = width // unit.dim
        return copies * unit + (width - copies * unit.dim) * group.trivial()

    return policy
