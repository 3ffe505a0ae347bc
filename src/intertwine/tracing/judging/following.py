"""A chain of broken calls followed on what they really give."""

import math
from collections.abc import Callable
from typing import Any

import torch

from intertwine._numerics import TOLERANCES
from intertwine.tracing.bindings import CannotActError
from intertwine.tracing.calls import TypedCall, leaves
from intertwine.tracing.checking.again import again
from intertwine.tracing.checking.chains import HIDING, Chain
from intertwine.tracing.checking.distance import distance
from intertwine.tracing.judging.images import Images
from intertwine.tracing.models.value_trees import replaced

# A call's own rounding stays below so many tolerances of its dtype.
MARGIN = 20
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def limit_of(result: Any, given: list[torch.Tensor]) -> float:
    """So far a call may be off that commutes with the group."""
    # The coarsest dtype decides: a float64 sum of float32 features rounds as these do.
    kinds = [t.dtype for t in leaves(result, given) if t.dtype in TOLERANCES]
    return MARGIN * max((TOLERANCES[kind] for kind in kinds), default=1e-5)


def really(chain: Chain, number: int, typed: TypedCall, arguments: Arguments) -> Any:
    """The arguments as they really are in a chain."""
    kinds = iter(typed.inputs)

    def value(tensor: torch.Tensor) -> torch.Tensor:
        real = chain.value(number, tensor) if next(kinds).dynamic else tensor
        return real.clone() if typed.mutates else real

    return replaced(arguments, value)


def follow(
    chain: Chain,
    typed: TypedCall,
    function: Callable[..., Any],
    pairs: list[Any],
    result: Any,
    scale: list[torch.Tensor],
    images: Images,
) -> None:
    """One more call of a chain: it has come out right, or the chain goes on."""
    worst, others = 0.0, []
    for number, pair in enumerate(pairs):
        try:
            other = again(typed, function, *pair)
            others.append(leaves(other))
            for mine, moved, kind in zip(leaves(result), leaves(other), typed.outputs, strict=True):
                worst = max(worst, distance(moved, images.of(number, mine, kind), scale))
        except CannotActError:
            worst = math.inf
        except RuntimeError:  # a shape that these arguments do not have
            chain.failed = True
            return
    right = chain.comes_right(worst, limit_of(result, scale))
    if right and typed.place.function in HIDING:
        chain.failed = True
    # Where nothing is left of a signal nothing is undone.
    elif right and any(len(part.unique()) > 1 for part in leaves(result)):
        chain.matched = True
    else:
        chain.keep(worst, leaves(result), others)
