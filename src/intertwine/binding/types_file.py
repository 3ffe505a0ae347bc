"""Types of a model from a TOML file: a group, names, and representations as text; nothing is executed."""

import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from intertwine import groups
from intertwine.errors import ArgumentError, IntertwineError, UnknownNameError
from intertwine.groups.base import BaseGroup
from intertwine.representations import Representation

T = TypeVar("T")

# What bind takes: (rep_in, rep_out) for a module, one for a norm layer, one or None per axis for a parameter.
Types = dict[str, Representation | tuple[Representation | None, ...]]

_FAMILIES: dict[str, Callable[[int], BaseGroup]] = {
    "C": groups.Cyclic,
    "Cyclic": groups.Cyclic,
    "D": groups.Dihedral,
    "Dihedral": groups.Dihedral,
    "S": groups.Symmetric,
    "Symmetric": groups.Symmetric,
    "SO": groups.SO,
    "O": groups.O,
}
_SINGLE: dict[str, Callable[[], BaseGroup]] = {
    "Trivial": groups.Trivial,
    "T": groups.Tetrahedral,
    "Tetrahedral": groups.Tetrahedral,
    "Th": lambda: groups.Tetrahedral(reflections=True),
    "O": groups.Octahedral,
    "Octahedral": groups.Octahedral,
    "Oh": lambda: groups.Octahedral(reflections=True),
    "I": groups.Icosahedral,
    "Icosahedral": groups.Icosahedral,
    "Ih": lambda: groups.Icosahedral(reflections=True),
}
GROUP_NAMES = (
    "C4 or Cyclic(4), D4 or Dihedral(4), S5 or Symmetric(5), SO(2), O(2), SO(3), O(3), T, Th, O, Oh, I, Ih, Trivial, "
    "or a product such as C4 * C2"
)
REPRESENTATIONS = (
    "a sum of irreps such as '8x0 + 4x1', and of trivial, standard, defining, regular, grid(8, 8), "
    "each with a count as in '4xregular'"
)
# A grid of more pixels than this is a slip, and would fill the memory before its width is compared.
_MAX_PIXELS = 2**20

# grid[8x8] is how grid(8, 8) prints.
_NAMED = re.compile(
    r"(?:^|\+)\s*(?:(\d+)\s*x\s*)?(trivial|standard|defining|regular"
    r"|grid\(\s*\d+(?:\s*,\s*\d+)*\s*\)|grid\[\d+(?:x\d+)*\])\s*(?=\+|$)"
)


def read_types(path: str | Path) -> Types:
    r"""The types for ``bind`` from a TOML file.

    The file has a ``group``, a table ``[modules]`` with the representations of inputs and outputs of layers (one for a
    norm layer), and a table ``[parameters]`` with a list of representations, one per axis, ``""`` where the group
    does not act::

        group = "C4"

        [modules]
        "0" = {in = "grid(8, 8)", out = "64xregular"}
        "1" = "64xregular"
        "2" = {in = "64xregular", out = "10xtrivial"}

        [parameters]
        "embedding" = ["", "64xregular"]

    Args:
        path: the file, UTF-8.

    Returns:
        Names to ``(rep_in, rep_out)`` or to axes, as ``bind`` takes them.

    Raises:
        ArgumentError: no such file, no TOML, or a key or value that is not as above; the message names file and key.
        UnknownNameError: an unknown group or irrep.

    Examples:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp()) / "types.toml"
        >>> _ = path.write_text('group = "SO(3)"\n[modules]\n"0" = {in = "2x1", out = "4x0 + 2x1"}\n')
        >>> read_types(path)
        {'0': (Representation(SO(3): 2x1), Representation(SO(3): 4x0 + 2x1))}
    """
    path = Path(path)
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArgumentError(str(path), expected="a TOML file", got=error.strerror or type(error).__name__) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArgumentError(str(path), expected="a TOML file in UTF-8", got=str(error)) from error
    _check_keys(content, {"group", "modules", "parameters"}, str(path))
    if "group" not in content:
        raise ArgumentError(f"{path}, key group", expected=GROUP_NAMES, got="no such key")
    group = _in_file(f"{path}, key group", lambda: parse_group(content["group"]))
    types: Types = {}
    for name, value in _table(content, "modules", path).items():
        key = f"{path}, key modules.{name!r}"
        if isinstance(value, str):
            types[name] = _representation(group, value, key)
            continue
        if not isinstance(value, dict) or set(value) != {"in", "out"}:
            expected = 'a table {in = "...", out = "..."}, or one text for a norm layer'
            raise ArgumentError(key, expected=expected, got=_shown(value))
        types[name] = tuple(_representation(group, value[end], f"{key}.{end}") for end in ("in", "out"))
    for name, value in _table(content, "parameters", path).items():
        key = f"{path}, key parameters.{name!r}"
        if name in types:
            raise ArgumentError(key, expected="a name typed once", got="a name in modules too")
        axes = [value] if isinstance(value, str) else value
        if not isinstance(axes, list) or not axes:
            raise ArgumentError(
                key, expected='a list with a representation per axis, such as ["8x0 + 4x1", ""]', got=_shown(value)
            )
        types[name] = tuple(
            None if axis == "" else _representation(group, axis, f"{key}[{i}]") for i, axis in enumerate(axes)
        )
    if not types:
        raise ArgumentError(str(path), expected="at least one name under [modules] or [parameters]", got="none")
    return types


def parse_group(name: object) -> BaseGroup:
    """The group of a name such as ``"C4"``, ``"SO(3)"``, ``"Oh"`` or ``"C4 * C2"``.

    Raises:
        UnknownNameError: no such group; the message lists the names.

    Examples:
        >>> parse_group("Dihedral(4)"), parse_group("Oh"), parse_group("SO(2)")
        (D4, Oh, SO(2))
    """
    if not isinstance(name, str):
        raise ArgumentError("group", expected=f"a name: {GROUP_NAMES}", got=_shown(name))
    factors = [_factor(part.strip(), name) for part in name.split("*")]
    product = factors[0]
    for factor in factors[1:]:
        product = product * factor  # type: ignore[operator]
    return product


def _factor(part: str, name: str) -> BaseGroup:
    if part in _SINGLE:
        return _SINGLE[part]()
    match = re.fullmatch(r"([A-Za-z]+)(?:\((\d{1,6})\)|(\d{1,6}))", part)
    if match is None or match[1] not in _FAMILIES:
        raise UnknownNameError("group", expected=GROUP_NAMES, got=repr(name))
    return _FAMILIES[match[1]](int(match[2] or match[3]))


def parse_representation(group: BaseGroup, text: object) -> Representation:
    """The representation of a text such as ``"8x0 + 4x1"``, ``"4xregular + 2xtrivial"`` or ``"grid(8, 8)"``.

    Raises:
        ArgumentError: no such text.
        UnknownNameError: an irrep that the group does not have.

    Examples:
        >>> parse_representation(parse_group("D4"), "2xregular + 3x0+ + grid(2, 2)")
        Representation(D4: 2xregular + 3x0+ + grid[2x2])
    """
    if not isinstance(text, str) or not text.strip():
        raise ArgumentError("representation", expected=REPRESENTATIONS, got=_shown(text))
    total = Representation(group, ())
    end = 0
    for match in _NAMED.finditer(text):
        total = (
            total
            + _irreps(group, text[end : match.start()], first=end == 0)
            + int(match[1] or 1) * _named(group, match[2])
        )
        end = match.end()
    return total + _irreps(group, text[end:], first=end == 0)


def _named(group: BaseGroup, word: str) -> Representation:
    if not word.startswith("grid"):
        return getattr(group, word)()
    sides = [int(side) for side in re.findall(r"\d+", word)]
    pixels = 1
    for side in sides:
        pixels *= side
    if pixels > _MAX_PIXELS:
        raise ArgumentError("grid", expected=f"at most {_MAX_PIXELS} pixels", got=word)
    return group.grid(*sides)


def _irreps(group: BaseGroup, text: str, *, first: bool) -> Representation:
    """What stands between named terms: a sum of irreps, after the plus sign that joins it."""
    text = text.strip()
    if not first and text:
        text = text.removeprefix("+").strip()
        if not text:
            raise ArgumentError("representation", expected=REPRESENTATIONS, got="a sum that ends in +")
    return group.irreps(text) if text else Representation(group, ())


def _representation(group: BaseGroup, value: object, key: str) -> Representation:
    return _in_file(key, lambda: parse_representation(group, value))


def _in_file(key: str, build: Callable[[], T]) -> T:
    """Errors of ``build`` with the file and the key in front."""
    try:
        return build()
    except IntertwineError as error:
        advice = error.advice or f"A representation is {REPRESENTATIONS}."
        raise type(error)(key, expected=error.expected, got=error.got, advice=advice) from error


def _table(content: Mapping[str, object], key: str, path: Path) -> dict[str, object]:
    table = content.get(key, {})
    if not isinstance(table, dict):
        raise ArgumentError(f"{path}, key {key}", expected="a table", got=_shown(table))
    return table


def _check_keys(content: Mapping[str, object], known: set[str], where: str) -> None:
    unknown = sorted(set(content) - known)
    if unknown:
        raise UnknownNameError(
            f"{where}, key {unknown[0]}", expected=f"one of {', '.join(sorted(known))}", got=repr(unknown[0])
        )


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
