"""Ours decoupled from the loss."""

import torch

from intertwine.baselines.method import Method
from intertwine.decay import EquivarianceDecay


class Decay(Method):
    """After each step of the optimiser ``W <- PW + (W-PW)/(1 + lr s)``, the proximal step of ``s/2 |W-PW|^2``.

    It has the stationary points of the penalty under plain SGD; momentum mu makes it act like strength ``s (1 - mu)``,
    and under Adam the two differ, so each has its own strength to tune.

    Source:
        ``intertwine.EquivarianceDecay``; decoupling as in Loshchilov and Hutter 2019, arXiv 1711.05101.
    """

    name = "decay"
    label = "decay"
    source = "intertwine"
    tuned = True
    equivariant_start = True

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        EquivarianceDecay(optimizer, self.subject.binding, strength=self.strength)
