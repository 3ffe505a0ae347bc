"""Constants combined with features entry by entry, judged at drawn features, of the size of the constants.

At the values of one run a limit that no feature reaches, a factor of what is zero, or an offset far smaller than what
it is added to does not show; at others it does.
"""

import math
from collections.abc import Callable
from typing import Any

import torch

from intertwine._numerics import HALF, TOLERANCES
from intertwine.tracing.bindings import CannotActError
from intertwine.tracing.calls import TypedCall, leaves
from intertwine.tracing.checking.again import again
from intertwine.tracing.checking.distance import distance
from intertwine.tracing.functions import combine
from intertwine.tracing.judging.images import Images
from intertwine.tracing.models.value_trees import replaced
from intertwine.tracing.normal_form import is_alone

NAMES = frozenset((*combine.ADD, *combine.MULTIPLY, *combine.DIVIDE, *combine.ENTRYWISE))
# What is below so small a share of the features is nothing to them.
NOTHING = 1e-6
Arguments = tuple[tuple[Any, ...], dict[str, Any]]


def error_at_drawn(typed: TypedCall, function: Callable[..., Any], arguments: Arguments, images: Images) -> float:
    """How far a call with a constant is from equivariant at other features; 0 where that is rounding.

    Args:
        typed: the call.
        function: that it calls.
        arguments: before the call, weights being equivariant.
        images: of its run.
    """
    kinds, given = typed.inputs, leaves(arguments)
    constants = [tensor for tensor, kind in zip(given, kinds, strict=True) if _counts(tensor) and not kind.dynamic]
    moved = any(not is_alone(axis) for kind in kinds if not kind.dynamic for axis in kind.axes)
    if typed.place.function not in NAMES or not constants or not moved or not images.acts(typed):
        return 0.0
    low, high = min(float(c.min()) for c in constants), max(float(c.max()) for c in constants)
    size = max(-low, high)
    if not math.isfinite(size):  # masks of infinities show at all features
        return 0.0
    features = [tensor for tensor, kind in zip(given, kinds, strict=True) if kind.dynamic and _counts(tensor)]
    if typed.place.function in combine.ADD and size <= NOTHING * max(
        (float(f.abs().max()) for f in features), default=0
    ):
        return 0.0
    drawn = [
        _drawn(tensor, low - (size or 1), high + (size or 1), seed) if kind.dynamic else tensor
        for seed, (tensor, kind) in enumerate(zip(given, kinds, strict=True))
    ]
    try:
        return _error(typed, function, arguments, drawn, images)
    except (CannotActError, RuntimeError):  # of no type that the group acts on; or of a shape that moved ones have not
        return 0.0


def _error(
    typed: TypedCall, function: Callable[..., Any], arguments: Arguments, drawn: list[torch.Tensor], images: Images
) -> float:
    def filled(tensors: list[torch.Tensor]) -> Arguments:
        left = iter(tensors)
        found: Arguments = replaced(arguments, lambda _: next(left).clone())
        return found

    own = leaves(again(typed, function, *filled(drawn)))
    worst = 0.0
    for number in range(images.count):
        moved = [images.of(number, x, kind) if kind.dynamic else x for x, kind in zip(drawn, typed.inputs, strict=True)]
        for one, other, kind in zip(own, leaves(again(typed, function, *filled(moved))), typed.outputs, strict=True):
            worst = max(worst, distance(other, images.of(number, one, kind), drawn))
    return worst if worst > max(map(_limit, own), default=0.0) else 0.0


def _limit(made: torch.Tensor) -> float:
    return TOLERANCES.get(made.dtype, 1e-5) * (1 if made.dtype in HALF else 20)


def _counts(tensor: torch.Tensor) -> bool:
    return tensor.numel() > 0 and (tensor.is_floating_point() or tensor.dtype == torch.bool)


def _drawn(tensor: torch.Tensor, low: float, high: float, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    share = torch.rand(tensor.shape, generator=generator, dtype=torch.float64)
    if tensor.dtype == torch.bool:
        return (share < 0.5).to(tensor.device)
    if not tensor.is_floating_point():
        return tensor
    return (low + (high - low) * share).to(tensor)
