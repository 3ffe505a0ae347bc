"""What may be done to single channels: which functions leave room for signs and for positive factors."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from intertwine.diagnostics.fitting.network import Network
from intertwine.diagnostics.fitting.occurrences import occurrences
from intertwine.tracing.axes import Unknown
from intertwine.tracing.calls import TypedCall, leaves
from intertwine.tracing.models.value_trees import mapped
from intertwine.tracing.record import Place

# Functions that are linear in their features, whose weights take up what is done to these.
LINEAR = frozenset(
    ["linear", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d", "addmm"]
)
# Their weights and statistics take up signs, but factors not.
NORMS = frozenset(["batch_norm"])
ALIKE = 1e-4


@dataclass
class Freedom:
    """Which unknowns meet functions that commute with signs, and with positive factors, of single channels."""

    signs: set[Unknown] = field(default_factory=set)
    factors: set[Unknown] = field(default_factory=set)


def freedom(network: Network, model: nn.Module, example: Any) -> Freedom:
    """Every call that an unknown passes through is repeated with its arguments negated, and doubled.

    A call with weights that is linear takes either up in its weights. A call that takes an unknown in and does not give
    it back (a norm of it, a product with another) is taken to allow neither.
    """
    found = Freedom(set(network.nodes), set(network.nodes))
    nodes = frozenset(network.nodes)
    calls = {call.place.index: call for call in network.trace.calls}

    def call(place: Place, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        typed = calls.get(place.index)
        before = {one.node for kind in typed.inputs for one in occurrences(kind.axes, nodes)} if typed else set()
        if typed is None or not before or not typed.dynamic or place.function in LINEAR:
            return function(*args, **kwargs)
        after = {one.node for kind in typed.outputs for one in occurrences(kind.axes, nodes)}
        images = [_repeated(typed, function, args, kwargs, factor) for factor in (-1.0, 2.0)]
        out = function(*args, **kwargs)
        for allowed, factor, image in zip((found.signs, found.factors), (-1.0, 2.0), images, strict=True):
            taken_up = (place.function in NORMS and factor < 0) or _alike(image, out, factor)
            allowed.difference_update(before - after if taken_up else before)
        return out

    network.run(model, example, call)
    return found


def _repeated(
    typed: TypedCall, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any], factor: float
) -> Any:
    kinds = iter(typed.inputs)

    def changed(tensor: torch.Tensor) -> torch.Tensor:
        kind = next(kinds, None)
        floating = tensor.is_floating_point()
        return tensor * factor if kind is not None and kind.dynamic and floating else tensor.clone()

    try:
        new_args, new_kwargs = mapped((args, kwargs), changed)
        return function(*new_args, **new_kwargs)
    except (RuntimeError, TypeError, ValueError):
        return None


def _alike(image: Any, out: Any, factor: float) -> bool:
    ours, wanted = leaves(image), leaves(out)
    if len(ours) != len(wanted):
        return False
    for mine, other in zip(ours, wanted, strict=True):
        if not other.is_floating_point():
            continue
        scale = float(torch.linalg.vector_norm(other))
        if float(torch.linalg.vector_norm(mine - factor * other)) > ALIKE * max(scale, 1e-30):
            return False
    return True
