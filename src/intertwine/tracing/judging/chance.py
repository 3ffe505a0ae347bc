"""Random numbers that reach the output: a function that differs from itself commutes with nothing."""

from collections.abc import Callable
from typing import Any

import torch

from intertwine.tracing.broken_call import BrokenCall
from intertwine.tracing.calls import TypedCall, leaves
from intertwine.tracing.checking.distance import distance
from intertwine.tracing.models.preserved import Preserved
from intertwine.tracing.models.value_trees import copied, replaced, tensors
from intertwine.tracing.record import run

DRAWS = (
    "draws random numbers in every run, in eval mode too, so that the output differs from itself and can be "
    "equivariant in distribution at most. Leave it out, or draw from a generator of one seed"
)
OUTSIDE = "random numbers of numpy or Python: they change the output from run to run"


def drawn_by(
    typed: TypedCall, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], out: Any
) -> BrokenCall | None:
    """A call that has drawn random numbers as a breaker; None if it gives the same each time all the same."""
    place = typed.place
    again = function(*replaced(args, torch.clone), **replaced(kwargs, torch.clone))
    pairs = zip(leaves(again), leaves(out), strict=False)
    error = max((distance(other, own, []) for other, own in pairs if other is not own), default=0.0)
    if error == 0:
        return None
    kinds = f"to {', '.join(str(kind) for kind in typed.outputs[:2])}"
    return BrokenCall(place.module, place.function, place.source, error, kinds, DRAWS, (), place.index)


def differs_by_chance_outside(kept: Preserved, model: Callable[..., Any], example: Any) -> bool:
    """Whether numbers that torch does not draw change what the model gives."""
    results = []
    for first in (True, False):
        kept.draw_alike(by_torch_alone=not first)
        results.append(list(tensors(run(model, copied(example)))))
    one, two = results
    return [t.shape for t in one] != [t.shape for t in two] or any(
        not torch.equal(a.nan_to_num(), b.nan_to_num()) for a, b in zip(one, two, strict=True)
    )
