"""Proximal steps that wait to be taken together, every so many steps of the optimiser."""

import math
from collections.abc import Mapping
from typing import Any

import torch

from intertwine.decay.targets import Pairs, Target
from intertwine.errors import ArgumentError
from intertwine.projectors.norms.proximal import Rate

# The strengths of a tensor's projectors with the learning rate of one step.
Wait = tuple[Pairs, Rate | None]


class Due:
    """What has not been taken yet, by tensor.

    Where one projector measures in the plain norm, k proximal steps of the residual, whose gradient has no part in
    them, are one: a division by the product of all ``1 + lr s``. Steps of several projectors, or in a norm of its own,
    are taken one after the other.

    Args:
        every: how many steps wait for each other; 1 for none.
    """

    def __init__(self, every: int) -> None:
        self.every = every
        self._waiting: dict[tuple[int, int], list[Wait]] = {}

    def add(self, target: Target, pairs: Pairs, rate: Rate | None) -> None:
        """A step of a tensor that the optimiser updated."""
        self._waiting.setdefault(_key(target), []).append((pairs, rate))

    def take(self, target: Target) -> list[Wait]:
        """What is to be done for a tensor, in turn; it waits no longer."""
        waiting = self._waiting.pop(_key(target), [])
        if len(waiting) < 2:
            return waiting
        P = waiting[0][0][0][0]
        if P.has_own_norm or any(len(pairs) > 1 or pairs[0][0] is not P for pairs, _ in waiting):
            return waiting
        product: Rate = 1.0
        for pairs, rate in waiting:
            if pairs[0][1] == math.inf:
                return [(((P, math.inf),), None)]
            product = product * (1 + (0.0 if rate is None else rate) * pairs[0][1])
        if not isinstance(product, torch.Tensor) and product == math.inf:
            return [(((P, math.inf),), None)]
        return [(((P, 1.0),), product - 1)]

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
