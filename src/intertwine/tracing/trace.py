"""A model typed by one run: every call's rule states constraints, and what they leave open the policy decides."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

from intertwine.errors import ArgumentError, IntertwineError, listing
from intertwine.groups import Group
from intertwine.tracing.acting import Acting
from intertwine.tracing.axes import Axis, Unknown, fixed, single
from intertwine.tracing.bindings import ConflictError, without_direction
from intertwine.tracing.calls import (
    OF_THE_FIRST,
    TypedCall,
    checked_axes,
    flat_axes,
    leaves,
    mark_reaching,
    memory_of,
    writes,
)
from intertwine.tracing.checking.codes import codes_of, settle_tables, waiting_for
from intertwine.tracing.checking.forced import decided_notes, forced, forced_notes, left_alone_note
from intertwine.tracing.context import Context, ParameterUse, TensorType
from intertwine.tracing.ends import EndTypes
from intertwine.tracing.function_names import is_torchs
from intertwine.tracing.functions import CREATED, RULES, Rule
from intertwine.tracing.functions.combine import MULTIPLY
from intertwine.tracing.models.first_run import first_run
from intertwine.tracing.models.preserved import preserved
from intertwine.tracing.models.value_trees import copied, tensors
from intertwine.tracing.normal_form import is_alone, resolved, unknowns
from intertwine.tracing.paths import made_by_several
from intertwine.tracing.policy import Decisions, Policy
from intertwine.tracing.record import Place, Watch, run
from intertwine.tracing.solver import Solver
from intertwine.tracing.unknown.asked import Asked
from intertwine.tracing.unknown.proposal import proposed
from intertwine.tracing.unknown.search import FoundAction
from intertwine.tracing.unknown.unseen import OF_PYTHON, Unseen, is_transformed, refuse_nested
from intertwine.tracing.whole.seams import Seams, Whole


@dataclass
class Trace:
    """What one run of a model said.

    Attributes:
        model: that ran.
        ends: how the group acts on inputs and outputs.
        calls: every call that made or changed a tensor, in order.
        context: parameters with their types.
        seams: the modules and functions that are one call each.
        notes: what was forced or left alone, what has no path, where two runs part.
        unseen: values of tensors that no call was seen to make.
        output_conflict: why the output is not of the type that was asked for; empty if it is.
        gradients: whether the model runs with gradients only, as one that differentiates its own energy does.
        chosen: unknowns that no constraint typed but the policy, in order.
        draws: whether torch drew random numbers in the run, and whether numpy or Python did.
    """

    model: nn.Module
    ends: EndTypes
    context: Context
    seams: Seams
    calls: list[TypedCall] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unseen: Unseen = field(default_factory=dict)
    output_conflict: str = ""
    gradients: bool = False
    chosen: list[Unknown] = field(default_factory=list)
    draws: tuple[bool, bool] = (False, False)

    @property
    def acting(self) -> Acting:
        """How the group moves typed tensors."""
        return self.ends.acting

    @property
    def group(self) -> Group:
        """The group that acts."""
        return self.acting.group


def trace(
    model: nn.Module,
    ends: EndTypes,
    example: Any,
    *,
    policy: Policy | None = None,
    rules: Mapping[Callable[..., Any], Rule] | None = None,
    given: Mapping[str, Sequence[Axis | None]] | None = None,
    found: Mapping[int, FoundAction] | None = None,
) -> Trace:
    """Run ``model(example)`` and type every tensor in it.

    The model runs once before, so that caches and lazy parameters are filled, then once watched; in eval mode, on
    copies of the example, and without gradients unless it fails without.

    Args:
        model: any module; it is left as it was (``preserved``).
        ends: types of the example and of the output.
        example: what the model takes: a tensor, a tuple of arguments, or a dictionary of them.
        policy: width of hidden features to their representation.
        rules: rules of the user's own, by function; they come before those of the library.
        given: leading axes of parameters that are typed by hand, by name; None where nothing is said.
        found: the actions behind calls without a rule, by number, as a search found them.

    Raises:
        ArgumentError: TorchScript, an example that does not fit.
    """
    tracer = _Tracer(model, ends, rules or {}, given or {}, found or {})
    with preserved(model) as kept:
        with kept.saving():
            tracer.result.gradients = tracer.warm_up(model, example)
        kept.draw_alike()
        given = copied(example)
        tracer.begin(given)
        with torch.set_grad_enabled(tracer.result.gradients), tracer.watch.watching():
            output = run(model, given)
        tracer.result.draws = kept.drawn(by_torch=True), kept.drawn(by_torch=False)
        tracer.end(output)
    tracer.decide(policy)
    return tracer.result


# Of tensors of the first run nothing more is asked.
_OF_THE_INPUT = TensorType([], True)


class _Tracer:
    def __init__(
        self,
        model: nn.Module,
        ends: EndTypes,
        rules: Mapping[Callable[..., Any], Rule],
        given: Mapping[str, Sequence[Axis | None]],
        found: Mapping[int, FoundAction],
    ) -> None:
        self._rules, self._ends, self._found = rules, ends, found
        self._used: set[Rule | None] = set()
        self._left_alone: list[tuple[list[Unknown], str]] = []
        names = {id(tensor): name for name, tensor in (*model.named_parameters(), *model.named_buffers())}
        buffers = frozenset(name for name, _ in model.named_buffers())
        context = Context(Solver(), ends.acting.group, names, buffers=buffers, given=given)
        self.result = Trace(model, ends, context, Seams(model, rules))
        self.result.seams.refuse_scripted()
        self.watch = Watch(
            model,
            self.call,
            self.result.seams,
            self._parametrized,
            lambda tensor: self._read.append(context.type_of(tensor)),
        )
        self._keep: list[torch.Tensor] = []
        self._read: list[TensorType] = []
        self._cached: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self._kept: dict[str, None] = {}
        self._of_python: WeakIdKeyDictionary = WeakIdKeyDictionary()

    def warm_up(self, model: nn.Module, example: Any) -> bool:
        """The first run: what parameters and constants give is typed, as the model may keep it for the next.

        Returns:
            Whether the model runs with gradients only.
        """
        given = copied(example)
        for tensor in tensors(given):
            self.result.context.assign(tensor, _OF_THE_INPUT)
        made: WeakIdKeyDictionary = WeakIdKeyDictionary()
        gradients = first_run(model, given, lambda *call: self._first_call(made, *call), self.result.seams)
        self.result.calls.clear()
        self.result.unseen.clear()
        self._read.clear()
        self._cached = made
        return gradients

    def _first_call(
        self,
        made: WeakIdKeyDictionary,
        place: Place,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        context = self.result.context
        refuse_nested(leaves(args, kwargs), place)
        kinds = [context.known(tensor) for tensor in leaves(args, kwargs)]
        if not any(kind is not None and kind.dynamic for kind in kinds):
            out = self.call(place, function, args, kwargs)
            for tensor in leaves(out):
                made[tensor] = None
            return out
        out = function(*args, **kwargs)
        written = args[:1] if writes(function, place.function, args, kwargs) else ()
        for tensor in leaves(out, written):
            context.assign(tensor, _OF_THE_INPUT)
        return out

    def begin(self, example: Any) -> None:
        context = self.result.context
        for tensor, end in self._ends.inputs(example):
            context.solver.place = f"the input{end.where}"
            context.assign(tensor, TensorType(end.axes(tensor), True))

    def end(self, output: Any) -> None:
        context = self.result.context
        self._note_unseen(-1, "the output", leaves(output))
        for tensor, end in self._ends.outputs(output):
            context.solver.place = f"rep_out{end.where}"
            kind = context.type_of(tensor)
            try:
                wanted = end.axes(tensor)
                for axis, other in zip(map(context.unsquared, map(resolved, kind.axes)), wanted, strict=True):
                    makers = made_by_several(context.uses, axis) if is_alone(resolved(other)) else []
                    nodes = unknowns(resolved(axis))
                    context.unify(axis, other)
                    if makers:
                        self._left_alone.append((nodes, left_alone_note(axis.size, f"rep_out{end.where}", makers)))
            except (ConflictError, ArgumentError) as conflict:
                self.result.output_conflict = f"the output{end.where} is {kind}, rep_out says {end}: {conflict}"
                self.result.notes.append(self.result.output_conflict)
            if not kind.dynamic:
                self.result.notes.append(f"the output{end.where} does not depend on the input")
        mark_reaching(self.result.calls, [*self._read, *(context.type_of(tensor) for tensor in tensors(output))])

        self.result.notes += [
            f"rules[{getattr(key, '__name__', key)}] was not used: the run did not call it, or by no name in a module"
            for key, rule in self._rules.items()
            if rule not in self._used
        ]

    def _note_unseen(self, index: int, place: str, given: list[torch.Tensor]) -> None:
        """Keep the values of what comes up for the first time."""
        context = self.result.context
        for position, tensor in enumerate(given):
            new = context.known(tensor) is None and id(tensor) not in context.names
            if (new or tensor in self._of_python) and tensor.is_floating_point():
                self.result.unseen[index, position] = (place, tensor.detach().clone())

    def _parametrized(self, name: str, value: torch.Tensor) -> None:
        context = self.result.context
        context.names[id(value)] = name
        self._keep.append(value)  # its id must stay its own
        new = TensorType([context.fresh(size) for size in value.shape], False, (name,))
        context.assign(value, context.uses.setdefault(name, ParameterUse(new)).type)

    def call(self, place: Place, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        context, name = self.result.context, place.function
        context.solver.place = str(place)
        given = leaves(args, kwargs)
        refuse_nested(given, place)
        if any(map(is_transformed, given)):
            return function(*args, **kwargs)
        self._note_unseen(place.index, str(place), given)
        before = [context.type_of(tensor) for tensor in given]
        of = before[:1] if name in OF_THE_FIRST else before
        kept = [kind for tensor, kind in zip(given, before, strict=True) if self._outlives_runs(tensor)]
        self._kept |= dict.fromkeys(one for kind in kept for one in context.parameters_of(kind))
        out = function(*args, **kwargs)
        outs = leaves(out)
        if not outs and not writes(function, name, args, kwargs):
            self._read += before
            return out
        mutates = writes(function, name, args, kwargs)
        if name in MULTIPLY and isinstance(args[1], int | float) and args[1] == 0:  # nothing of the features is left
            before = of = []
        dynamic = any(kind.dynamic for kind in of) and name not in CREATED
        typed = TypedCall(place, before, [], "rule", mutates=mutates, shapes=[tuple(t.shape) for t in given])
        held = tuple(function.module.parameters()) if isinstance(function, Whole) and function.module else ()
        typed.parameters = tuple(context.names[id(tensor)] for tensor in (*given, *held) if id(tensor) in context.names)
        out_value = out if not mutates else args[0] if name == "setitem" else kwargs.get("out", out)
        # Of constants of the model nothing is known before they meet parameters or features.
        constant = not any(kind.dynamic or kind.parameters for kind in of)
        made = name in CREATED or constant
        axes = None if made else self._typed(typed, function, out_value, args, kwargs)
        outs = leaves(out_value)
        if axes is None and typed.reason:
            for kind in (*before, *map(context.type_of, held)):
                for parameter in kind.parameters:
                    context.lost.setdefault(parameter, f"{place}: {typed.reason}")
        if axes is None and not dynamic:
            typed.rule = "constant"
        if axes is None and dynamic:
            asked = Asked(function, args, kwargs, before)
            axes = proposed(context, typed, asked, leaves(out_value), self._found.get(place.index))
        self._assign(outs, axes, dynamic, tuple(dict.fromkeys(one for kind in of for one in kind.parameters)))
        typed.outputs = [context.type_of(tensor) for tensor in outs]
        if name in OF_PYTHON and not given:
            self._of_python.update(dict.fromkeys(outs))
        typed.memory = () if name in CREATED else tuple(map(memory_of, given))
        if mutates:
            typed.written = tuple(map(memory_of, outs))
            for tensor in outs if dynamic else ():
                self._written_through(tensor)
        self.result.calls.append(typed)
        return out

    def _assign(self, outs: list[torch.Tensor], axes: Any, dynamic: bool, parameters: tuple[str, ...]) -> None:
        """What a call gave is of these types, or unknown."""
        context = self.result.context
        if axes is not None:
            for tensor, own in zip(outs, flat_axes(axes), strict=False):
                if own is not None and len(own) == tensor.ndim:
                    old = context.known(tensor)
                    was = old is not None and old.dynamic
                    context.assign(tensor, TensorType(own, dynamic or was, () if dynamic else parameters))
        for tensor in outs:
            if axes is None and id(tensor) not in context.names:
                context.assign(tensor, TensorType([context.fresh(n) for n in tensor.shape], dynamic))

    def _written_through(self, view: torch.Tensor) -> None:
        """What a view was written into depends on the input, too."""
        base, context = view._base, self.result.context
        if base is not None and not context.type_of(base).dynamic:
            kind = context.type_of(base)
            context.assign(base, TensorType(kind.axes, True))
            for axis in kind.axes:
                context.solver.mark_feature(axis)

    def _outlives_runs(self, tensor: torch.Tensor) -> bool:
        """Whether an earlier run has made it, and no view of a parameter, which follows that."""
        return tensor in self._cached and tensor._base is None

    def _given_rule(self, function: Callable[..., Any]) -> Rule | None:
        """The user's rule of a function; of an operator, of what ``torch.library`` or ``torch.ops`` calls it too."""
        keys = (function, getattr(function, "overloadpacket", None))
        return next((rule for key, rule in self._rules.items() if getattr(key, "_opoverload", key) in keys), None)

    def _typed(
        self, typed: TypedCall, function: Callable[..., Any], out: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """The axes by a rule; None where there is none or it failed, and then the reason is kept."""
        name = typed.place.function
        rule = function.axes if isinstance(function, Whole) else self._given_rule(function)
        self._used.add(function.rule if isinstance(function, Whole) else rule)
        rule = rule or (RULES.get(name) if is_torchs(function) else None)
        context = self.result.context
        if rule is None:
            typed.rule, typed.reason = "proposal", f"no rule for {name}"
            return None
        found: list[Any] = []
        try:
            if context.solver.attempt(lambda: found.append(checked_axes(rule, context, out, args, kwargs, typed))):
                return found[0]
        except IntertwineError:
            raise
        except Exception as error:
            # Not the model's fault, nor silent where the rule is the user's own.
            said = f"{type(error).__name__}: {error}"
            if rule in self._rules.values() or getattr(function, "rule", None) in self._rules.values():
                raise ArgumentError(
                    f"rules[{name}]", expected="a rule that takes this call", got=said, advice=str(typed.place)
                ) from error
            typed.reason = f"the rule for {name} does not take this call: {said}"
        typed.rule = "proposal"
        return None

    def decide(self, policy: Policy | None) -> None:
        """Type what is left open, tables last; note what was forced."""
        context = self.result.context
        solver = context.solver
        decisions = Decisions(solver, self.result.group, policy)
        kinds = [kind for call in self.result.calls for kind in (*call.inputs, *call.outputs)]
        features = [axis for kind in kinds if kind.dynamic for axis in kind.axes]
        weights = [use.type for use in context.uses.values()]
        inner = [node for kind in weights for axis in kind.axes for node in unknowns(resolved(axis)) if node.feature]
        blind = dict.fromkeys(without_direction(context.weighed()))
        constrained = forced(node for node in context.hidden if node not in blind)
        codes = codes_of(self.result.model, self.result.calls, context) if self.result.acting.space else {}
        # What a table is made of waits until it is known whether that turns.
        waiting = waiting_for(codes)
        if policy is None:
            decisions.leave_alone(node for node in blind if node not in waiting)
        decisions.decide([*features, *(single(node) for node in inner if node not in waiting)])
        settle_tables(codes, context, self.result.acting, decisions)
        if policy is None:
            decisions.leave_alone(node for node in blind if node in waiting)
        decisions.decide([single(node) for node in inner if node in waiting])
        self.result.chosen = decisions.chosen
        rest = [axis for kind in (*weights, *kinds) for axis in kind.axes]
        for axis in rest:
            for node in unknowns(resolved(axis)):
                if node.bound is None:
                    solver.bind(node, fixed(node.size))
        self.result.notes += [note for nodes, note in self._left_alone if any(node not in blind for node in nodes)]
        self.result.notes += list(dict.fromkeys(context.notes))
        self.result.notes += forced_notes(constrained, self.result.notes)
        if self._kept:
            self.result.notes.append(
                f"what an earlier run made of {listing(self._kept)} is kept: after project_() or a step the model "
                "follows these only when it makes it anew, as many do after model.train(); model.eval()"
            )
        self.result.notes += decided_notes(decisions.forced)
