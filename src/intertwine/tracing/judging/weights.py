"""The equivariant values of a model's weights, made one by one where a call takes them: the model stays as it is."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.utils.weak import WeakIdKeyDictionary

from intertwine._numerics import HALF
from intertwine.layers.channels.output_fields import project_at_scale
from intertwine.projectors import Projector
from intertwine.tracing.bindings import UntypedError
from intertwine.tracing.calls import TypedCall
from intertwine.tracing.context import ParameterUse, TensorType
from intertwine.tracing.models.value_trees import replaced
from intertwine.tracing.parameters import ParameterTypes, TypedParameter


class EquivariantWeights:
    """``P W`` in place of W, for the typed tensors among the arguments of a call.

    Args:
        model: the model; parameters tied under several names are one.
        typed: projectors by the name of the parameter, buffer or parametrised tensor.
        free: names of those whose every value is equivariant.
        types: of what the model has kept of its weights since a run before.
    """

    def __init__(
        self, model: nn.Module, typed: Mapping[str, TypedParameter], free: Sequence[str], types: ParameterTypes
    ) -> None:
        self._typed = {name: one for first, one in typed.items() for name in one.joined or (first,)}
        self._free, self._types, self._model = set(free), types, model
        self._drawn: WeakIdKeyDictionary = WeakIdKeyDictionary()
        # Those of the model live as long as this; what a parametrisation computes does not.
        self._stored: dict[int, tuple[torch.Tensor, str]] = {}
        self._computed: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self._awake = False
        self._made: WeakIdKeyDictionary = WeakIdKeyDictionary()
        self._buffers = {name for name, _ in model.named_buffers(remove_duplicate=False)}
        stored = (*model.named_parameters(remove_duplicate=False), *model.named_buffers(remove_duplicate=False))
        for name, tensor in stored:
            if id(tensor) not in self._stored or name in self._typed:
                self._stored[id(tensor)] = tensor, name
        self._joined = {name: tensor for name, tensor in stored if name in self._typed and self._typed[name].joined}

    def computed(self, name: str, value: torch.Tensor) -> None:
        """The model has a tensor of this name, which a parametrisation may have computed."""
        if id(value) not in self._stored and (value not in self._computed or name in self._typed):
            self._computed[value] = name

    def awaken(self) -> bool:
        """From here on parameters that are zero have drawn values, equivariant ones; whether there are any."""
        generator = torch.Generator().manual_seed(0)
        for name, parameter in self._model.named_parameters():
            if parameter.is_floating_point() and not parameter.detach().any():
                drawn = 0.1 * torch.randn(parameter.shape, generator=generator, dtype=torch.float64)
                own = self._typed.get(name)
                plain = own is None or bool(own.joined)
                value = drawn if own is None or plain else own.projector.project(drawn)
                if value.any():
                    self._drawn[parameter] = value.to(parameter.device, parameter.dtype)
        self._awake = bool(len(self._drawn))
        return self._awake

    def made(self, tensor: torch.Tensor) -> None:
        """The tensor was made of equivariant weights."""
        self._made[tensor] = None

    def owns(self, tensor: torch.Tensor) -> bool:
        """Whether it is a parameter or buffer, or a parametrisation's."""
        return self._name(tensor) is not None

    def is_free(self, tensor: torch.Tensor) -> bool:
        """Whether its every value is equivariant."""
        return self._name(tensor) in self._free

    def _name(self, tensor: torch.Tensor) -> str | None:
        stored = self._stored.get(id(tensor))
        if stored is not None or not self._computed.data:
            return None if stored is None else stored[1]
        name: str | None = self._computed.get(tensor)
        return name

    def projector(self, tensor: torch.Tensor, kind: TensorType | None = None) -> Projector | None:
        """The projector of a typed tensor, or of type ``kind`` where the model kept it of weights in a run before."""
        name = self._name(tensor)
        if name is not None:
            own = self._typed.get(name)
            return None if own is None else own.projector
        if kind is None or kind.dynamic or tensor in self._made or set(kind.parameters) <= self._buffers:
            return None
        try:
            typed = self._types.typed(ParameterUse(kind), tuple(tensor.shape))
        except UntypedError:
            return None
        return None if typed is None else typed.projector

    def replaced(
        self, args: tuple[Any, ...], kwargs: dict[str, Any], typed: TypedCall, *, keep: object = None
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The arguments of a call with ``P W`` for W, but for ``keep``."""
        kinds = iter(typed.inputs)
        values: dict[int, torch.Tensor] = {}

        def value(tensor: torch.Tensor) -> torch.Tensor:
            kind = next(kinds, None)  # what is multiplied by zero is no input
            if self._awake and tensor in self._drawn:
                awake: torch.Tensor = self._drawn[tensor]
                return awake
            P = None if tensor is keep else self.projector(tensor, kind)
            if P is None:
                return tensor
            if id(tensor) not in values:
                values[id(tensor)] = self._value(P, tensor)
            return values[id(tensor)]

        found: tuple[tuple[Any, ...], dict[str, Any]] = replaced((args, kwargs), value)
        return found

    @torch.no_grad()
    def _value(self, P: Projector, tensor: torch.Tensor) -> torch.Tensor:
        name = self._name(tensor) or ""
        own = self._typed.get(name)
        if own is None or not own.joined:
            return _projected(P, tensor.detach())
        parts = [self._joined[name].detach() for name in own.joined]
        flat = [part.flatten(own.start, part.ndim - own.last - 1) for part in parts]
        whole = _projected(P, torch.cat(flat, own.start))
        values = whole.split([part.shape[own.start] for part in flat], own.start)
        return values[own.joined.index(name)].reshape(tensor.shape)


def _projected(P: Projector, W: torch.Tensor) -> torch.Tensor:
    # Weights near the limits of their dtype need a scale, which takes three times as long.
    image = W if W.dtype in HALF else P.project(W)
    return image if image is not W and math.isfinite(float(image.sum().abs())) else project_at_scale(P, W)
