"""Which tensors a module computes of others, and how: the user's rule, or an adapter around a layer."""

import copy
from typing import Any

import torch
from torch import nn

from intertwine.errors import ArgumentError, listing, with_article
from intertwine.layers.effective.adapted import Adapted, Added, AddedBias, Seen, SeenBias, is_adapted, unlike
from intertwine.layers.effective.computed import Computed
from intertwine.layers.effective.low_rank import LowRank, is_dense, is_low_rank
from intertwine.layers.layer_type import LayerType, Slot
from intertwine.layers.rule import Parameters

Ways = tuple[Computed, ...]
ADVICE = "Type the base layer and the adapter's parameters by their own names, or merge_and_unload() first."


def adapted_tensors(module: nn.Module) -> dict[str, Ways]:
    """Weight and bias of an adapted layer with the ways in which adapters compute them; none of any other module."""
    base = module._modules.get("base_layer")
    weight = getattr(base, "weight", None)
    if not is_adapted(module) or not isinstance(weight, torch.Tensor) or not weight.is_floating_point():
        return {}
    is_matrix = weight.ndim == 2 and not isinstance(base, nn.Embedding)
    factors = (LowRank(),) if is_low_rank(module) else ()
    added = (Added(),) if hasattr(module, "get_delta_weight") else ()
    found: dict[str, Ways] = {"weight": (*factors, *added, *((Seen(),) if is_matrix else ()))}
    if getattr(base, "bias", None) is not None:
        found["bias"] = (AddedBias(), *((SeenBias(),) if is_matrix else ()))
    return found


def adapted_parameters(module: Any, layer_type: LayerType, of_base: Parameters) -> tuple[Slot, ...]:
    """Those of the base layer, whose names are those of the tensors that both multiply with."""
    base = module.base_layer
    if is_low_rank(module) and is_dense(module):
        base = copy.copy(base)
        base.groups = 1  # LoRA's factors do not keep the groups
    slots, known = of_base(base, layer_type), adapted_tensors(module)
    others = [slot.name for slot in slots if slot.name not in known]
    if others:
        raise ArgumentError(
            layer_type.argument,
            expected="adapters around a layer that stores a floating-point weight and at most a bias",
            got=f"{type(module).__module__}.{type(module).__name__} around {with_article(type(base).__name__)} with "
            f"{listing(others)}",
            advice=ADVICE,
        )
    return slots


def chosen(module: nn.Module, name: str, ways: Ways, argument: str) -> Computed:
    """The first of the ways that computes what the module does.

    Args:
        module: that computes.
        name: of the tensor.
        ways: in order.
        argument: what an error calls it.

    Raises:
        ArgumentError: none.
    """
    reasons = []
    for way in ways:
        reason = way.disagreement(module)
        if not reason and isinstance(way, Adapted):
            reason = unlike(way, module)
        if not reason:
            return way
        reasons.append(f"{type(way).__name__}: {reason}")
    kind = type(module)
    raise ArgumentError(
        argument,
        expected=f"an adapter that makes one weight of {name}",
        got=f"{kind.__module__}.{kind.__name__}, {'; '.join(reasons) or 'of which no way is known'}",
        advice=ADVICE,
    )
