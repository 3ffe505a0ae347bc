"""Single weights with a projector each, and the plain L2 that they are compared with."""

from collections.abc import Callable

import torch
from torch import nn

import intertwine as iw
from benchmarks.settings import Settings


def so3_irreps(dim: int) -> iw.Representation:
    """Degrees 0, 1, 2, 3 equally often; ``dim`` is a multiple of 16."""
    copies = dim // 16
    return iw.SO(3).irreps(" + ".join(f"{copies}x{l}" for l in range(4)))


def regular(group: iw.Group, dim: int) -> iw.Representation:
    """As many regular fields as fit exactly into ``dim`` features."""
    field = group.regular()
    return (dim // field.dim) * field


def bound_weight(rep_in: iw.Representation, rep_out: iw.Representation, settings: Settings) -> iw.Binding:
    """A linear layer without bias, typed; drawn anew from the seed, so that like shapes have like weights."""
    torch.manual_seed(settings.seed)
    layer = nn.Linear(rep_in.dim, rep_out.dim, bias=False, device=settings.device)
    return iw.bind(layer, {"": (rep_in, rep_out)})


def plain_l2(W: nn.Parameter) -> Callable[[], None]:
    """``W.pow(2).sum()`` and its gradient, as a user writes weight decay into a loss."""

    def work() -> None:
        W.grad = None
        W.pow(2).sum().backward()

    return work


def penalty_gradient(binding: iw.Binding) -> Callable[[], None]:
    """The penalty of a binding and its gradient."""
    parameters = list(binding.model.parameters())

    def work() -> None:
        for parameter in parameters:
            parameter.grad = None
        binding.penalty(strength=0.1).backward()

    return work
