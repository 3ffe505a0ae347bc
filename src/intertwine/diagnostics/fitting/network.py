"""A traced model whose hidden representations are open: its unknowns, and where they stand in weights and features."""

from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from intertwine.diagnostics.fitting.occurrences import Occurrence, occurrences
from intertwine.representations import Representation
from intertwine.tracing.acting import Acting
from intertwine.tracing.axes import Unknown
from intertwine.tracing.calls import TypedCall
from intertwine.tracing.context import ParameterUse
from intertwine.tracing.models.evaluating import evaluating
from intertwine.tracing.models.value_trees import copied
from intertwine.tracing.normal_form import carried, is_alone, resolved
from intertwine.tracing.record import Handler, Watch, run
from intertwine.tracing.trace import Trace


@dataclass(frozen=True, eq=False)
class Weight:
    """A parameter, or a running statistic, that hidden features act on.

    Attributes:
        name: in the model.
        use: how the run used it.
        places: where unknowns stand on it.
    """

    name: str
    use: ParameterUse
    places: tuple[Occurrence, ...]


@dataclass(frozen=True, eq=False)
class Features:
    """A tensor of the run that unknowns stand on: output ``position`` of the call of this number."""

    call: TypedCall
    position: int
    places: tuple[Occurrence, ...]


@dataclass(eq=False)
class Network:
    """What one run says of a model, with its hidden representations open.

    Attributes:
        trace: the run.
        nodes: the unknowns, in order.
        weights: every parameter and running statistic that the group acts on, by name.
        features: tensors that unknowns stand on, in order.
    """

    trace: Trace
    nodes: tuple[Unknown, ...]
    weights: dict[str, Weight] = field(default_factory=dict)
    features: list[Features] = field(default_factory=list)

    @classmethod
    def of(cls, trace: Trace, model: nn.Module) -> "Network":
        """From a finished trace: what its policy chose is open again."""
        found = cls(trace, tuple(trace.chosen))
        nodes = frozenset(found.nodes)
        for node in found.nodes:
            node.bound = None
        tensors = dict((*model.named_parameters(), *model.named_buffers()))
        buffers = {name for name, _ in model.named_buffers()}
        for name, use in trace.context.uses.items():
            tensor = tensors.get(name)
            if tensor is None or not tensor.is_floating_point() or (name in buffers and not use.statistic):
                continue
            places = tuple(place for place in occurrences(use.type.axes, nodes))
            if places or not all(is_alone(resolved(axis)) for axis in use.type.axes):
                found.weights[name] = Weight(name, use, places)
        for call in trace.calls:
            for position, kind in enumerate(call.outputs):
                if kind.dynamic:
                    places = tuple(place for place in occurrences(kind.axes, nodes) if place.is_movable)
                    if places:
                        found.features.append(Features(call, position, places))
        return found

    @property
    def acting(self) -> Acting:
        """How the group moves typed tensors."""
        return self.trace.acting

    def run(self, model: nn.Module, example: Any, handler: Handler | None = None) -> Any:
        """What a model of this structure gives, on a copy of the example, each call in it through ``handler``."""
        with evaluating(model), torch.set_grad_enabled(self.trace.gradients):
            given = copied(example)
            with nullcontext() if handler is None else Watch(model, handler).watching():
                return run(model, given)

    def carry(self, representations: tuple[Representation, ...]) -> None:
        """Say what every unknown carries, in place of what was said before."""
        for node, rep in zip(self.nodes, representations, strict=True):
            node.bound = carried(rep)

    def weights_of(self, node: Unknown) -> list[tuple[Weight, Occurrence]]:
        """The weights that one unknown stands on."""
        return [(weight, place) for weight in self.weights.values() for place in weight.places if place.node is node]


def values(model: nn.Module, names: Any) -> dict[str, torch.Tensor]:
    """The tensors of these names in double precision, without gradients."""
    tensors = dict((*model.named_parameters(), *model.named_buffers()))
    return {name: tensors[name].detach().to(torch.float64) for name in names}
