"""One run of a model in which calls are judged, each on moved arguments."""

import math
from collections.abc import Callable, Collection
from typing import Any

import torch

from intertwine._numerics import TOLERANCES
from intertwine.tracing.acting import half_reduced
from intertwine.tracing.bindings import CannotActError
from intertwine.tracing.broken_call import BrokenCall
from intertwine.tracing.calls import TypedCall, leaves
from intertwine.tracing.checking.again import again
from intertwine.tracing.checking.chains import Chain, undone
from intertwine.tracing.checking.distance import distance
from intertwine.tracing.judging.alike import Likeness, Likenesses, is_generic
from intertwine.tracing.judging.images import Images
from intertwine.tracing.judging.weights import EquivariantWeights
from intertwine.tracing.models.preserved import Preserved
from intertwine.tracing.models.value_trees import copied, replaced
from intertwine.tracing.reasons import reason_of
from intertwine.tracing.record import Place, Watch, run
from intertwine.tracing.trace import Trace

# A call's own rounding stays below so many tolerances of its dtype.
MARGIN = 20
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


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
        given = copied(example)
        with Watch(self._trace.model, self.call, self._trace.seams, self.weights.computed).watching():
            output = run(self._trace.model, given)
        whole = undone(self.chains, leaves(output))
        self.broken = [one for one in self.broken if one.index not in whole]

    def call(self, place: Place, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        typed = self._calls.get(place.index)
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
        if self._only is not None and place.index not in self._only and not chains:
            return self._unjudged(typed, function, args, kwargs)
        likeness = None
        if self._likenesses is not None and not chains and self._images.acts(typed):
            likeness = self._likenesses.of(function, typed, args, kwargs)
            if likeness.speaks():
                self.alike[place.index] = likeness.first if likeness.first is not None else place.index
                return function(*args, **kwargs)
        return self._judged(typed, function, self.weights.replaced(args, kwargs, typed), chains, likeness)

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
    ) -> Any:
        (args, kwargs), place, elements = arguments, typed.place, range(self._images.count)
        moved = [self._images.arguments(number, typed, arguments) for number in elements]
        chained = [[self._chained(chain, number, typed, arguments) for number in elements] for chain in chains]
        dynamic = [(tensor, kind) for tensor, kind in zip(leaves(arguments), typed.inputs, strict=True) if kind.dynamic]
        generic = likeness is None or likeness.first is not None or all(is_generic(*pair) for pair in dynamic)
        scale = [tensor for tensor, _ in dynamic]
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
        self.count += 1
        if None not in moved:
            self.judged.add(place.index)
        generic &= place.index not in self.carrying
        broken = not worst <= _limit(result, scale)
        for chain, pairs in zip(chains, chained, strict=True):
            chain.calls |= {place.index} if broken else set()
            self._follow(chain, typed, function, pairs, result, scale)
        if likeness is not None and not likeness.judged(place.index, commutes=not broken, generic=generic):
            self.disagreed = True
        if broken:
            reason = reason_of(typed, args, kwargs, out, self._trace.acting.space)
            self.broken.append(
                BrokenCall(place.module, place.function, place.source, worst, _types(typed), reason, (), place.index)
            )
            if not chains and [len(part) for part in self._others] == [len(leaves(result))] * len(moved):
                self.chains.append(Chain.begun(typed, worst, leaves(result), self._others))
        return out

    def _chained(self, chain: Chain, number: int, typed: TypedCall, arguments: Arguments) -> Any:
        """The arguments as they really are in a chain."""
        kinds = iter(typed.inputs)

        def value(tensor: torch.Tensor) -> torch.Tensor:
            real = chain.value(number, tensor) if next(kinds).dynamic else tensor
            return real.clone() if typed.mutates else real

        return replaced(arguments, value)

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
                    worst = max(worst, distance(moved, self._images.of(number, mine, kind), scale))
            except CannotActError:
                worst = math.inf
            except RuntimeError:  # a shape that these arguments do not have
                chain.failed = True
                return
        # Where nothing is left of a signal nothing is undone.
        if chain.comes_right(worst, _limit(result, scale)) and any(len(part.unique()) > 1 for part in leaves(result)):
            chain.matched = True
        else:
            chain.keep(worst, leaves(result), others)

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


def _limit(result: Any, given: list[torch.Tensor]) -> float:
    # The coarsest dtype decides: a float64 sum of float32 features rounds as these do.
    kinds = [t.dtype for t in leaves(result, given) if t.dtype in TOLERANCES]
    return MARGIN * max((TOLERANCES[kind] for kind in kinds), default=1e-5)


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
