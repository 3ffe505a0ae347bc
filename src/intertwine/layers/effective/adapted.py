"""Weights of adapted layers (peft's): what a base layer and an adapter around it multiply with together.

Adapters are known by what they hold, and no class of peft by its name: a base layer, names of active and of merged
adapters. What is said here of one is tried on it, with adapters that differ from the identity, before it is believed.
"""

import copy
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

from intertwine._numerics import TOLERANCES, widest
from intertwine.layers.effective.computed import Computed
from intertwine.layers.effective.parametrized import Parametrized, parametrized_names

CONVOLUTIONS = {3: functional.conv1d, 4: functional.conv2d, 5: functional.conv3d}
# What modules of other libraries raise for what they do not take.
FAILURES = (RuntimeError, TypeError, ValueError, LookupError, AttributeError, NotImplementedError)


def is_adapted(module: nn.Module) -> bool:
    """Whether it is a layer with an adapter around it."""
    if isinstance(module, torch.jit.ScriptModule) or not isinstance(module._modules.get("base_layer"), nn.Module):
        return False
    return all(hasattr(module, name) for name in ("get_base_layer", "active_adapters", "merged", "disable_adapters"))


def active(module: Any) -> tuple[str, ...]:
    """Names of the adapters that its forward pass applies; none where they are merged or switched off."""
    if module.merged or module.disable_adapters:
        return ()
    return tuple(module.active_adapters)


class Adapted(Computed):
    """A tensor of an adapted layer; merged or switched off it is that of the base layer."""

    remedy = "merge_and_unload()"
    attribute = "weight"

    def way_in(self, module: Any) -> str:
        """Its base and its adapters."""
        names = ", ".join(active(module)) or "none active"
        return f"its base layer, beside the adapters of {type(module).__module__}.{type(module).__name__} ({names})"

    def base(self, module: Any) -> torch.Tensor:
        """What the base layer has."""
        return cast(torch.Tensor, getattr(module.base_layer, self.attribute))

    def set_base_(self, module: Any, value: torch.Tensor) -> None:
        """Writes it, through right inverses where they are there."""
        if self.attribute in parametrized_names(module.base_layer):
            Parametrized(self.attribute).write_(module.base_layer, value)
        else:
            self.base(module).copy_(value)

    def parameters(self, module: Any) -> tuple[torch.Tensor, ...]:
        """The base's and the adapters', weights for a weight."""
        is_bias = self.attribute == "bias"
        named = module.named_parameters()
        return tuple(W for name, W in named if (name.rpartition(".")[2] == "bias") <= is_bias)

    def written(self, module: Any) -> tuple[torch.Tensor, ...]:
        """The base's alone."""
        if self.attribute in parametrized_names(module.base_layer):
            return Parametrized(self.attribute).parameters(module.base_layer)
        return (self.base(module),)

    def write_(self, module: Any, value: torch.Tensor) -> None:
        """The base takes the difference: no value of the adapter alone makes any tensor that is asked for."""
        self.set_base_(module, self.base(module) + (value - self.value(module)))


class Added(Adapted):
    """``W + sum of the adapters' deltas``, as ``get_delta_weight`` gives them (LoHa, LoKr, VeRA, FourierFT)."""

    def value(self, module: Any) -> torch.Tensor:
        """The sum."""
        W = self.base(module)
        for name in active(module):
            if name in module._get_available_adapters():
                W = W + module.get_delta_weight(name)
        return W


class Seen(Adapted):
    """The matrix of a linear map as its forward pass shows it, ``f(1) - f(0)``: as dear as one row for each input.

    What scales or turns W (IA3, OFT, BOFT, HRA) is nowhere else said alike. Nothing is written through it.
    """

    def value(self, module: Any) -> torch.Tensor:
        """Of as many rows as there are inputs."""
        W = self.base(module)
        if not active(module):
            return W
        is_transposed = hasattr(module.base_layer, "nf")
        inputs = torch.eye(W.shape[0 if is_transposed else 1], dtype=W.dtype, device=W.device)
        with undisturbed(module) as forward:
            seen = forward(inputs) - forward(torch.zeros_like(inputs[:1]))
        return cast(torch.Tensor, seen if is_transposed else seen.T)

    def write_(self, module: Any, value: torch.Tensor) -> None:
        """To the base layer, where no adapter is active.

        Raises:
            NotImplementedError: one is.
        """
        if active(module):
            raise NotImplementedError(f"{type(module).__module__} does not add to the weight")
        self.set_base_(module, value)


class AddedBias(Adapted):
    """The base's bias, and those of LoRA's second factors."""

    attribute = "bias"

    def value(self, module: Any) -> torch.Tensor:
        """Their sum."""
        b = self.base(module)
        factors = getattr(module, "lora_B", {})
        for name in active(module):
            own = getattr(factors[name], "bias", None) if name in factors else None
            if own is not None:
                b = b + module.scaling[name] * own
        return b


class SeenBias(Seen):
    """What a forward pass makes of zero."""

    attribute = "bias"

    def value(self, module: Any) -> torch.Tensor:
        """``f(0)``."""
        b = self.base(module)
        if not active(module):
            return b
        with undisturbed(module) as forward:
            return cast(torch.Tensor, forward(b.new_zeros(1, _width(module)))[0])


@contextmanager
def undisturbed(module: nn.Module) -> Iterator[Callable[..., Any]]:
    """Its forward pass without dropout and without hooks."""
    modes = [(part, part.training) for part in module.modules()]
    try:
        yield module.eval().forward
    finally:
        for part, mode in modes:
            part.training = mode


def unlike(way: Adapted, module: Any) -> str:
    """How the layer, with other adapters of the same kind, computes with another tensor; empty if it does not."""
    if module.base_layer.weight.is_meta:
        return ""
    if is_adapted(module.base_layer):
        return "one adapter stands in another"
    try:
        other = _other(module)
        with torch.no_grad(), undisturbed(other) as forward:
            expected, found = _outputs(way, other, forward)
    except FAILURES as error:
        return f"{type(error).__name__}: {error}"[:200]
    expected, found = widest(expected), widest(found)
    if expected.shape != found.shape:
        return f"outputs of shape {tuple(found.shape)} and not {tuple(expected.shape)}"
    distance, norm = (float(torch.linalg.vector_norm(x)) for x in (found - expected, found))
    # Half precision rounds at several places; no wrong formula is as near as that.
    limit = 10 * max(TOLERANCES[module.base_layer.weight.dtype], TOLERANCES[torch.float32])
    if distance <= limit * norm:
        return ""
    return f"outputs that are off by {distance:.1e}, of norm {norm:.1e}, from those of its forward pass"


def _other(module: Any) -> Any:
    """A copy with random adapters, which are active; the weight of its base, if it is not 0, is the same tensor."""
    W = module.base_layer.weight
    memo: dict[int, Any] = {id(W): W} if isinstance(W, nn.Parameter) and bool(W.any()) else {}
    other: Any = copy.deepcopy(module, memo)
    other.merged_adapters, other._disable_adapters = [], False
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for tensor in other.parameters():
            if tensor is not W and tensor.is_floating_point():
                noise = torch.randn(tensor.shape, generator=generator)
                tensor.copy_(noise * max(0.1, float(tensor.detach().abs().float().mean())))
    return other


def _outputs(way: Adapted, module: Any, forward: Callable[..., Any]) -> tuple[torch.Tensor, torch.Tensor]:
    """What ``way`` says that a few inputs become, and what they become."""
    base, W = module.base_layer, module.base_layer.weight
    if isinstance(base, nn.Embedding):
        tokens = torch.arange(min(2, base.num_embeddings), device=W.device)
        return functional.embedding(tokens, way.value(module)), forward(tokens)
    sides = [3 * stride + dilation * (k - 1) + 1 for k, stride, dilation in zip(*_windows(base), strict=True)]
    shape = (2, _width(module), *sides)
    x = torch.randn(shape, generator=torch.Generator().manual_seed(1)).to(W)
    zero = forward(torch.zeros_like(x[:1]))
    if way.attribute == "bias":
        b = way.value(module)
        return b.reshape(1, -1, *[1] * len(sides)).expand(zero.shape), zero
    found, E = forward(x) - zero, way.value(module)
    if not sides:
        return x.to(E) @ (E if hasattr(base, "nf") else E.T), found
    if base.padding_mode != "zeros":
        raise ValueError(f"padding_mode={base.padding_mode!r}, by which no adapter pads")
    groups = base.groups if E.shape[1] != base.in_channels else 1
    return CONVOLUTIONS[E.ndim](x.to(E), E, None, base.stride, base.padding, base.dilation, groups), found


def _windows(base: Any) -> tuple[tuple[int, ...], ...]:
    if base.weight.ndim == 2:
        return ((), (), ())
    return base.kernel_size, base.stride, base.dilation


def _width(module: Any) -> int:
    """How many features or channels go in."""
    base = module.base_layer
    if base.weight.ndim > 2:
        return int(base.in_channels)
    return int(base.weight.shape[0 if hasattr(base, "nf") else 1])
