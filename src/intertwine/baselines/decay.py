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
    equivariant_start = True

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        EquivarianceDecay(optimizer, self.subject.binding, strength=self.strength)
