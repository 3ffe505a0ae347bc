"""Every call of a model repeated on moved arguments: what breaks the symmetry outside the weights, each by itself."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

from intertwine._numerics import TOLERANCES
from intertwine.tracing.acting import Motion, can_act, half_reduced
from intertwine.tracing.bindings import CannotActError
from intertwine.tracing.broken_call import BrokenCall, grouped
from intertwine.tracing.calls import TypedCall, leaves
from intertwine.tracing.checking.again import again, replaced
from intertwine.tracing.checking.chains import Chain, undone
from intertwine.tracing.checking.dependence import Awaken, without_effect
from intertwine.tracing.checking.distance import distance
from intertwine.tracing.checking.elements import generating_elements
from intertwine.tracing.context import TensorType
from intertwine.tracing.models.evaluating import evaluating
from intertwine.tracing.models.value_trees import copied
from intertwine.tracing.normal_form import resolved
from intertwine.tracing.reasons import reason_of
from intertwine.tracing.record import Place, Watch, run
from intertwine.tracing.trace import Trace

# A call's own rounding stays below so many tolerances of its dtype.
MARGIN = 20


@dataclass
class Checked:
    """What the check of a run found.

    Attributes:
        breakers: one a cause, in the order of the run.
        calls: how many calls were repeated.
        blind: calls that could not be judged, with the reason.
        parted: where the run went another way than the one that was typed; empty if it did not.
        ignored: a sentence for each input that the output does not depend on.
    """

    breakers: tuple[BrokenCall, ...]
    calls: int
    blind: tuple[str, ...]
    parted: str
    ignored: tuple[str, ...] = ()


def check_calls(trace: Trace, model: nn.Module, example: Any, *, awaken: Awaken | None = None) -> Checked:
    """Repeat every call of ``model(example)`` on ``g args`` and compare with ``g f(args)``, for generators g.

    Arguments that do not depend on the input are not moved. What goes into each call is an exact image by construction,
    so that errors do not add up and every breaker is found by itself.

    Args:
        trace: types of the calls.
        model: the model with equivariant weights.
        example: as it was traced.
        awaken: draws weights that are zero; if given, it is asked which inputs have no effect, at a pass for each.
    """
    checker = _Checker(trace)
    watch = Watch(model, checker.call, trace.seams)
    with evaluating(model):
        given = copied(example)
        with torch.set_grad_enabled(trace.gradients):
            run(model, copied(example))  # layers make their state in the first run, as they did before the typed one
            with watch.watching():
                output = run(model, given)
            ignored = without_effect(trace.ends, model, example, output, awaken) if awaken else []
    blind = tuple(dict.fromkeys(checker.blind))
    whole = undone(checker.chains, leaves(output))
    broken = grouped([one for one in checker.broken if one.index not in whole])
    return Checked(broken, checker.count, blind, checker.parted, tuple(ignored))


class _Checker:
    def __init__(self, trace: Trace) -> None:
        self._acting = trace.acting
        self._calls = {call.place.index: call for call in trace.calls}
        self._motions = [Motion(trace.acting, g) for g in generating_elements(trace.group)]
        self._moved: list[WeakIdKeyDictionary] = [WeakIdKeyDictionary() for _ in self._motions]
        self._shadows: list[WeakIdKeyDictionary] = [WeakIdKeyDictionary() for _ in self._motions]
        self._others: list[list[torch.Tensor]] = []
        self.chains: list[Chain] = []
        self.broken: list[BrokenCall] = []
        self.blind: list[str] = []
        self.count = 0
        self.parted = ""

    def call(self, place: Place, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        typed = self._calls.get(place.index)
        if typed is None or self.parted:
            return function(*args, **kwargs)
        given = leaves(args, kwargs)
        if typed.place.function != place.function or typed.shapes != [tuple(t.shape) for t in given]:
            self.parted = f"{place} where the typed run had {typed.place}"
            return function(*args, **kwargs)
        if not any(kind.dynamic for kind in typed.inputs) or not typed.dynamic or not any(typed.reaching):
            return function(*args, **kwargs)
        if place.function == "grad":  # of an energy whose own calls were judged; moved arguments have no graph
            return function(*args, **kwargs)
        moved = [self._arguments(number, typed, args, kwargs) for number in range(len(self._motions))]
        chains = [chain for chain in self.chains if chain.takes(typed, given)]
        chained = [[self._chained(chain, n, typed, args, kwargs) for n in range(len(moved))] for chain in chains]
        scale = [t for t, kind in zip(given, typed.inputs, strict=True) if kind.dynamic]
        out = function(*args, **kwargs)
        result = args[0] if typed.mutates and place.function == "setitem" else out
        worst = 0.0
        self._others = []
        for number, pair in enumerate(moved):
            if pair is None:
                self.blind.append(f"{place}: its arguments are of no type that the group acts on")
                continue
            worst = max(worst, self._compared(number, typed, function, pair, result, scale))
        self.count += 1
        broken = not worst <= self._limit(result, scale)
        for chain, pairs in zip(chains, chained, strict=True):
            chain.calls |= {place.index} if broken else set()
            self._follow(chain, typed, function, pairs, result, scale)
        if broken:
            reason = reason_of(typed, args, kwargs, out, self._acting.space)
            self.broken.append(
                BrokenCall(place.module, place.function, place.source, worst, _types(typed), reason, (), place.index)
            )
            if not chains and [len(part) for part in self._others] == [len(leaves(result))] * len(moved):
                self.chains.append(Chain.begun(typed, worst, leaves(result), self._others))
        return out

    def _chained(
        self, chain: Chain, number: int, typed: TypedCall, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> Any:
        """The arguments as they really are in a chain."""
        kinds = iter(typed.inputs)

        def value(tensor: torch.Tensor) -> torch.Tensor:
            real = chain.value(number, tensor) if next(kinds).dynamic else tensor
            return real.clone() if typed.mutates else real

        return replaced((args, kwargs), value)

    def _follow(
        self,
        chain: Chain,
        typed: TypedCall,
        function: Callable[..., Any],
        pairs: list[Any],
        result: Any,
        scale: list[torch.Tensor],
    ) -> None:
        """One more call of a chain: it has come out right, or the chain goes on."""
        worst, others = 0.0, []
        for number, pair in enumerate(pairs):
            try:
                other = again(typed, function, *pair)
                others.append(leaves(other))
                for mine, moved, kind in zip(leaves(result), leaves(other), typed.outputs, strict=True):
                    worst = max(worst, distance(moved, self._move(number, mine, kind), scale))
            except CannotActError:
                worst = math.inf
            except RuntimeError:  # a shape that these arguments do not have
                chain.failed = True
                return
        # Where nothing is left of a signal nothing is undone.
        if chain.comes_right(worst, self._limit(result, scale)) and any(
            len(part.unique()) > 1 for part in leaves(result)
        ):
            chain.matched = True
        else:
            chain.keep(worst, leaves(result), others)

    def _arguments(
        self, number: int, typed: TypedCall, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """The moved arguments, or None if they cannot be moved."""
        kinds = iter(typed.inputs)
        try:
            return replaced((args, kwargs), lambda tensor: self._image(number, tensor, next(kinds), typed.mutates))
        except CannotActError:
            return None

    def _image(self, number: int, tensor: torch.Tensor, kind: TensorType, copy: bool) -> torch.Tensor:
        if not kind.dynamic:
            return tensor.clone() if copy else tensor
        shadow = self._shadows[number].get(tensor)
        if shadow is not None and shadow[0] == tensor._version:
            image: torch.Tensor = shadow[1]
        else:
            image = self._move(number, tensor, kind)
        return image.clone() if copy else image

    def _move(self, number: int, tensor: torch.Tensor, kind: TensorType) -> torch.Tensor:
        found = self._moved[number].get(tensor)
        if found is not None and found[0] == tensor._version and found[1] is kind:
            kept: torch.Tensor = found[2]
            return kept
        if kind.piece or not can_act(kind.axes):
            raise CannotActError("no action")
        image = self._motions[number](tensor, [resolved(axis) for axis in kind.axes])
        if image is tensor:
            image = tensor.view_as(tensor)
        self._moved[number][tensor] = (tensor._version, kind, image)
        return image

    def _compared(
        self,
        number: int,
        typed: TypedCall,
        function: Callable[..., Any],
        pair: tuple[tuple[Any, ...], dict[str, Any]],
        result: Any,
        scale: list[torch.Tensor],
    ) -> float:
        try:
            other = again(typed, function, *pair)
        except RuntimeError as error:  # a shape that the moved arguments do not have
            self.blind.append(f"{typed.place}: {error}")
            return float("inf")
        self._others.append(leaves(other))
        worst = 0.0
        outputs = zip(leaves(result), leaves(other), typed.outputs, typed.reaching, strict=True)
        for mine, moved, kind, reaching in outputs:
            if not reaching:
                continue
            try:
                image = self._move(number, mine, kind)
                if image.shape != moved.shape and half_reduced([one.axes for one in typed.inputs], kind.axes):
                    raise CannotActError("one coordinate without another")
                worst = max(worst, distance(moved, image, scale))
            except CannotActError:
                self._shadows[number][mine] = (mine._version, moved)
        return worst

    def _limit(self, result: Any, given: list[torch.Tensor]) -> float:
        # The coarsest dtype decides: a float64 sum of float32 features rounds as these do.
        kinds = [t.dtype for t in leaves(result, given) if t.dtype in TOLERANCES]
        return MARGIN * max((TOLERANCES[kind] for kind in kinds), default=1e-5)


def _types(typed: TypedCall) -> str:
    ins = [str(kind) for kind in typed.inputs if kind.dynamic]
    outs = [str(kind) for kind in typed.outputs]
    weights = f", with {', '.join(typed.parameters)}" if typed.parameters else ""
    return f"from {', '.join(ins[:3])} to {', '.join(outs[:2])}{weights}"
