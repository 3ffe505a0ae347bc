"""Typing a model by hand: names of modules and parameters to representations."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from intertwine.binding.binding import Binding
from intertwine.binding.entry import Entry, Kind, parametrized_names
from intertwine.binding.modules import module_slots
from intertwine.binding.names import nearest
from intertwine.errors import (
    ArgumentError,
    DtypeError,
    GroupMismatchError,
    IntertwineError,
    RankZeroWarning,
    ShapeError,
    UnknownNameError,
)
from intertwine.groups.adapters import as_representation
from intertwine.projectors import Projector, projector
from intertwine.representations import Representation


def bind(model: nn.Module, types: Mapping[str, object]) -> Binding:
    """Say how a group acts on the parameters of a model.

    ``(g.W) = rho_out(g) W rho_in(g)^-1`` for the weight of a linear map, ``(g.b) = rho_out(g) b`` for its bias, and one
    representation an axis for any other tensor. Everything that is not named stays as it is and is listed as
    ``binding.unaccounted``.

    Args:
        model: any module; it is neither changed nor copied.
        types: what each name carries.

            * name of an ``nn.Linear`` -> ``(rep_in, rep_out)``: its weight (out, in) and its bias, if it has one;
            * name of a parameter or buffer -> a representation for a vector, or a tuple with a representation (or
              None: no action) per axis, in the tensor's own order. ``(rep_in, rep_out)`` of a linear weight is
              ``(rep_out, rep_in.dual())`` here.

            ``""`` is the model itself. Representations of e3nn, cuEquivariance and escnn are taken as they are. A
            parameter tied under two names may be typed under either, or alike under both.

    Returns:
        A ``Binding``: penalty, projection, initialisation and measurements of the typed parameters.

    Raises:
        UnknownNameError: a name that the model does not have; the message lists those that it has.
        ArgumentError: a tensor typed twice, a pair for a module that is not an ``nn.Linear``, a lazy parameter without
            a shape yet, a weight computed by hooks.
        ShapeError: representations that do not fit the widths.
        DtypeError: integers, or real parameters under a complex representation.
        GroupMismatchError: representations of different groups; bind once for each group.

    Warns:
        RankZeroWarning: a parameter has no equivariant value but zero, as the bias of a layer without invariant
            outputs.

    Source:
        Berndt and Stuehmer, arXiv 2601.05028 (the projected weight); Kim et al. 2023, "Regularizing towards soft
        equivariance under mixed symmetries" (PER).

    Examples:
        >>> import intertwine as iw, torch
        >>> G = iw.SO(3)
        >>> rep_x, rep_h = G.irreps("2x1"), G.irreps("16x0 + 8x1")
        >>> model = torch.nn.Sequential(
        ...     torch.nn.Linear(6, 40), iw.nn.NormActivation(rep_h), torch.nn.Linear(40, 6, bias=False)
        ... )
        >>> binding = iw.bind(model, {"0": (rep_x, rep_h), "2": (rep_h, rep_x)})
        >>> binding
        Binding(SO(3), 3 typed, 0 unaccounted)
          0.weight (40, 6)  16x0 + 8x1, 2x1  rank 16 of 240
          0.bias (40,)  16x0 + 8x1  rank 16 of 40
          2.weight (6, 40)  2x1, 16x0 + 8x1  rank 16 of 240
        >>> loss = model(torch.zeros(5, 6)).square().mean() + binding.penalty(strength=0.1)
    """
    if not isinstance(model, nn.Module):
        raise ArgumentError("model", expected="a torch.nn.Module", got=type(model).__name__)
    if not isinstance(types, Mapping):
        raise ArgumentError("types", expected="a mapping from names to representations", got=type(types).__name__)
    modules = dict(model.named_modules(remove_duplicate=False))
    tensors = _tensors(modules)
    if not types:
        raise ArgumentError(
            "types", expected="at least one name", got="none", advice=f"There are {nearest('', [*modules, *tensors])}."
        )
    wanted: dict[str, _Wanted] = {}
    for name, value in types.items():
        argument = f"types[{name!r}]"
        if name in modules:
            found = _module_types(modules[name], name, value, argument)
        elif name in tensors:
            found = {name: _Wanted(_axes(value, argument), tensors[name].kind, argument)}
        else:
            raise UnknownNameError(
                "types",
                expected=f"names of modules, parameters and buffers: {nearest(str(name), [*modules, *tensors])}",
                got=repr(name),
            )
        for full, want in found.items():
            if full in wanted:
                raise ArgumentError(
                    argument,
                    expected="each tensor typed once",
                    got=f"{full!r} once more, after {wanted[full].argument}",
                    advice="Name the module or its parameters, not both.",
                )
            wanted[full] = want
    _check_group(wanted)
    return Binding(model, _entries(tensors, wanted))


@dataclass(frozen=True)
class _Tensor:
    """A tensor that can be typed: who owns it, and what makes it the same as one under another name."""

    owner: nn.Module
    module: str
    attribute: str
    kind: Kind
    identity: object

    @property
    def value(self) -> torch.Tensor:
        """The tensor; computed if it is parametrised."""
        with torch.no_grad():
            return cast(torch.Tensor, getattr(self.owner, self.attribute))


@dataclass(frozen=True)
class _Wanted:
    """What ``types`` asks for one tensor."""

    axes: tuple[Representation | None, ...]
    kind: Kind
    argument: str


def _tensors(modules: Mapping[str, nn.Module]) -> dict[str, _Tensor]:
    """Every parameter, buffer and parametrised tensor by its full name, tied ones under each of theirs."""
    found: dict[str, _Tensor] = {}
    for name, module in modules.items():
        prefix = f"{name}." if name else ""
        for attribute, parameter in module._parameters.items():
            if parameter is not None:
                found[prefix + attribute] = _Tensor(module, name, attribute, "parameter", id(parameter))
        for attribute, buffer in module._buffers.items():
            if buffer is not None:
                found[prefix + attribute] = _Tensor(module, name, attribute, "buffer", id(buffer))
        for attribute in parametrized_names(module):
            found[prefix + attribute] = _Tensor(module, name, attribute, "parameter", (id(module), attribute))
    return found


def _module_types(module: nn.Module, name: str, value: object, argument: str) -> dict[str, _Wanted]:
    """The tensors of a module typed with a pair."""
    pair = _plain_sequence(value)
    if pair is None or len(pair) != 2:
        got = type(value).__name__ if pair is None else f"{len(pair)} of them"
        raise ArgumentError(argument, expected="a pair (rep_in, rep_out) for a module", got=got)
    prefix = f"{name}." if name else ""
    for attribute, parameter in module._parameters.items():
        if parameter is not None and is_lazy(parameter):
            raise _lazy(prefix + attribute, argument)
    rep_in, rep_out = (as_representation(rep, f"{argument}[{i}]") for i, rep in enumerate(pair))
    if rep_in.group != rep_out.group:
        raise GroupMismatchError(
            argument,
            expected=f"rep_out of {rep_in.group}, as rep_in is",
            got=f"one of {rep_out.group}",
            advice="Use rep.restrict(H) with a common subgroup.",
        )
    slots = module_slots(module, rep_in, rep_out, name, argument)
    for slot in slots:
        if slot.attribute not in module._parameters and slot.attribute not in parametrized_names(module):
            raise ArgumentError(
                argument,
                expected=f"{prefix}{slot.attribute} to be a parameter",
                got="a tensor that a hook computes, so that it is out of date between two forward passes",
                advice="Use torch.nn.utils.parametrizations instead of the older weight_norm or spectral_norm, and "
                "make pruning permanent with prune.remove.",
            )
    return {prefix + slot.attribute: _Wanted(slot.axes, slot.kind, argument) for slot in slots}


def _plain_sequence(value: object) -> Sequence[object] | None:
    """``value`` if it is a tuple or list as such: e3nn's Irreps is a tuple too, but stands for one representation."""
    return cast(Sequence[object], value) if type(value) in (tuple, list) else None


def _axes(value: object, argument: str) -> tuple[Representation | None, ...]:
    """The axes of a tensor typed by its name."""
    items = _plain_sequence(value)
    if items is None:
        return (as_representation(value, argument),)
    axes = tuple(None if rep is None else as_representation(rep, f"{argument}[{i}]") for i, rep in enumerate(items))
    if not any(axis is not None for axis in axes):
        raise ArgumentError(
            argument,
            expected="a representation on at least one axis",
            got=f"{len(axes)} axes without",
            advice="Leave the name out, or use n * G.trivial().",
        )
    return axes


def _check_group(wanted: Mapping[str, _Wanted]) -> None:
    """Whether all axes are of one group."""
    axes = [(want.argument, axis) for want in wanted.values() for axis in want.axes if axis is not None]
    first, group = axes[0][0], axes[0][1].group
    for argument, axis in axes:
        if axis.group != group:
            raise GroupMismatchError(
                argument,
                expected=f"representations of {group}, as {first} has",
                got=f"one of {axis.group}",
                advice="Bind once for each group, or restrict all to a common subgroup.",
            )


def _entries(tensors: Mapping[str, _Tensor], wanted: Mapping[str, _Wanted]) -> tuple[Entry, ...]:
    """Entries in the order of ``types``; tensors tied under several names once, equal projectors shared."""
    projectors: dict[object, Projector] = {}
    seen: dict[object, str] = {}
    entries = []
    for name, want in wanted.items():
        tensor = tensors[name]
        value = tensor.value
        _check_tensor(name, value, want)
        if tensor.identity in seen:
            other = seen[tensor.identity]
            if wanted[other].axes != want.axes:
                raise ArgumentError(
                    want.argument,
                    expected=f"the type of {other!r}, to which {name!r} is tied",
                    got=f"{_text(want.axes)} against {_text(wanted[other].axes)}",
                    advice="They are one tensor: type it once.",
                )
            continue
        seen[tensor.identity] = name
        if want.axes not in projectors:
            projectors[want.axes] = _projector(want)
        entry = Entry(name, tensor.module, tensor.attribute, projectors[want.axes], want.kind)
        if entry.projector.rank == 0 and value.numel():
            warnings.warn(
                f"{name}: {entry.projector.group} leaves no value of it fixed but zero ({_text(want.axes)}), so that "
                "its projection is zero.",
                RankZeroWarning,
                stacklevel=3,
            )
        entries.append(entry)
    return tuple(entries)


def _projector(want: _Wanted) -> Projector:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RankZeroWarning)  # told below with the parameter's name
        try:
            return projector(axes=want.axes)
        except IntertwineError as error:
            error_type = type(error)
            raise error_type(
                f"{want.argument} ({error.argument})", expected=error.expected, got=error.got, advice=error.advice
            ) from error


def _check_tensor(name: str, tensor: torch.Tensor, want: _Wanted) -> None:
    if is_lazy(tensor):
        raise _lazy(name, want.argument)
    widths = tuple(None if axis is None else axis.dim for axis in want.axes)
    fits = len(widths) == tensor.ndim and all(w in (None, n) for w, n in zip(widths, tensor.shape, strict=True))
    if not fits:
        raise ShapeError(
            want.argument,
            expected=f"a representation (or None) per axis of {name}, shape {tuple(tensor.shape)}",
            got=f"dimensions ({', '.join('any' if w is None else str(w) for w in widths)}), from {_text(want.axes)}",
            advice="Axes come in the tensor's own order.",
        )
    if not (tensor.is_floating_point() or tensor.is_complex()):
        raise DtypeError(
            want.argument, expected=f"{name} to hold floating-point or complex numbers", got=str(tensor.dtype)
        )
    if not tensor.is_complex() and any(axis is not None and axis.is_complex for axis in want.axes):
        raise DtypeError(
            want.argument,
            expected=f"{name} to be complex, as a representation is",
            got=str(tensor.dtype),
            advice="Use model.to(torch.complex64).",
        )


def _lazy(name: str, argument: str) -> ArgumentError:
    return ArgumentError(
        argument,
        expected=f"{name} to have its shape",
        got="a lazy parameter",
        advice="Run the model once on an example before binding.",
    )


def _text(axes: tuple[Representation | None, ...]) -> str:
    return ", ".join("None" if axis is None else str(axis) for axis in axes)
