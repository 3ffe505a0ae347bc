"""Bindings inferred from one run of a model."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from intertwine.binding.binding import Binding
from intertwine.binding.by_hand import ReadTypes
from intertwine.binding.entry import Entry, is_sharded, sharded
from intertwine.binding.model_tensors import ModelTensor
from intertwine.binding.swapped import equivariant_weights
from intertwine.errors import ArgumentError, IntertwineError, listing
from intertwine.groups import Group
from intertwine.layers.channels.output_fields import OutputFields
from intertwine.layers.effective.joined import Joined
from intertwine.layers.layer_type import Kind, Slot
from intertwine.layers.rule import Rules
from intertwine.tracing.ends import read_ends
from intertwine.tracing.inference import Inference, infer
from intertwine.tracing.models.preserved import preserved
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
    for name, tensor in (*model.named_parameters(), *model.named_buffers()):
        if is_sharded(tensor):
            raise sharded(name, "model")
    types = read_ends(*ends, options.group)
    read = ReadTypes(model, options.overrides, options.layers, "overrides")
    by_hand = {name: slot.projector for name, slot in read.slots.items()}

    def inferred() -> Inference:
        return infer(model, types, example, policy=options.hidden, rules=options.functions, given=by_hand)

    with preserved(model):  # what layers keep of one run is there in the next, and gone in the end
        inference = inferred()
        together = {name: typed for name, typed in inference.parameters.items() if typed.joined}
        for name, typed in inference.parameters.items():
            if name not in together:
                read.add({name: _slot(read.tensors[name], name, typed)}, f"the inferred type of {name}")
        read.check_group()
        entries = (*read.entries(warn=False), *map(_joined_entry, together.values()))
        binding = Binding(model, entries, read.ends, options.layers, inference.without_trace())
        if options.check:
            inference = inference.with_check(example, by_hand)
            if inference.parted:
                inference = _checked_anew(binding, inference, lambda: inferred().with_check(example, by_hand))
            binding = replace(binding, inference=inference.without_trace())
    if options.strict:
        _refuse_open_ends(binding, inference)
    return binding


def _checked_anew(binding: Binding, inference: Inference, checked: Callable[[], Inference]) -> Inference:
    """With the breakers of the way that equivariant weights take, as experts get other tokens there."""
    after = "what comes after was not checked"
    with suppress(IntertwineError), equivariant_weights(binding):
        anew = checked()
        inference = replace(inference, breakers=anew.breakers, blind=anew.blind, alike={})
        after = after if anew.parted else "the way that projected weights take was checked"
    return replace(inference, notes=(*inference.notes, f"two runs part: {inference.parted}; {after}"))


def _joined_entry(typed: TypedParameter) -> Entry:
    module = typed.joined[0].rpartition(".")[0]
    attributes = tuple(name.rpartition(".")[2] for name in typed.joined)
    attribute = "+".join(attributes)
    name = f"{module}.{attribute}" if module else attribute
    joined = Joined(attributes, typed.start, typed.last)
    return Entry(name, module, attribute, typed.projector, "parameter", effective=joined)


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
