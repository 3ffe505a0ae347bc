"""One run of a model in which calls are judged, each on moved arguments."""

from collections.abc import Callable, Collection
from typing import Any

import torch

from intertwine.tracing.acting import half_reduced
from intertwine.tracing.bindings import CannotActError
from intertwine.tracing.broken_call import BrokenCall
from intertwine.tracing.calls import TypedCall, leaves
from intertwine.tracing.checking.again import again
from intertwine.tracing.checking.chains import Chain, undone
from intertwine.tracing.checking.distance import Scale, distance
from intertwine.tracing.judging.alike import Likeness, Likenesses, is_generic
from intertwine.tracing.judging.chance import drawn_by
from intertwine.tracing.judging.constants import error_at_drawn
from intertwine.tracing.judging.following import Arguments, follow, limit_of, really
from intertwine.tracing.judging.images import Images
from intertwine.tracing.judging.weights import EquivariantWeights
from intertwine.tracing.judging.written import Parts, Whole, Wholes, written
from intertwine.tracing.models.preserved import Preserved
from intertwine.tracing.models.value_trees import copied
from intertwine.tracing.reasons import reason_of
from intertwine.tracing.record import Place, Watch, run
from intertwine.tracing.trace import Trace


class Checker:
    """One run with its calls judged: of those that are alike some if ``sampled``, ``only`` these if given."""

    def __init__(
        self, trace: Trace, weights: EquivariantWeights, *, sampled: bool, only: Collection[int] | None = None
    ) -> None:
        self.weights, self._trace, self._only = weights, trace, only
        self._calls = {call.place.index: call for call in trace.calls}
        self._images = Images(trace.acting)
        self._likenesses = Likenesses(weights) if sampled else None
        self._others: list[list[torch.Tensor]] = []
        self._wholes = Wholes() if any(call.mutates for call in trace.calls) else None
        self._draws: Callable[[], list[torch.Tensor]] | None = None
        self._by_chance: list[BrokenCall] = []
        self.chains: list[Chain] = []
        self.broken: list[BrokenCall] = []
        self.blind: list[str] = []
        self.alike: dict[int, int] = {}
        self.count = 0
        # Calls that were repeated for every element, and those on whose results the group acts only through them.
        self.judged: set[int] = set()
        self.carrying: set[int] = set()
        self.parted = ""
        self.disagreed = False

    def run(self, kept: Preserved, example: Any) -> None:
        """Run the model."""
        kept.draw_alike()
        self._draws = kept.draws if self._trace.draws[0] else None
        given = copied(example)
        with Watch(self._trace.model, self.call, self._trace.seams, self.weights.computed).watching():
            output = run(self._trace.model, given)
        whole = undone(self.chains, leaves(output))
        by_chance = {one.index for one in self._by_chance}
        self.broken = [one for one in self.broken if one.index not in whole | by_chance] + self._by_chance
        self.broken.sort(key=lambda one: one.index)

    def call(self, place: Place, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """One call of the run, judged where it can be."""
        typed = self._calls.get(place.index)
        if typed is None:
            return self._called(typed, place, function, args, kwargs)
        before = self._draws() if self._draws is not None and any(typed.reaching) else []
        if self._wholes is not None:
            self._wholes.note(leaves(args, kwargs), typed.inputs)
        out = self._called(typed, place, function, args, kwargs)
        if self._wholes is not None:
            self._wholes.note(leaves(args[0] if typed.mutates and place.function == "setitem" else out), typed.outputs)
        if self._draws is not None and not all(map(torch.equal, before, self._draws())):
            found = drawn_by(typed, function, args, kwargs, out)
            self._by_chance += [] if found is None else [found]
        return out

    def _called(
        self,
        typed: TypedCall | None,
        place: Place,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
    ) -> Any:
        given = leaves(args, kwargs)
        if typed is not None and not self.parted and not same_call(typed, place, given):
            self.parted = f"{place} where the typed run had {typed.place}"
        if typed is None or self.parted:
            return function(*args, **kwargs)
        if not any(kind.dynamic for kind in typed.inputs) or not typed.dynamic:
            return self._unjudged(typed, function, args, kwargs, constant=True)
        # The gradient is that of an energy whose own calls were judged; moved arguments have no graph.
        if not any(typed.reaching) or place.function == "grad":
            return self._unjudged(typed, function, args, kwargs)
        chains = [chain for chain in self.chains if chain.takes(typed, given)]
        if self._only is not None and place.index not in self._only:
            return self._unjudged(typed, function, args, kwargs)
        likeness, known, whole = None, False, None
        if self._wholes is not None and typed.mutates:
            whole = self._wholes.behind(written(args, kwargs))
        # What is written into a part depends on where the part lies.
        if self._likenesses is not None and whole is None and self._images.acts(typed):
            likeness = self._likenesses.of(function, typed, args, kwargs)
            known = likeness.speaks()
        if known and likeness is not None:
            self.alike[place.index] = likeness.first if likeness.first is not None else place.index
            if not chains:
                return function(*args, **kwargs)
        arguments, asked = self.weights.replaced(args, kwargs, typed), None if known else likeness
        return self._judged(typed, function, arguments, chains, asked, whole, known=known)

    def _unjudged(
        self,
        typed: TypedCall,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        *,
        constant: bool = False,
    ) -> Any:
        """With equivariant weights, of which constants are made."""
        written = args[0] if typed.mutates and args else None
        own_args, own_kwargs = self.weights.replaced(args, kwargs, typed, keep=written)
        out = function(*own_args, **own_kwargs)
        for tensor in leaves(out) if constant else ():
            self.weights.made(tensor)
        if constant and self._likenesses is not None:
            self._likenesses.made(function, out, args, kwargs)
        return out

    def _judged(
        self,
        typed: TypedCall,
        function: Callable[..., Any],
        arguments: Arguments,
        chains: list[Chain],
        likeness: Likeness | None,
        whole: Whole | None,
        *,
        known: bool,
    ) -> Any:
        (args, kwargs), place, elements = arguments, typed.place, range(self._images.count)
        # What is known of a call is not asked again: it is one of a chain, which goes on.
        moved = [] if known else [self._images.arguments(number, typed, arguments) for number in elements]
        chained = [[really(chain, number, typed, arguments) for number in elements] for chain in chains]
        dynamic = [(tensor, kind) for tensor, kind in zip(leaves(arguments), typed.inputs, strict=True) if kind.dynamic]
        generic = likeness is None or likeness.first is not None or all(is_generic(*pair) for pair in dynamic)
        scale = Scale(tensor for tensor, _ in dynamic)
        parts = None if whole is None else Parts(whole, typed, arguments, self._images)
        constant = 0.0 if known else error_at_drawn(typed, function, arguments, self._images)
        out = function(*args, **kwargs)
        result = args[0] if typed.mutates and place.function == "setitem" else out
        if other_shapes(typed, leaves(result)):
            self.parted = f"{place}, whose results have other shapes than in the typed run"
            return out
        worst = 0.0
        self._others = []
        for number, pair in enumerate(moved):
            if pair is None:
                self.blind.append(f"{place}: its arguments are of no type that the group acts on")
                continue
            worst = max(worst, self._compared(number, typed, function, pair, result, scale))
        if parts is not None:
            worst = max(worst, parts.error(function, moved, scale))
            self.blind += parts.blind
            self.carrying |= {place.index} if parts.kept else set()
        self.count += not known
        if not known and None not in moved:
            self.judged.add(place.index)
        generic &= place.index not in self.carrying
        seen = not worst <= limit_of(result, scale)
        broken, worst = seen or constant > 0, max(worst, constant)
        for chain, pairs in zip(chains, chained, strict=True):
            chain.calls |= {place.index} if broken else set()
            follow(chain, typed, function, pairs, result, scale, self._images)
        if likeness is not None and not likeness.judged(place.index, commutes=not broken, generic=generic):
            self.disagreed = True
        if broken:
            reason = reason_of(typed, args, kwargs, out, self._trace.acting.space)
            self.broken.append(
                BrokenCall(place.module, place.function, place.source, worst, _types(typed), reason, (), place.index)
            )
            alone = seen and self._only is None and not chains  # chains were followed in the first run
            if alone and [len(part) for part in self._others] == [len(leaves(result))] * len(moved):
                self.chains.append(Chain.begun(typed, worst, leaves(result), self._others))
        return out

    def _compared(
        self,
        number: int,
        typed: TypedCall,
        function: Callable[..., Any],
        pair: Arguments,
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
                image = self._images.of(number, mine, kind)
                if image.shape != moved.shape and half_reduced([one.axes for one in typed.inputs], kind.axes):
                    raise CannotActError("one coordinate without another")
                worst = max(worst, distance(moved, image, scale))
            except CannotActError:
                self._images.keep(number, mine, moved)
                self.carrying.add(typed.place.index)
        return worst


def same_call(typed: TypedCall, place: Place, given: list[torch.Tensor]) -> bool:
    """Whether a call is the one that was typed: function, path, line and shapes."""
    then = typed.place
    where = (then.function, then.module, then.source) == (place.function, place.module, place.source)
    return where and typed.shapes == [tuple(tensor.shape) for tensor in given]


def other_shapes(typed: TypedCall, made: list[torch.Tensor]) -> bool:
    """Whether a call of equal arguments gave other shapes: numbers that Python read from weights differ (routing)."""
    return any(
        kind.dynamic and tuple(tensor.shape) != tuple(axis.size for axis in kind.axes)
        for tensor, kind in zip(made, typed.outputs, strict=False)
    )


def _types(typed: TypedCall) -> str:
    ins = [str(kind) for kind in typed.inputs if kind.dynamic]
    outs = [str(kind) for kind in typed.outputs]
    weights = f", with {', '.join(typed.parameters)}" if typed.parameters else ""
    return f"from {', '.join(ins[:3])} to {', '.join(outs[:2])}{weights}"
