"""How a group acts on what goes through a module: channels by a representation, pixels by moving them."""

from collections.abc import Callable

import torch
from torch import nn

import intertwine as iw
from intertwine.projectors.kernels.kernel import pixel_representation
from tests.binding.cases import fill, seeded

ATOL = 1e-10


def randn(*shape: int, seed: int = 1) -> torch.Tensor:
    return torch.randn(*shape, generator=seeded(seed), dtype=torch.float64)


def acted(x: torch.Tensor, rep: iw.Representation, g: torch.Tensor, space: iw.Representation) -> torch.Tensor:
    """``(g f)(x) = rho(g) f(g^-1 x)`` for images f of shape (N, C, *pixels)."""
    sides = x.shape[2:]
    pixels, reason = pixel_representation(rep.group, tuple(sides), space)
    assert pixels is not None, reason
    flat = torch.einsum("ij,njp->nip", rep.matrix(g), x.flatten(2))
    return torch.einsum("pq,niq->nip", pixels.matrix(g), flat).unflatten(2, sides)


def elements(group: iw.Group) -> torch.Tensor:
    return group.elements() if group.is_finite else group.sample(3, generator=seeded())


def image_error(
    module: nn.Module,
    rep_in: iw.Representation,
    rep_out: iw.Representation,
    sides: tuple[int, ...],
    space: iw.Representation | None = None,
) -> float:
    """Largest ``|f(g x) - g f(x)|`` over the group."""
    points = rep_in.group.standard() if space is None else space
    x = randn(2, rep_in.dim, *sides)
    with torch.no_grad():
        y = module(x)
        return max(
            float((module(acted(x, rep_in, g, points)) - acted(y, rep_out, g, points)).abs().max())
            for g in elements(rep_in.group)
        )


def feature_error(
    module: Callable[[torch.Tensor], torch.Tensor], rep_in: iw.Representation, rep_out: iw.Representation, *rows: int
) -> float:
    """The same for features on the last axis."""
    x = randn(*rows, rep_in.dim)
    with torch.no_grad():
        y = module(x)
        return max(float((module(rep_in.act(g, x)) - rep_out.act(g, y)).abs().max()) for g in elements(rep_in.group))


def projected(module: nn.Module, types: dict[str, object]) -> iw.Binding:
    """The module in float64 with random parameters, bound and projected; checked to have moved."""
    fill(module.double())
    for buffer in module.buffers():
        if buffer.is_floating_point():
            buffer.copy_(randn(*buffer.shape, seed=2).square() + 0.5)
    binding = iw.bind(module, types)
    assert binding.penalty() > 1e-3
    binding.project_()
    assert binding.penalty() < 1e-20
    return binding
