"""Exactly equivariant training of the typed network."""

import math

import torch
from torch import nn

from intertwine.baselines.method import Method
from intertwine.decay import EquivarianceDecay
from intertwine.errors import ArgumentError, listing


class Exact(Method):
    """Training inside the equivariant subspace: ``W = PW`` before, during and after.

    The initial draw is projected with the norms of its output fields kept, gradients are projected before each step
    (``grad <- P grad``, the gradient of ``L`` restricted to the subspace), and weights after it (``W <- PW``). Under
    SGD, with momentum and weight decay, this is SGD on the coefficients of an orthonormal basis of the subspace. Adam
    divides each entry by its own second moment; as it sees projected gradients alone, the part that does not count
    does not slow it down, and on permutation representations its steps are equivariant by themselves.

    After each step, and at the end, buffers (the running statistics of norm layers) are projected too: those of a batch
    that is not symmetric are not constant on orbits. Parameters that are not typed are trained freely.

    Raises:
        ArgumentError: from ``attach``, if a parametrisation computes a typed tensor.

    Source:
        Projected gradient descent; the network is the one of Finzi, Welling and Wilson 2021, arXiv 2104.09459.

    Examples:
        >>> import intertwine as iw, torch
        >>> from intertwine.baselines import Exact, Subject
        >>> G, model, x = iw.Cyclic(4), torch.nn.Linear(4, 4), torch.randn(8, 4)
        >>> V = G.regular()
        >>> subject = Subject(model, iw.bind(model, {"": (V, V)}), G, V.act, V.act)
        >>> method = Exact(subject)
        >>> float(iw.equivariance_error(method.model, V, V, x)) < 1e-5
        True
    """

    name = "exact"
    label = "exactly equivariant"
    source = "Finzi, Welling and Wilson 2021, arXiv 2104.09459"
    equivariant_start = True

    def attach(self, optimizer: torch.optim.Optimizer) -> None:
        binding = self.subject.binding
        computed = [entry.name for entry in binding if entry.is_computed(binding.model)]
        if computed:
            raise ArgumentError(
                "binding",
                expected="typed tensors whose gradients can be projected",
                got=f"{listing(computed)}, computed by a parametrisation",
                advice="Use EquivarianceDecay(strength=inf), which projects the weights alone.",
            )
        EquivarianceDecay(optimizer, self.subject.binding, strength=math.inf)

    def before_step(self) -> None:
        for entry, tensor in self.subject.binding.tensors():
            if tensor.grad is not None:
                tensor.grad = entry.projector.project(tensor.grad)

    def finish(self) -> nn.Module:
        self.subject.binding.project_()
        return self.model
