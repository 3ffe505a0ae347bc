"""Which of several optimisers acts on which typed tensors: a binding cut into the shares that they hold."""

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from intertwine.binding import Binding, Entry
from intertwine.binding.strengths import Strength
from intertwine.decay.schedules import Schedule, Schedules


@dataclass(frozen=True)
class Share:
    """What one optimiser holds.

    Attributes:
        numbers: of the bindings, among all, of which it holds any.
        bindings: these, with the entries that it holds.
    """

    numbers: tuple[int, ...]
    bindings: tuple[Binding, ...]

    def strengths(self, schedules: Schedules) -> list[Schedule]:
        """Of its bindings, from those of all."""
        return [
            self._strength(schedules, number, bound) for number, bound in zip(self.numbers, self.bindings, strict=True)
        ]

    def _strength(self, schedules: Schedules, number: int, bound: Binding) -> Schedule:
        given = schedules.given[number]
        if len(bound) == len(schedules.bindings[number]):
            return given

        def at(steps: int) -> Strength:
            every = schedules.named(steps)[number]
            own = {entry.name: every[entry.name] for entry in bound.entries}
            values = set(own.values())
            # One number is looked up once, a mapping for each tensor by each name.
            return values.pop() if len(values) == 1 else own

        return at if callable(given) else at(0)


def shares(bindings: Sequence[Binding], optimizers: Sequence[torch.optim.Optimizer]) -> list[Share]:
    """The share of each optimiser.

    A parameter goes to every optimiser that holds it: each updates it. A buffer goes with the module that has it, and
    what none holds to the first, which refuses it unless it is frozen.
    """
    if len(optimizers) == 1:
        return [Share(tuple(range(len(bindings))), tuple(bindings))]
    held = [{id(W) for group in optimizer.param_groups for W in group["params"]} for optimizer in optimizers]
    found = []
    for position in range(len(optimizers)):
        parts = [(i, _part(bound, _holder(bound, held, position))) for i, bound in enumerate(bindings)]
        kept = [(i, part) for i, part in parts if part.entries]
        found.append(Share(tuple(i for i, _ in kept), tuple(part for _, part in kept)))
    return found


def _part(bound: Binding, holds: Callable[[Entry], bool]) -> Binding:
    entries = tuple(filter(holds, bound.entries))
    return bound if entries == bound.entries else dataclasses.replace(bound, entries=entries)


def _holder(bound: Binding, held: Sequence[set[int]], position: int) -> Callable[[Entry], bool]:
    """Whether the optimiser at a position acts on an entry."""

    def positions(entry: Entry) -> list[int]:
        if entry.kind == "buffer":
            inside = [other for other in bound.entries if other.module == entry.module and other.kind != "buffer"]
            return positions(inside[0])[:1] if inside else [0]
        sources = entry.sources(bound.model)
        return [i for i, ids in enumerate(held) if any(id(W) in ids for W in sources)] or [0]

    return lambda entry: position in positions(entry)
