"""Representations in tuples and dictionaries, laid on inputs and outputs of the same structure."""

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from intertwine._arguments import check_function
from intertwine.diagnostics.equivariance.actions import Action, AlongAxis, OnGrid, OwnAction
from intertwine.diagnostics.grids.on_grid import GridAction
from intertwine.errors import ArgumentError, GroupMismatchError, IntertwineError, listing
from intertwine.groups import Group
from intertwine.groups.adapters.notation import as_representation
from intertwine.tracing.models.value_trees import Path, child, children, described, path_text, rebuilt


@dataclass(frozen=True)
class TypedPart:
    """One input or output with its action.

    Attributes:
        path: where it lies; empty if it is the whole.
        action: how the group acts on it.
    """

    path: Path
    action: Action


@dataclass(frozen=True)
class TypedParts:
    """``rep_in`` or ``rep_out``, read.

    Attributes:
        spec: as the user gave it.
        name: what errors call it.
        what: what errors call the value that it describes.
        parts: its leaves, in order.
    """

    spec: object
    name: str
    what: str
    parts: tuple[TypedPart, ...]

    def pick(self, value: object) -> list[Any]:
        """The parts of ``value``, whose structure must be that of the representations.

        Entries of a dictionary of outputs that have no representation are left out.

        Raises:
            ArgumentError: it has another structure.
        """
        _check_structure(self.spec, value, self.name, self.what, ())
        return [_at(value, part.path) for part in self.parts]

    def left_out(self, value: object) -> tuple[str, ...]:
        """Entries of ``value`` that have no representation, in words; those that are None are left out too."""
        return tuple(output_text(path) for path in _left_out(self.spec, value, ()))

    def placed(self, value: object, parts: list[Any]) -> Any:
        """``value`` with the given parts in the places of its own."""
        return _placed(self.spec, value, (), {part.path: new for part, new in zip(self.parts, parts, strict=True)})

    def what_of(self, part: TypedPart) -> str:
        """What errors call a part of the value."""
        return _what(self.what, part.path)


def read_types(spec: object, axis: object, name: str, what: str) -> TypedParts:
    """``rep_in`` or ``rep_out`` with its axes.

    Args:
        spec: a representation, ``on_grid(...)``, a function, None, or tuples and dictionaries of them.
        axis: an integer, or tuples and dictionaries of them.
        name: ``"rep_in"``, ``"rep_out"``.
        what: ``"x"``, ``"the output of function"``.

    Raises:
        ArgumentError: it is none of these.
    """
    parts = tuple(_leaves(spec, axis, name, what, ()))
    if not parts:
        raise ArgumentError(name, expected="at least one representation", got=repr(spec))
    return TypedParts(spec, name, what, parts)


def common_group(typed: tuple[TypedParts, ...], group: Group | None) -> Group:
    """The group that acts everywhere.

    Raises:
        GroupMismatchError: representations of different groups.
        ArgumentError: none says which group it is.
    """
    if group is not None and not isinstance(group, Group):
        raise ArgumentError("group", expected="a group, such as iw.Cyclic(4), or None", got=repr(group))
    for types in typed:
        for part in types.parts:
            own = part.action.group
            if own is not None and group is not None and own != group:
                raise GroupMismatchError(
                    f"{types.name}{path_text(part.path)}",
                    expected=f"a representation of {group}, as the others",
                    got=f"one of {own}",
                    advice="Use rep.restrict(H) with a common subgroup.",
                )
            group = own if group is None else group
    if group is None:
        raise ArgumentError("group", expected="the group, as rep_in and rep_out are functions", got="None")
    return group


def _parts_of(spec: object) -> dict[int | str, Any] | None:
    """The entries of a tuple, list or dictionary of representations; e3nn's Irreps is a tuple too, and none."""
    if isinstance(spec, Mapping):
        return dict(spec)
    if isinstance(spec, tuple | list) and type(spec) in (tuple, list) and not _is_irreps(spec):
        return dict(enumerate(spec))
    return None


def _is_irreps(spec: Any) -> bool:
    """Whether a list holds (multiplicity, irrep) pairs."""
    return bool(spec) and all(
        isinstance(item, tuple | list) and len(item) == 2 and isinstance(item[0], int) for item in spec
    )


def _leaves(spec: object, axis: object, name: str, what: str, path: Path) -> Iterator[TypedPart]:
    entries = _parts_of(spec)
    if entries is None:
        yield TypedPart(path, _action(spec, axis, f"{name}{path_text(path)}", _what(what, path)))
        return
    for key, entry in entries.items():
        yield from _leaves(entry, _axis_at(axis, key, entries, name), name, what, (*path, key))


def _axis_at(axis: object, key: int | str, entries: Mapping[int | str, Any], name: str) -> object:
    if isinstance(axis, Mapping) and set(axis) <= set(entries):
        return axis.get(key, -1)
    if isinstance(axis, tuple | list) and len(axis) == len(entries) and isinstance(key, int):
        return axis[key]
    if isinstance(axis, Mapping | tuple | list):
        argument = name.replace("rep", "axis")
        raise ArgumentError(argument, expected=f"an integer, or the structure of {name}", got=repr(axis))
    return axis


def _action(spec: object, axis: object, name: str, what: str) -> Action:
    if spec is None:
        return Action()
    if isinstance(spec, GridAction):
        return OnGrid(spec, name, what)
    # Not `callable`: representations of other libraries are callable too.
    if inspect.isroutine(spec) or isinstance(spec, nn.Module | partial):
        return _own(spec, name)
    try:
        rep = as_representation(spec, name)
    except IntertwineError:
        if callable(spec) and not isinstance(spec, type | str | Group):
            return _own(spec, name)
        raise
    if not isinstance(axis, int) or isinstance(axis, bool):
        argument = name.replace("rep", "axis", 1)
        raise ArgumentError(argument, expected="an integer, the axis that the representation acts on", got=repr(axis))
    return AlongAxis(rep, axis, name, what)


def _own(spec: Callable[..., Any], name: str) -> OwnAction:
    check_function(name, spec, "an action (g, x) -> g x", takes=2)
    return OwnAction(spec, name)


def _what(what: str, path: Path) -> str:
    if not path or what == "x":
        return f"{what}{path_text(path)}"
    return f"{output_text(path)} of function"


def output_text(path: Path) -> str:
    """``"output 2"``, ``"output 'norm'"``."""
    return f"output {path[0]!r}{path_text(path[1:])}" if path else "output"


def _check_structure(spec: object, value: object, name: str, what: str, path: Path) -> None:
    wanted = _parts_of(spec)
    if wanted is None:
        return
    is_input, where = what == "x", f"{name}{path_text(path)}"
    kind, advice = "entries" if is_input else "outputs", ""
    if isinstance(spec, Mapping):
        given = set(getattr(value, "_fields", None) or children(value) or ())
        # All inputs are passed on, so that each must have been thought of; of outputs some may be of no interest.
        fits = set(wanted) == given if is_input else set(wanted) <= given
        expected, got = f"{kind} {listing(map(repr, wanted))}, as {where} has", described(value)
        if is_input:
            advice = f"Give None in {where} for an input that the group leaves alone."
    else:
        fits = isinstance(value, tuple | list) and len(value) == len(wanted)
        expected = f"{len(wanted)} {kind}, as {where} has"
        got = str(len(value)) if isinstance(value, tuple | list) else described(value)
        if isinstance(value, torch.Tensor) and not is_input:
            got = "1"
        elif isinstance(value, Mapping):
            advice = f"Give {where} as a dictionary."
    if not fits:
        raise ArgumentError(
            _what(what, path) if is_input or path else "function", expected=expected, got=got, advice=advice
        )
    for key, entry in wanted.items():
        _check_structure(entry, child(value, key), name, what, (*path, key))


def _left_out(spec: object, value: object, path: Path) -> Iterator[Path]:
    wanted = _parts_of(spec)
    if wanted is None:
        return
    for key in getattr(value, "_fields", None) or children(value) or ():
        if key in wanted:
            yield from _left_out(wanted[key], child(value, key), (*path, key))
        elif child(value, key) is not None:
            yield (*path, key)


def _at(value: object, path: Path) -> Any:
    for key in path:
        value = child(value, key)
    return value


def _placed(spec: object, value: object, path: Path, new: Mapping[Path, Any]) -> Any:
    entries = _parts_of(spec)
    if entries is None:
        return new[path]
    return rebuilt(value, {key: _placed(entry, child(value, key), (*path, key), new) for key, entry in entries.items()})
