"""New values for all typed tensors of a model, and the draws of their modules."""

from collections.abc import Callable, Sequence

import torch
from torch import nn

from intertwine._arguments import check_dense
from intertwine.binding.entry import Entry
from intertwine.binding.writing import check_stored, write_computed_
from intertwine.errors import ArgumentError

# The name of a module, the module, and its own initialisation.
Draw = tuple[str, nn.Module, Callable[[], object]]


def change_(model: nn.Module, entries: Sequence[Entry], value: Callable[[Entry], torch.Tensor], argument: str) -> None:
    """Every typed tensor becomes what ``value`` makes of its entry: all, or none; call it without gradients.

    Raises:
        ArgumentError: a tensor holds no values, a hook computes it, or its parametrisation cannot make the value.
            Nothing has been changed then.
    """
    check_values(model, entries)
    check_stored(model, entries, argument)
    computed = [entry for entry in entries if entry.is_computed(model)]
    # First those that may be refused.
    write_computed_(model, computed, value, argument)
    for entry in entries:
        if entry not in computed:
            entry.tensor(model).copy_(value(entry))


def check_values(model: nn.Module, entries: Sequence[Entry]) -> None:
    """Whether what is stored has values: looking at a spectral norm in training is enough to change it.

    Raises:
        ArgumentError: a tensor on the meta device, or one that is sharded.
    """
    for entry in entries:
        for tensor in entry.sources(model):
            check_dense(entry.name, tensor, values=True)


def draws_of(model: nn.Module, entries: Sequence[Entry]) -> list[Draw]:
    """The typed modules' own initialisations; modules inside a typed one first, as it has the last word.

    Raises:
        ArgumentError: a module has none.
    """
    typed = [entry for entry in entries if entry.kind in ("weight", "bias")]
    modules = {id(module): (entry.module, module) for entry in typed for module in [entry.owner(model)]}
    draws = []
    for name, module in sorted(modules.values(), key=lambda item: -len(item[0].split(".")) if item[0] else 0):
        # nn.MultiheadAttention has it under a private name.
        draw = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
        if not callable(draw):
            raise ArgumentError(
                "model",
                expected=f"{name!r} to have reset_parameters()",
                got=type(module).__name__,
                advice="Initialise it, then project_(preserve_norm=True).",
            )
        draws.append((name, module, draw))
    return draws
