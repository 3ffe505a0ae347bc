"""Entries of ``types``, read and checked: the projectors and kinds of the tensors that they name."""

from collections.abc import Mapping, Sequence
from typing import cast

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from intertwine._arguments import check_dense
from intertwine.binding.entry import is_sharded, sharded
from intertwine.binding.model_tensors import ModelTensor
from intertwine.binding.unknown_module import unknown_module
from intertwine.errors import ArgumentError, DtypeError, GroupMismatchError, ShapeError, with_article
from intertwine.groups.adapters.notation import as_representation
from intertwine.layers.channels.output_fields import OutputFields
from intertwine.layers.layer_type import LayerType, Slot
from intertwine.layers.registry import parameters_of, rule_of
from intertwine.layers.rule import Rules, answered
from intertwine.layers.shared_projectors import SharedProjectors
from intertwine.layers.typed import Ends, Typed
from intertwine.projectors import Projector
from intertwine.projectors.axes.folds import fold_axes
from intertwine.representations import Representation


class TypeReader:
    """Reads the entries of ``types`` of one model.

    Args:
        tensors: the tensors of the model.
        rules: the user's rules of layer types.
    """

    def __init__(self, tensors: Mapping[str, ModelTensor], rules: Rules) -> None:
        self._tensors, self._rules, self._projectors = tensors, rules, SharedProjectors()

    def module(self, module: nn.Module, name: str, value: object, argument: str) -> tuple[dict[str, Slot], Ends]:
        """The tensors of a typed module by their full names, and how the group acts on its inputs and outputs."""
        prefix = f"{name}." if name else ""
        rule = rule_of(module, self._rules)
        rep_in, rep_out, options = _ends(module, value, argument, same=rule.same)
        for attribute, tensor in (*module._parameters.items(), *module._buffers.items()):
            if tensor is not None and is_lazy(tensor):
                raise lazy(prefix + attribute, argument)
        if rep_in.group != rep_out.group:
            raise GroupMismatchError(
                argument,
                expected=f"rep_out of {rep_in.group}, as rep_in is",
                got=f"one of {rep_out.group}",
                advice="Use rep.restrict(H) with a common subgroup.",
            )
        parameters = rule.parameters or parameters_of(module, self._rules)
        if parameters is None:
            raise unknown_module(module, name, argument, self._rules)
        layer_type = LayerType(argument, rep_in, rep_out, options, self._projectors)
        expected = "a tuple of slots, as layer_type.matrix and vector make them"
        given = answered(module, "parameters", parameters(module, layer_type), (tuple, list), expected)
        slots = {prefix + answered(module, "parameters", slot, Slot, expected).name: slot for slot in given}
        if not slots:
            raise ArgumentError(
                argument,
                expected="a module with parameters or running statistics",
                got=f"{with_article(type(module).__name__)} without",
                advice="Leave it out.",
            )
        for full in slots:
            if full not in self._tensors:
                attribute = full.removeprefix(prefix)
                if "." not in attribute and not hasattr(module, attribute):
                    raise ArgumentError(
                        f"the rule of {type(module).__name__}, parameters",
                        expected="names of its parameters and buffers",
                        got=f"{attribute!r}",
                    )
                raise ArgumentError(
                    argument,
                    expected=f"{full} to be a parameter",
                    got="a tensor that a hook computes, so that it is out of date between two forward passes",
                    advice="Use torch.nn.utils.parametrizations instead of the older weight_norm or spectral_norm, "
                    "and make pruning permanent with prune.remove.",
                )
        return slots, Ends(rep_in, rep_out, layer_type.over)

    def tensor(self, name: str, value: object, argument: str) -> Slot:
        """What a tensor typed by its own name carries: a Projector, or a representation per axis."""
        tensor = self._tensors[name]
        if isinstance(value, Projector):
            P = value
        else:
            axes, whole = _axes(value, argument), tensor.value
            if is_lazy(whole):
                raise lazy(name, argument)
            try:
                fold_axes(axes, tuple(whole.shape))
            except ShapeError as error:
                widths = ", ".join("any" if rep is None else str(rep.dim) for rep in axes)
                names = ", ".join("None" if rep is None else str(rep) for rep in axes)
                raise ShapeError(
                    argument,
                    expected=f"a representation (or None) per axis of {name}, shape {tuple(whole.shape)}",
                    got=f"dimensions ({widths}), from {names}",
                    advice="Axes come in the tensor's own order; a representation may span several that follow each "
                    "other.",
                ) from error
            P = self._projectors.tensor(argument, axes, tuple(whole.shape))
        return Slot(name, P, tensor.kind, OutputFields(P.axes[0]) if len(P.axes) > 1 else None)


def _ends(
    module: nn.Module, value: object, argument: str, *, same: bool
) -> tuple[Representation, Representation, Typed]:
    """``rep_in``, ``rep_out`` and the options: of a pair, a Typed, or of one representation for a norm layer."""
    pair = _plain_sequence(value)
    if same and not (isinstance(value, Typed) and value.over is not None):
        if pair is not None or isinstance(value, Typed):
            raise ArgumentError(
                argument,
                expected=f"one representation for {with_article(type(module).__name__)}, whose inputs are its outputs",
                got=_said(value),
            )
        rep = as_representation(value, argument)
        return rep, rep, Typed(rep, rep)
    if isinstance(value, Typed):
        ends = [as_representation(getattr(value, end), f"{argument}.{end}") for end in ("rep_in", "rep_out")]
        if same and ends[0] != ends[1]:
            raise ArgumentError(
                f"{argument}.rep_out",
                expected=f"rep_in, {ends[0]}, for {with_article(type(module).__name__)}",
                got=str(ends[1]),
            )
        return ends[0], ends[1], value
    if pair is None or len(pair) != 2:
        got = _said(value) if pair is None else f"{len(pair)} of them"
        raise ArgumentError(argument, expected="a pair (rep_in, rep_out) for a module", got=got)
    ends = [as_representation(rep, f"{argument}[{i}]") for i, rep in enumerate(pair)]
    return ends[0], ends[1], Typed(ends[0], ends[1])


def _said(value: object) -> str:
    """A type as the user would write it, for an error."""
    if isinstance(value, Representation):
        return f"one representation, {value}"
    if isinstance(value, Typed):
        return f"{value.rep_in} to {value.rep_out}"
    pair = _plain_sequence(value)
    if pair is not None and all(isinstance(rep, Representation) for rep in pair):
        return f"{len(pair)} of them, {' and '.join(map(str, pair))}"
    return type(value).__name__


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


def check_tensor(name: str, tensor: torch.Tensor, P: Projector, argument: str) -> None:
    """Whether the tensor has the shape and the dtype that its projector takes.

    Raises:
        ArgumentError: it is lazy or sharded.
        ShapeError: it has another shape.
        DtypeError: it holds integers, or real numbers under a complex representation.
    """
    if is_lazy(tensor):
        raise lazy(name, argument)
    if is_sharded(tensor):
        raise sharded(name, argument)
    check_dense(name, tensor)
    shape, stored = P.shape, tuple(tensor.shape)
    if shape != stored and not _fits(shape, stored):
        raise ShapeError(
            argument,
            expected=f"a projector for {name}, shape {tuple(tensor.shape)}",
            got=f"one for shape {P.shape}, from {', '.join(map(str, P.axes))}",
        )
    if not (tensor.is_floating_point() or tensor.is_complex()):
        raise DtypeError(argument, expected=f"{name} to hold floating-point or complex numbers", got=str(tensor.dtype))
    if P.is_complex and not tensor.is_complex():
        raise DtypeError(
            argument,
            expected=f"{name} to be complex, as a representation is",
            got=str(tensor.dtype),
            advice="Use model.to(torch.complex64).",
        )


def _fits(shape: tuple[int | None, ...], stored: tuple[int, ...]) -> bool:
    """Whether the sizes are those of the projector, None standing for any."""
    return len(shape) == len(stored) and all(n in (None, m) for n, m in zip(shape, stored, strict=True))


def lazy(name: str, argument: str) -> ArgumentError:
    """The error for a parameter without a shape."""
    return ArgumentError(
        argument,
        expected=f"{name} to have its shape",
        got="a lazy parameter",
        advice="Run the model once on an example before binding.",
    )
