"""Bindings inferred from one run of a model."""

import copy
import dataclasses
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from torch import nn

from intertwine.binding.binding import Binding
from intertwine.binding.by_hand import ReadTypes
from intertwine.binding.joined_entry import JoinedEntry
from intertwine.binding.model_tensors import ModelTensor
from intertwine.binding.writing import Stored
from intertwine.errors import ArgumentError, IntertwineError, listing
from intertwine.groups import Group
from intertwine.layers.channels.output_fields import OutputFields
from intertwine.layers.layer_type import Kind, Slot
from intertwine.layers.rule import Rules
from intertwine.tracing.ends import read_ends
from intertwine.tracing.inference import Inference, infer
from intertwine.tracing.parameters import TypedParameter
from intertwine.tracing.policy import HiddenByUnknown, Policy
from intertwine.tracing.whole.seams import Seams


@dataclass(frozen=True)
class Options:
    """What ``bind`` was given beside the model, its ends and the example."""

    hidden: Policy | None
    group: Group | None
    overrides: Mapping[str, object]
    layers: Rules
    functions: Mapping[Callable[..., Any], Callable[..., Any]]
    strict: bool
    check: bool


def bind_inferred(model: nn.Module, ends: tuple[Any, Any], example: Any, options: Options) -> Binding:
    """``bind(model, rep_in=, rep_out=, example=)``."""
    if not isinstance(options.overrides, Mapping):
        raise ArgumentError("overrides", expected="a mapping", got=type(options.overrides).__name__)
    if options.hidden is not None and not callable(options.hidden) and not isinstance(options.hidden, HiddenByUnknown):
        raise ArgumentError("hidden", expected="a function of the width", got=type(options.hidden).__name__)
    Seams(model, options.functions).refuse_scripted()
    types = read_ends(*ends, options.group)
    read = ReadTypes(model, options.overrides, options.layers, "overrides")
    by_hand = {name: slot.projector for name, slot in read.slots.items()}

    def inferred(model: nn.Module) -> Inference:
        return infer(model, types, example, policy=options.hidden, rules=options.functions, given=by_hand)

    inference = inferred(model)
    together = {name: typed for name, typed in inference.parameters.items() if typed.joined}
    for name, typed in inference.parameters.items():
        if name in together:
            continue
        read.add({name: _slot(read.tensors[name], name, typed)}, f"the inferred type of {name}")
    read.check_group()
    entries = (*read.entries(warn=False), *map(_joined_entry, together.values()))
    binding = Binding(model, entries, read.ends, options.layers, inference.without_trace())
    if options.check:
        try:
            with _projected(binding) as twin:
                inference = inference.with_check(twin, example, again=inferred)
        except _NotProjectedError as error:
            note = f"not checked, as the weights of a copy could not be projected: {error}"
            inference = dataclasses.replace(inference, notes=(*inference.notes, note))
        binding = dataclasses.replace(binding, inference=inference.without_trace())
    if options.strict:
        _refuse_open_ends(binding, inference)
    return binding


class _NotProjectedError(Exception):
    """A parametrisation that does not take projected values."""


@contextmanager
def _projected(binding: Binding) -> Iterator[nn.Module]:
    """A copy of the model with projected weights; itself for as long, where something that it holds has no copy."""
    model, before = binding.model, []
    try:
        twin = copy.deepcopy(model)
    except Exception:  # noqa: BLE001 - whatever a user's objects raise
        twin, before = model, [Stored(partial(entry.underlying, model)) for entry in binding]
    try:
        try:
            dataclasses.replace(binding, model=twin).project_()
        except IntertwineError as error:
            raise _NotProjectedError(str(error)) from error
        yield twin
    finally:
        for stored in before:
            stored.put_back()


def _joined_entry(typed: TypedParameter) -> JoinedEntry:
    module = typed.joined[0].rpartition(".")[0]
    attributes = tuple(name.rpartition(".")[2] for name in typed.joined)
    attribute = "+".join(attributes)
    name = f"{module}.{attribute}" if module else attribute
    return JoinedEntry(
        *(name, module, attribute, typed.projector, "parameter"),
        attributes=attributes,
        start=typed.start,
        last=typed.last,
    )


def _slot(tensor: ModelTensor, name: str, typed: TypedParameter) -> Slot:
    drawn = callable(getattr(tensor.owner, "reset_parameters", None))
    kind: Kind = tensor.kind if tensor.kind == "buffer" or not drawn else "bias" if "bias" in name else "weight"
    output = None
    if typed.output is not None:
        rep = typed.projector.axes[typed.output] if len(typed.projector.axes) > typed.output else None
        output = OutputFields(rep, typed.output) if typed.output == 0 or rep is not None else None
    return Slot(name, typed.projector, kind, output)


def _refuse_open_ends(binding: Binding, inference: Inference) -> None:
    """What ``strict`` refuses.

    Raises:
        ArgumentError: unknown functions, untyped parameters, broken calls, an output of another type than was asked.
    """
    found = [f"unknown functions {listing(inference.unknown)}"] if inference.unknown else []
    if binding.unaccounted:
        found.append(f"untyped parameters {listing(binding.unaccounted)}")
    found += [str(one) for one in inference.breakers]
    found += [inference.output_conflict] if inference.output_conflict else []
    if found:
        raise ArgumentError(
            "model",
            expected="functions that are known, parameters that are typed and calls that commute with the group",
            got="; ".join(found[:8]),
            advice="Give rules= or overrides= for them, or leave out strict=True and read binding.breakers.",
        )
