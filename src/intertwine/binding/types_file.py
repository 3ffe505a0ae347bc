"""Types of a model from a TOML file: a group, names, and representations as text; nothing is executed."""

import re
import tomllib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TypeVar

import numpy as np

from intertwine._arguments import permutation_table, real_array, signs_in_indices
from intertwine.binding.representation_text import (
    GROUP_NAMES,
    REPRESENTATIONS,
    check_name,
    parse_group,
    parse_representation,
    shown,
)
from intertwine.errors import ArgumentError, IntertwineError, UnknownNameError, listing
from intertwine.groups.element_text import generators_text
from intertwine.groups.fields.signed_permutations import count_of_generators, read_signs
from intertwine.groups.group import Group
from intertwine.layers.typed import Typed
from intertwine.representations import Representation

T = TypeVar("T")

# What bind takes: (rep_in, rep_out) for a module, with options a Typed, one for a norm layer, one or None per axis for
# a parameter.
Types = dict[str, Representation | Typed | tuple[Representation | None, ...]]

# Keys of a module's table, and what Typed calls them.
# What errors call values that they do not show.
_KINDS = frozenset(kind.__name__ for kind in (str, int, float, bool, list, dict))
# In the order of ``Typed``'s space, hidden, rep_key and rep_value.
_OPTIONS = ("space", "hidden", "key", "value", "over")
# Keys of tables that are representations.
_PERMUTATION, _IRREPS = ("permutation", "index_map", "signs"), ("irreps", "basis", "layout")


def read_types(path: str | Path) -> Types:
    r"""The types for ``bind`` from a TOML file.

    The file has a ``group``, a table ``[modules]`` with the representations of inputs and outputs of layers (one for a
    norm layer), and a table ``[parameters]`` with a list of representations, one per axis, ``""`` where the group
    does not act::

        group = "Mirror(x)"

        [representations]
        legs = {permutation = [3, 4, 5, 0, 1, 2], signs = [-1, 1, 1, -1, 1, 1]}
        clock = {index_map = [-0.0001, -1]}

        [modules]
        "0" = {in = "legs + clock + 2xodd", out = "64xregular"}
        "1" = "64xregular"
        "2" = {in = "64xregular", out = "legs"}
        "camera" = {in = "even", out = "4xregular", space = "odd + even"}

        [parameters]
        "embedding" = ["", "64xregular"]

    ``[representations]`` gives names to representations that have none: another text, ``permutation`` (``rho(g) e_i =
    signs[i] e_permutation[i]``) or ``index_map`` (``(g x)[i] = signs[i] x[index_map[i]]``), one list a generator, or
    one list for one generator. Signs may stand in the indices, as configuration files of robots have them, minus zero
    as -0.0001. ``{irreps = "2x0 + 4x1", basis = "e3x", layout = "ir_mul"}`` is ``G.irreps`` with its options. Tables
    may also stand where a text may. Modules take ``space`` and ``over``, and attention ``hidden``, ``key`` and
    ``value``, as ``iw.Typed`` does; a norm layer with ``over`` has ``in`` and ``out`` alike.

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
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))  # with or without Windows' mark
    except OSError as error:
        raise ArgumentError(str(path), expected="a TOML file", got=error.strerror or type(error).__name__) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ArgumentError(str(path), expected="a TOML file in UTF-8", got=str(error)) from error
    _check_keys(content, {"group", "representations", "modules", "parameters"}, str(path))
    if "group" not in content:
        raise ArgumentError(f"{path}, key group", expected=GROUP_NAMES, got="no such key")
    group = _in_file(f"{path}, key group", lambda: parse_group(content["group"]))
    reader = _Reader(group, {})
    for name, value in _table(content, "representations", path).items():
        key = f"{path}, key representations.{name!r}"
        _in_file(key, partial(check_name, group, name))
        reader.named[name] = reader.read(value, key)
    types: Types = {}
    for name, value in _table(content, "modules", path).items():
        types[name] = _module(reader, value, f"{path}, key modules.{name!r}")
    for name, value in _table(content, "parameters", path).items():
        key = f"{path}, key parameters.{name!r}"
        if name in types:
            raise ArgumentError(key, expected="a name typed once", got="a name in modules too")
        axes = [value] if isinstance(value, str | dict) else value
        if not isinstance(axes, list) or not axes:
            raise ArgumentError(
                key, expected='a list with a representation per axis, such as ["8x0 + 4x1", ""]', got=shown(value)
            )
        types[name] = tuple(None if axis == "" else reader.read(axis, f"{key}[{i}]") for i, axis in enumerate(axes))
    if not types:
        raise ArgumentError(str(path), expected="at least one name under [modules] or [parameters]", got="none")
    return types


class _Reader:
    """Values of a file as representations of one group, by text, by name or by table."""

    def __init__(self, group: Group, named: dict[str, Representation]) -> None:
        self.group, self.named = group, named

    def read(self, value: object, key: str) -> Representation:
        """The representation that ``value`` describes; errors name ``key``."""
        advice = "" if not isinstance(value, str | dict) else f"A representation is {REPRESENTATIONS}."
        if self.named:
            advice += f" This file names {listing(self.named)}."
        if isinstance(value, dict):
            make = _irreps if "irreps" in value else _permutation
            return _in_file(key, lambda: make(self.group, value), advice, value)
        return _in_file(key, lambda: parse_representation(self.group, value, self.named), advice)


def _module(reader: _Reader, value: object, key: str) -> Representation | Typed | tuple[Representation, ...]:
    """What one entry of ``[modules]`` says."""
    if isinstance(value, str) or (isinstance(value, dict) and not {"in", "out"} & set(value)):
        return reader.read(value, key)
    if not isinstance(value, dict) or not {"in", "out"} <= set(value):
        raise ArgumentError(
            key, expected='a table {in = "...", out = "..."}, or one text for a norm layer', got=shown(value)
        )
    _check_keys(value, {"in", "out", *_OPTIONS}, key)
    rep_in, rep_out = (reader.read(value[end], f"{key}.{end}") for end in ("in", "out"))
    given = {name: reader.read(value[name], f"{key}.{name}") for name in _OPTIONS if name in value}
    if not given:
        return rep_in, rep_out
    space, hidden, rep_key, rep_value, over = map(given.get, _OPTIONS)
    return Typed(rep_in, rep_out, space=space, hidden=hidden, rep_key=rep_key, rep_value=rep_value, over=over)


def _irreps(group: Group, table: Mapping[str, object]) -> Representation:
    """``{irreps = ..., basis = ..., layout = ...}``."""
    if not set(table) <= set(_IRREPS) or not all(isinstance(value, str) for value in table.values()):
        expected = "a table of texts, irreps with basis and layout if wanted"
        raise ArgumentError("representation", expected=expected, got=shown(dict(table)))
    options = {name: table[name] for name in _IRREPS[1:] if name in table}
    return group.irreps(table["irreps"], **options)  # type: ignore[arg-type]


def _permutation(group: Group, table: Mapping[str, object]) -> Representation:
    """``{permutation = ..., signs = ...}`` or ``{index_map = ..., signs = ...}``."""
    kinds = [name for name in ("permutation", "index_map") if name in table]
    if len(kinds) != 1 or not set(table) <= set(_PERMUTATION):
        expected = "a text, or a table with permutation or index_map, and signs if wanted, or one with irreps"
        raise ArgumentError("representation", expected=expected, got=shown(dict(table)))
    kind, signs = kinds[0], table.get("signs")
    count = count_of_generators(group, kind, table[kind])
    array = np.atleast_2d(real_array(kind, table[kind], "permutations of 0, ..., n-1, one a generator"))
    if not array.size:
        raise ArgumentError(kind, expected="a permutation of 0, ..., n-1", got="an empty list")
    apart = signs_in_indices(array) if array.ndim == 2 else None
    if apart is not None and signs is not None:
        raise ArgumentError("signs", expected="signs in the indices or apart", got="both")
    images = permutation_table(kind, array if apart is None else apart[0], count, lambda: generators_text(group))
    sign_table = np.ones_like(images) if apart is None else apart[1]
    sign_table = sign_table if signs is None else read_signs(signs, images)
    if kind == "index_map":  # (g x)[i] = signs[i] x[map[i]]: the basis vector map[i] goes to i
        order = np.argsort(images, axis=1)
        images, sign_table = order, np.take_along_axis(sign_table, order, axis=1)
    return group.permutation(images, signs=None if (sign_table == 1).all() else sign_table)


def _in_file(key: str, build: Callable[[], T], advice: str = "", table: Mapping[str, object] | None = None) -> T:
    """Errors of ``build`` with file and key in front; where they are of one key of ``table``, with its value."""
    try:
        return build()
    except IntertwineError as error:
        value = (table or {}).get(error.argument)
        inner = value is not None
        raise type(error)(
            f"{key}.{error.argument}" if inner else key,
            expected=re.sub(r"^None\b", "nothing", error.expected) if inner else error.expected,
            got=shown(value) if inner and error.got in _KINDS else error.got,
            advice=error.advice or advice,
        ) from error


def _table(content: Mapping[str, object], key: str, path: Path) -> dict[str, object]:
    table = content.get(key, {})
    if not isinstance(table, dict):
        raise ArgumentError(f"{path}, key {key}", expected="a table", got=shown(table))
    return table


def _check_keys(content: Mapping[str, object], known: set[str], where: str) -> None:
    unknown = sorted(set(content) - known)
    if unknown:
        raise UnknownNameError(
            f"{where}, key {unknown[0]}", expected=f"one of {', '.join(sorted(known))}", got=repr(unknown[0])
        )
