"""Ours decoupled from the loss."""

import torch
from torch import nn

from intertwine._arguments import integer
from intertwine.baselines.method import Method
from intertwine.baselines.subject import Subject
from intertwine.decay import EquivarianceDecay


class Decay(Method):
    """After each step of the optimiser ``W <- PW + (W-PW)/(1 + lr s)``, the proximal step of ``s/2 |W-PW|^2``.

    It has the stationary points of the penalty under plain SGD; momentum mu makes it act like strength ``s (1 - mu)``,
    and under Adam the two differ, so each has its own strength to tune.

    Args:
        subject: as in ``Method``.
        strength: s.
        generator: not used.
        every: k > 1 takes the proximal steps of k steps together at every k-th one, and what is left in ``finish``.

    Source:
        ``intertwine.EquivarianceDecay``; decoupling as in Loshchilov and Hutter 2019, arXiv 1711.05101.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import Decay, Subject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> method = Decay(subject, strength=2.0)
        >>> optimizer = torch.optim.SGD(method.parameter_groups(), lr=0.5)
        >>> method.attach(optimizer)
        >>> W, P = torch.randn(4, 4), subject.binding["weight"].projector
        >>> model.weight.data, model.weight.grad = W.clone(), torch.zeros(4, 4)
        >>> optimizer.step()
        >>> torch.allclose(P.residual(model.weight), P.residual(W) / 2, atol=1e-6)
        True
    """

    name = "decay"
    label = "decay"
    source = "intertwine"
    tuned = True
    infinite = True
    equivariant_start = True

    def __init__(
        self,
        subject: Subject,
        strength: float | None = None,
        *,
        generator: torch.Generator | None = None,
        every: int = 1,
    ) -> None:
        self.every = integer("every", every, 1)
        super().__init__(subject, strength, generator=generator)
        self._decays: list[EquivarianceDecay] = []

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        binding = self.subject.binding
        self._decays.append(EquivarianceDecay(optimizer, binding, strength=self.strength, every=self.every))

    def finish(self) -> nn.Module:
        for decay in self._decays:
            decay.catch_up()
        return self.model
