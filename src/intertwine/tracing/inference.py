"""Types of a whole model from one run: projectors of its parameters, what breaks the symmetry, what is open."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import nn

from intertwine.groups import Group
from intertwine.projectors import Projector
from intertwine.tracing.acting import Motion
from intertwine.tracing.axes import Axis
from intertwine.tracing.bindings import UntypedError
from intertwine.tracing.broken_call import BrokenCall
from intertwine.tracing.calls import TypedCall, settle
from intertwine.tracing.check import Checked, check_calls
from intertwine.tracing.checking.elements import generating_elements
from intertwine.tracing.context import ParameterUse
from intertwine.tracing.ends import EndTypes
from intertwine.tracing.functions import Rule
from intertwine.tracing.judging.weights import EquivariantWeights
from intertwine.tracing.normal_form import carried, is_alone, resolved
from intertwine.tracing.parameters import ParameterTypes, TypedParameter
from intertwine.tracing.paths import no_path
from intertwine.tracing.policy import Policy
from intertwine.tracing.trace import Trace, trace
from intertwine.tracing.unknown.rounds import Asking, asked
from intertwine.tracing.unknown.search import FoundAction
from intertwine.tracing.unknown.unseen import hidden_dependences
from intertwine.tracing.whole.fitted import fitted

# What ``unknown`` calls a function that was not seen at all.
UNSEEN = "what was not seen"


@dataclass(frozen=True, eq=False)
class Inference:
    """What one run of a model, and the check of it, found; plain values that hold no tensor of the model.

    Attributes:
        group: the group that acts.
        parameters: a projector for each parameter and buffer that the group acts on, by name.
        free: names of those that act on copies alone, so that every value of them is equivariant.
        constants: names of other buffers, as masks and fixed tables: they stay as they are, and the check judges what
            is done with them.
        reasons: why others are not typed, by name.
        calls: every call with the types of its tensors.
        notes: what was forced to trivial, what has no path, where runs part.
        unknown: functions without a rule behind which no action was found, and how often they were called.
        found: calls of functions without a rule whose type was found by values, with the way.
        breakers: calls that do not commute with the group though weights are equivariant; empty before the check.
        blind: calls that the check could not judge.
        parted: where the check went another way than the run that was typed; empty if it did not.
        alike: calls that the check did not repeat, by number, each with the one that speaks for it.
        checked: whether the check was made.
        output_conflict: why the output cannot be of the type that was asked for, whatever the weights; empty if it can.
    """

    group: Group
    parameters: Mapping[str, TypedParameter]
    free: tuple[str, ...]
    constants: tuple[str, ...]
    reasons: Mapping[str, str]
    calls: tuple[TypedCall, ...]
    notes: tuple[str, ...]
    unknown: Mapping[str, int]
    found: tuple[str, ...] = ()
    breakers: tuple[BrokenCall, ...] = ()
    blind: tuple[str, ...] = ()
    parted: str = ""
    alike: Mapping[int, int] = field(default_factory=dict)
    checked: bool = False
    output_conflict: str = ""
    trace: Trace | None = field(default=None, repr=False)

    def with_check(self, example: Any, by_hand: Mapping[str, Projector] | None = None) -> "Inference":
        """The same with the breakers, with equivariant weights; ``by_hand``: projectors of what was typed by hand."""
        if self.trace is None:
            return self
        typed = {**self.parameters, **{name: TypedParameter(P, None) for name, P in (by_hand or {}).items()}}
        weights = EquivariantWeights(self.trace.model, typed, self.free, ParameterTypes(self.trace.acting))
        doubtful = any(note.startswith("no path") or "forced to trivial" in note for note in self.notes)
        found: Checked = check_calls(self.trace, weights, example, doubtful=doubtful)
        notes, parted, alike = (*self.notes, *found.ignored), found.parted, found.alike
        breakers, blind = found.breakers, found.blind
        return replace(self, breakers=breakers, blind=blind, notes=notes, parted=parted, alike=alike, checked=True)

    def without_trace(self) -> "Inference":
        """The same without the model that was traced."""
        return replace(self, trace=None)

    def __deepcopy__(self, memo: object) -> "Inference":
        # Values only, so that a copied binding shares them.
        return self


def infer(
    model: nn.Module,
    ends: EndTypes,
    example: Any,
    *,
    policy: Policy | None = None,
    rules: Mapping[Callable[..., Any], Rule] | None = None,
    given: Mapping[str, Projector] | None = None,
) -> Inference:
    """Type a model by one run of it, without the check.

    Args:
        model: the model.
        ends: types of its inputs and outputs.
        example: what it takes.
        policy: width of hidden features to their representation.
        rules: the user's own rules.
        given: projectors of parameters that are typed by hand, by name: they are constraints like others.
    """
    by_hand = given or {}
    tensors = _tensors(model)
    said = {name: _leading_axes(P, tuple(tensors[name].shape)) for name, P in by_hand.items()}
    motions = [Motion(ends.acting, g) for g in generating_elements(ends.acting.group)]

    def asked_with(whole: Mapping[Any, Rule]) -> Asking[Trace]:
        def typed_run(found: Mapping[int, FoundAction]) -> Trace:
            return trace(model, ends, example, policy=policy, rules=whole, given=said, found=found)

        return asked(typed_run, ends.acting.group, motions, model, example)

    asking = _with_harmonics(asked_with, model, rules or {})
    traced = asking.run
    hidden = hidden_dependences(model, example, traced.unseen, traced.seams, gradients=traced.gradients)
    types = ParameterTypes(ends.acting)
    parameters: dict[str, TypedParameter] = {}
    free: list[str] = []
    constants: list[str] = []
    buffers = {name for name, _ in model.named_buffers()}
    reasons: dict[str, str] = {}
    uses = {name: use for name, use in traced.context.uses.items() if name in tensors and name not in by_hand}
    together = types.joined(uses)
    parameters |= {typed.joined[0]: typed for typed in together}
    joined = {name for typed in together for name in typed.joined}
    for name, use in traced.context.uses.items():
        tensor = tensors.get(name)
        if (
            tensor is None
            or name in by_hand
            or name in joined
            or not (tensor.is_floating_point() or tensor.is_complex())
        ):
            continue
        if name in buffers and not use.statistic:
            constants.append(name)
            continue
        try:
            typed = types.typed(use, tuple(tensor.shape))
        except UntypedError as error:
            reasons[name] = str(error)
            continue
        if typed is not None:
            parameters[name] = typed
        elif name in traced.context.lost and _untouched(use):
            reasons[name] = traced.context.lost[name]
        else:
            free.append(name)
    for name, _ in model.named_parameters():
        if name not in traced.context.uses and name not in by_hand:
            reasons[name] = "the run did not use it: another branch does, or a cache holds what was made from it"
    constants += [name for name, _ in model.named_buffers() if name not in {*traced.context.uses, *by_hand}]
    notes = (*traced.notes, *asking.notes, *hidden, *no_path(parameters))
    settle(traced.calls)
    return Inference(
        ends.acting.group,
        parameters,
        tuple(free),
        tuple(constants),
        reasons,
        tuple(traced.calls),
        notes,
        dict(asking.unknown) | ({UNSEEN: len(hidden)} if hidden else {}),
        asking.found,
        output_conflict=traced.output_conflict,
        trace=traced,
    )


def _with_harmonics(
    typed: Callable[[Mapping[Any, Rule]], Asking[Trace]], model: nn.Module, rules: Mapping[Any, Rule]
) -> Asking[Trace]:
    """The typed run, in which what computes with components is taken as a whole if its values have a representation."""
    first = typed(rules)
    reading = _reading_modules(model, first.run.calls)
    while reading:
        again = typed({**rules, **dict.fromkeys(reading, fitted)})
        failed = {call.place.function for call in again.run.calls if call.rule == "proposal"}
        left = [kind for kind in reading if kind.__name__ not in failed]
        if len(left) == len(reading):
            return again
        reading = left
    return first


# Calls that pick components of features.
READS = frozenset(["getitem", "select", "narrow", "unbind", "split", "chunk", "index_select"])


def _reading_modules(model: nn.Module, calls: Iterable[TypedCall]) -> list[type[nn.Module]]:
    """Classes of the modules without parameters in which single components of features are read."""
    found: dict[type[nn.Module], None] = {}
    for call in calls:
        if call.rule == "proposal" and call.dynamic and call.place.function in READS and call.place.module:
            module = model.get_submodule(call.place.module)
            if next(module.parameters(), None) is None:
                found[type(module)] = None
    return list(found)


def _tensors(model: nn.Module) -> dict[str, torch.Tensor]:
    found = dict((*model.named_parameters(), *model.named_buffers()))
    for name, module in model.named_modules():
        for attribute in getattr(module, "parametrizations", {}) or {}:
            with torch.no_grad():
                found[f"{name}.{attribute}" if name else attribute] = getattr(module, attribute)
    return found


def _leading_axes(P: Projector, shape: tuple[int, ...]) -> list[Axis | None]:
    """What a projector says of the axes of its parameter, up to the first that it folds with others."""
    found: list[Axis | None] = []
    for rep, size in zip(P.axes, shape, strict=False):
        if rep is not None and rep.dim != size:
            break
        found.append(None if rep is None else carried(rep))
    return found


def _untouched(use: ParameterUse) -> bool:
    return all(is_alone(resolved(axis)) for axis in use.type.axes)
