"""Proximal steps that wait to be taken together, every so many steps of the optimiser."""

import math
from collections.abc import Mapping
from typing import Any

from intertwine.decay.targets import Pairs, Target
from intertwine.errors import ArgumentError
from intertwine.projectors import Projector
from intertwine.projectors.norms.proximal import Rate

# The strengths of a tensor's projectors with the learning rate of one step.
Wait = tuple[Pairs, Rate | None]


class Due:
    """What has not been taken yet, by tensor.

    The steps that wait are one proximal step of the sum of their ``lr s``,
    ``argmin |X - W|^2 / 2 + sum lr s / 2 |X - P X|^2``. So weights come to rest where they do with a step each time, at
    ``d / (lr s)`` under a loss that moves the residual by d a step; divided by the product of all ``1 + lr s`` they
    would rest nearer to equivariant.

    Args:
        every: how many steps wait for each other; 1 for none.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self._waiting: dict[tuple[int, int], list[Wait]] = {}

    def add(self, target: Target, pairs: Pairs, rate: Rate | None) -> None:
        """A step of a tensor that the optimiser updated."""
        self._waiting.setdefault(_key(target), []).append((pairs, rate))

    def take(self, target: Target) -> Wait | None:
        """What is to be done for a tensor; it waits no longer."""
        waiting = self._waiting.pop(_key(target), [])
        if len(waiting) < 2:
            return waiting[0] if waiting else None
        pairs = waiting[0][0]
        if all(own == pairs for own, _ in waiting):
            rates = [rate for _, rate in waiting if rate is not None]
            return pairs, sum(rates[1:], rates[0]) if rates else None
        totals: dict[int, tuple[Projector, float]] = {}
        for own, rate in waiting:
            for P, s in own:
                before = totals.get(id(P), (P, 0.0))[1]
                totals[id(P)] = P, before + (s if s == math.inf else s * float(rate or 0.0))
        return tuple((P, s) for P, s in totals.values() if s), 1.0

    def state(self) -> list[list[Any]]:
        """``[binding, entry, [[rate, strength, ...], ...]]`` for each tensor, numbers alone."""
        return [
            [*key, [[None if rate is None else float(rate), *(s for _, s in pairs)] for pairs, rate in waiting]]
            for key, waiting in self._waiting.items()
        ]

    def load(self, state: Any, targets: Mapping[tuple[int, int], Target]) -> None:
        """Takes up a state.

        Args:
            state: as ``state`` gives it.
            targets: the tensors by the numbers of binding and entry.

        Raises:
            ArgumentError: it is none, or one of other tensors.
        """
        waiting: dict[tuple[int, int], list[Wait]] = {}
        try:
            for binding, entry, steps in state:
                projectors = [term.entry.projector for term in targets[binding, entry].terms]
                for rate, *strengths in steps:
                    pairs = tuple((P, float(s)) for P, s in zip(projectors, strengths, strict=True))
                    waiting.setdefault((binding, entry), []).append((pairs, None if rate is None else float(rate)))
        except (TypeError, ValueError, KeyError) as error:
            raise ArgumentError(
                "state", expected="what state_dict gave for the same bindings", got=repr(state)[:80]
            ) from error
        self._waiting = waiting


def by_key(targets: tuple[Target, ...]) -> dict[tuple[int, int], Target]:
    """The tensors as ``Due.load`` wants them."""
    return {_key(target): target for target in targets}


def _key(target: Target) -> tuple[int, int]:
    return target.terms[0].binding, target.terms[0].position
