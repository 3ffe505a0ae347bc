"""One step of the decay: what takes the proximal step together, and what follows it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch

from intertwine.binding.writing import check_shared, write_
from intertwine.decay.averages import Correction, correction, holds_no_weights, iterates, weight_sum
from intertwine.decay.targets import Target
from intertwine.errors import ArgumentError, with_article
from intertwine.projectors import Projector
from intertwine.projectors.norms.joint import JointMaps
from intertwine.projectors.norms.proximal import Rate, Shrinkage, shrink_

Pairs = Sequence[tuple[Projector, float]]


class Averaging:
    """How an optimiser averages weights.

    Args:
        optimizer: the optimiser.
        switches: whether it puts an average into the parameters for evaluation.
        inside: whether another one does, around it: while it takes its step, the parameters are what is averaged.
    """

    def __init__(self, optimizer: torch.optim.Optimizer, *, switches: bool, inside: bool) -> None:
        self.optimizer, self.switches, self.inside = optimizer, switches, inside
        self._sums: dict[int, Any] = {}
        # Names of all that an optimiser keeps for a parameter, where no weights are among it.
        self._plain: set[tuple[Any, ...]] = set()

    def begin(self) -> None:
        """Before a step of the optimiser."""
        self._sums = {id(group): weight_sum(group) for group in self.optimizer.param_groups}

    def sequences(self, W: torch.Tensor) -> list[torch.Tensor]:
        """Everything that has to be projected for W to be so in training and in evaluation, W first."""
        return [W, *iterates(self._state(W), W).values()]

    def correction(self, W: torch.Tensor, group: Mapping[str, Any]) -> Correction:
        """Where a finite strength acts."""
        state = self._state(W)
        if self.inside or not state:
            return Correction(W)
        names = tuple(state)
        if names in self._plain:
            return Correction(W)
        if holds_no_weights(state):
            self._plain.add(names)
        before = self._sums.get(id(group))
        return correction(W, state, group, before, switches=self.switches, argument="strength")

    def _state(self, W: torch.Tensor) -> Mapping[Any, Any]:
        # It makes an entry for whatever it is asked for in brackets.
        states = self.optimizer.state
        return (states.get(W) or {}) if states else {}


class DecayStep:
    """The proximal steps of all tensors, gathered and then taken together.

    Args:
        averaging: how the optimiser averages weights.
        together: whether these are the steps of several steps of the optimiser.
    """

    def __init__(self, averaging: Averaging, *, together: bool = False) -> None:
        self._averaging, self._together = averaging, together
        self._steps: list[Shrinkage] = []
        self._corrections: list[tuple[Correction, torch.Tensor]] = []
        self._computed: list[tuple[Target, torch.Tensor]] = []
        self.is_reaching = True

    def add(
        self,
        target: Target,
        pairs: Pairs,
        trained: torch.Tensor,
        group: Mapping[str, Any],
        lr: Rate | None,
        *,
        computed: bool,
    ) -> None:
        """A tensor that the optimiser updated.

        Args:
            target: the tensor.
            pairs: projectors and strengths > 0.
            trained: the parameter that was updated, the tensor itself or one of which it is made.
            group: its param group.
            lr: the step size, which infinite strengths do not need.
            computed: whether a parametrisation computes the tensor.
        """
        in_turn = bool(target.reason)
        exact = [strength for _, strength in pairs].count(math.inf) == len(pairs)
        # Projections are taken together whatever the rate.
        lr = None if exact else lr
        if computed:
            value = target.tensor().clone()
            self._computed.append((target, value))
            self._steps.append(Shrinkage(value, pairs, lr, in_turn))
        elif exact:
            sequences = self._averaging.sequences(trained)
            self.is_reaching &= len(sequences) > 1 or not self._averaging.switches
            self._steps += [Shrinkage(V, pairs, None, in_turn) for V in sequences]
        else:
            found = self._averaging.correction(trained, group)
            self.is_reaching &= bool(found.followers) or not self._averaging.switches
            self._steps.append(Shrinkage(found.stepped, pairs, lr, in_turn))
            if self._together and (found.followers or self._averaging.inside):
                raise ArgumentError(
                    "every",
                    expected=f"1, as {with_article(type(self._averaging.optimizer).__name__)} averages weights",
                    got="more",
                    advice="An average of steps that wait is not that of steps taken.",
                )
            if found.followers:
                self._corrections.append((found, found.stepped.clone()))

    def add_buffer(self, target: Target, pairs: Pairs) -> None:
        """A buffer; ``pairs``: projectors of infinite strength."""
        if pairs:
            self._steps.append(Shrinkage(target.tensor(), pairs, None, bool(target.reason)))

    def take(self, maps: JointMaps) -> None:
        """Takes them.

        Raises:
            ArgumentError: a parametrisation cannot make what a tensor should become.
        """
        shrink_(self._steps, maps)
        for found, before in self._corrections:
            change = found.stepped - before
            for follower, share in found.followers:
                follower.add_((change * share).to(follower.device))
        for target, value in self._computed:
            write_(target.model, target.entry, value, "binding")
        check_shared([(target.model, target.entry, value) for target, value in self._computed], "binding")


@torch.no_grad()
def project_gradients(found: Iterable[tuple[Target, Sequence[torch.Tensor], Pairs]], maps: JointMaps) -> None:
    """``g <- P g`` at infinite strength: what is not equivariant in a gradient would only enter moments.

    Args:
        found: tensors, the parameters that train them, their projectors with strengths.
        maps: where joint maps of small weights are kept.
    """
    steps = []
    for target, trained, pairs in found:
        infinite = [(P, s) for P, s in pairs if s == math.inf]
        for W in trained if infinite and not target.is_computed else ():
            if W.grad is not None and W.grad.layout == torch.strided:
                # Of a gradient whose entries share memory a copy is projected.
                if 0 in W.grad.stride():
                    W.grad = W.grad.clone(memory_format=torch.contiguous_format)
                steps.append(Shrinkage(W.grad, infinite, None, bool(target.reason)))
    shrink_(steps, maps)
