"""Strengths that change with the number of steps: what ``EquivarianceDecay`` and a loss term call for theirs."""

import math
from abc import abstractmethod
from dataclasses import dataclass

from intertwine._arguments import integer, real_number


@dataclass(frozen=True)
class _Ramp:
    """From one strength to another within some steps, and on at the last.

    Attributes:
        start: strength at step 0, >= 0.
        end: strength from step ``steps`` on, >= 0.
        steps: how many steps it takes.
    """

    start: float
    end: float
    steps: int

    def __post_init__(self) -> None:
        for name in ("start", "end"):
            real_number(name, getattr(self, name), "a number >= 0", minimum=0.0)
        integer("steps", self.steps, 1)

    def __call__(self, step: int) -> float:
        """The strength after so many steps."""
        done = min(1.0, integer("step", step, 0) / self.steps)
        return self.start + (self.end - self.start) * self._share(done)

    @abstractmethod
    def _share(self, done: float) -> float: ...


@dataclass(frozen=True)
class Ramp(_Ramp):
    """A strength that goes from ``start`` to ``end`` in a straight line within ``steps`` steps, and stays there.

    Schedules are values without a state: what a step's strength is depends on the number of steps done, which
    ``decay.state_dict()`` has, so that a resumed training goes on as it would have.

    Raises:
        ArgumentError: a strength that is negative or not finite, or steps below 1.

    Source:
        Relaxing first and tightening along a schedule: Pertigkiozoglou, Chatzipantazis, Trivedi and Daniilidis 2024,
        arXiv 2408.13242.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.training import Ramp
        >>> G, layer = iw.Cyclic(4), torch.nn.Linear(4, 4)
        >>> binding = iw.bind(layer, {"": (G.regular(), G.regular())})
        >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
        >>> decay = iw.EquivarianceDecay(optimizer, binding, strength=Ramp(0.0, 10.0, steps=100))
        >>> [decay.bindings[0] is binding, Ramp(0.0, 10.0, steps=100)(25)]
        [True, 2.5]
    """

    def _share(self, done: float) -> float:
        return done


@dataclass(frozen=True)
class CosineRamp(_Ramp):
    """A strength that goes from ``start`` to ``end`` along half a cosine within ``steps`` steps, and stays there.

    ``end + (start - end) (1 + cos(pi step / steps)) / 2``: flat at both ends, as learning rates are annealed.

    Raises:
        ArgumentError: a strength that is negative or not finite, or steps below 1.

    Source:
        The shape: Loshchilov and Hutter 2017, arXiv 1608.03983.

    Examples:
        >>> from intertwine.training import CosineRamp
        >>> [round(CosineRamp(1.0, 0.0, steps=4)(step), 3) for step in range(6)]
        [1.0, 0.854, 0.5, 0.146, 0.0, 0.0]
    """

    def _share(self, done: float) -> float:
        return (1.0 - math.cos(math.pi * done)) / 2


@dataclass(frozen=True)
class RelaxThenSnap:
    """A finite strength until a step, and an infinite one from there on: weights are exactly equivariant in the end.

    What is learned outside the subspace before the snap is lost in it; what it led the rest to is kept. Running
    statistics are projected from the snap on, too.

    Attributes:
        strength: until then, >= 0.
        snap: the number of steps done at which weights are projected, and held so.

    Raises:
        ArgumentError: a strength that is negative or not finite, or a step below 0.

    Source:
        Exact in the end, relaxed before: Pertigkiozoglou, Chatzipantazis, Trivedi and Daniilidis 2024,
        arXiv 2408.13242.

    Examples:
        >>> from intertwine.training import RelaxThenSnap
        >>> schedule = RelaxThenSnap(0.5, snap=100)
        >>> schedule(99), schedule(100)
        (0.5, inf)
    """

    strength: float
    snap: int

    def __post_init__(self) -> None:
        real_number("strength", self.strength, "a number >= 0", minimum=0.0)
        integer("snap", self.snap, 0)

    def __call__(self, step: int) -> float:
        """The strength after so many steps."""
        return math.inf if integer("step", step, 0) >= self.snap else self.strength
