"""Functions of features that break a symmetry, by name, and what they are made of."""

import random
from collections.abc import Callable

import torch

from tests.tracing.planting.spots import Spot

Broken = Callable[[torch.Tensor], torch.Tensor]
Kind = Callable[[random.Random, Spot], Broken]
KINDS: dict[str, Kind] = {}


def kind(make: Kind) -> Kind:
    KINDS[make.__name__] = make
    return make


def chosen(rng: random.Random, spot: Spot) -> tuple[int, int]:
    """An axis that the group moves, and its length."""
    axis = rng.choice(spot.moved)
    return axis, spot.shape[axis]


def ramp(spot: Spot, axis: int) -> torch.Tensor:
    return spot.along(axis, torch.linspace(0.5, 1.5, spot.shape[axis]))


def drawn(rng: random.Random, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(rng.randrange(1 << 30)))
