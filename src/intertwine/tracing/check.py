"""Every call of a model repeated on moved arguments: what breaks the symmetry outside the weights, each by itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from intertwine.tracing.broken_call import BrokenCall, grouped
from intertwine.tracing.calls import leaves
from intertwine.tracing.checking.dependence import without_effect
from intertwine.tracing.judging.chance import OUTSIDE, differs_by_chance_outside
from intertwine.tracing.judging.checker import Checker, same_call
from intertwine.tracing.judging.weights import EquivariantWeights
from intertwine.tracing.models.preserved import preserved
from intertwine.tracing.models.value_trees import copied
from intertwine.tracing.record import Place, Watch, run
from intertwine.tracing.trace import Trace


@dataclass
class Checked:
    """What the check of a run found.

    Attributes:
        breakers: one a cause, in the order of the run.
        calls: how many calls were repeated.
        blind: calls that could not be judged, with the reason.
        parted: where the run went another way than the one that was typed; empty if it did not.
        ignored: a sentence for each input that the output does not depend on.
        alike: calls that were not repeated, by number, each with the one that speaks for it.
    """

    breakers: tuple[BrokenCall, ...]
    calls: int
    blind: tuple[str, ...]
    parted: str
    ignored: tuple[str, ...] = ()
    alike: Mapping[int, int] = field(default_factory=dict)


def check_calls(trace: Trace, weights: EquivariantWeights, example: Any, *, doubtful: bool = False) -> Checked:
    """Repeat every call of ``model(example)`` on ``g args`` and compare with ``g f(args)``, for generators g.

    Arguments that do not depend on the input are not moved. What goes into each call is an exact image by construction,
    so that errors do not add up and every breaker is found by itself. Of calls that are alike (equal blocks of a deep
    network) the first, the eighth, the 64th and so on are repeated, and all as soon as one of them breaks; calls that
    are not repeated run with the weights as they are, so that breakers are judged again in a run with equivariant ones.

    Args:
        trace: types of the calls.
        weights: the equivariant values of the model's weights.
        example: as it was traced.
        doubtful: whether to ask which inputs have no effect, at a forward pass for each.
    """
    with preserved(trace.model) as kept, torch.set_grad_enabled(trace.gradients):
        checker = Checker(trace, weights, sampled=True)
        checker.run(kept, example)
        if checker.disagreed:
            checker = Checker(trace, weights, sampled=False)
            checker.run(kept, example)
        elif checker.broken and checker.alike and not checker.parted:
            again = {one.index for one in checker.broken} | checker.carrying
            confirmed = Checker(trace, weights, sampled=False, only=again)
            confirmed.run(kept, example)
            # What could not be judged again is not taken back.
            seen = confirmed.judged | {one.index for one in confirmed.broken}
            left = [one for one in checker.broken if one.index not in seen]
            checker.broken = sorted((*confirmed.broken, *left), key=lambda one: one.index)
        if trace.draws[1] and differs_by_chance_outside(kept, trace.model, example):
            checker.blind.append(OUTSIDE)
        ignored = _ignored(trace, weights, example) if doubtful else []
    blind = tuple(dict.fromkeys(checker.blind))
    return Checked(grouped(checker.broken), checker.count, blind, checker.parted, tuple(ignored), checker.alike)


def _ignored(trace: Trace, weights: EquivariantWeights, example: Any) -> list[str]:
    """A sentence for each input that has no effect where all weights are equivariant."""
    calls = {call.place.index: call for call in trace.calls}

    def call(place: Place, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        typed = calls.get(place.index)
        if typed is None or not same_call(typed, place, leaves(args, kwargs)):
            return function(*args, **kwargs)
        written = args[0] if typed.mutates and args else None
        own_args, own_kwargs = weights.replaced(args, kwargs, typed, keep=written)
        return function(*own_args, **own_kwargs)

    def equivariant(*args: Any, **kwargs: Any) -> Any:
        with Watch(trace.model, call, trace.seams, weights.computed).watching():
            return trace.model(*args, **kwargs)

    output = run(equivariant, copied(example))
    return without_effect(trace.ends, equivariant, example, output, lambda _: weights.awaken())
