"""Networks of fields on grids, and of one field alone."""

import random

import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw
from tests.tracing.fourier_networks import SpectralConv
from tests.tracing.planting.blocks import ACTS, Deep, Fill, Mean, Network, Residual, filled
from tests.tracing.planting.spots import Spot


def images(rng: random.Random, depth: int, fill: Fill) -> Network:
    group = rng.choice([iw.Dihedral(4), iw.Cyclic(4), iw.Mirror("x"), iw.Dihedral(2)])
    side, width = rng.choice([5, 6, 7]), 8 * rng.choice([1, 2])
    act, norm = ACTS[rng.choice(list(ACTS))], rng.choice([None, nn.BatchNorm2d, lambda n: nn.GroupNorm(1, n)])

    def conv():
        return nn.Conv2d(
            width, width, rng.choice([3, 3, 1]), padding="same", padding_mode=rng.choice(["zeros", "circular"])
        )

    spot = Spot((width, side, side), (-3, -2, -1), -3, (-2, -1))
    blocks = [Residual(conv(), conv(), act, norm and norm(width)) for _ in range(depth)]
    invariant = rng.random() < 0.4
    head = Mean(width, 5) if invariant else nn.Conv2d(width, 8, 1)
    model = Deep(nn.Conv2d(3, width, 3, padding=1), blocks, filled(fill, depth, spot), head)
    out = None if invariant else iw.on_grid((8 // group.order) * group.regular())
    return Network(model, iw.on_grid(3 * group.trivial()), out, torch.randn(2, 3, side, side))


def volumes(rng: random.Random, depth: int, fill: Fill) -> Network:
    group, side, width = iw.Octahedral(), rng.choice([3, 4, 5]), 24
    spot = Spot((width, side, side, side), (-4, -3, -2, -1), -4, (-3, -2, -1))

    def conv():
        return nn.Conv3d(width, width, 3, padding=1)

    blocks = [Residual(conv(), conv(), F.relu) for _ in range(depth)]
    model = Deep(nn.Conv3d(1, width, 3, padding=1), blocks, filled(fill, depth, spot), nn.Conv3d(width, 1, 1))
    rep = iw.on_grid(group.trivial())
    return Network(model, rep, rep, torch.randn(1, 1, side, side, side))


def vectors_of_features(rng: random.Random, depth: int, fill: Fill) -> Network:
    group = rng.choice([iw.Dihedral(4), iw.Cyclic(4), iw.Cyclic(2), iw.Symmetric(4), iw.Dihedral(3)])
    rep = group.regular() if group.order < 10 else group.standard()
    rep = 2 * rep
    width = rep.dim
    act = ACTS[rng.choice(list(ACTS))]
    spot = Spot((width,), (-1,))
    blocks = [Residual(nn.Linear(width, 2 * width), nn.Linear(2 * width, width), act) for _ in range(depth)]
    model = Deep(nn.Linear(width, width), blocks, filled(fill, depth, spot), nn.Linear(width, width))
    return Network(model, rep, rep, torch.randn(4, width))


class Fourier(nn.Module):
    def __init__(self, conv, width):
        super().__init__()
        self.conv, self.skip = conv, nn.Conv2d(width, width, 1)

    def forward(self, x):
        return F.gelu(self.conv(x) + self.skip(x))


def waves(rng: random.Random, depth: int, fill: Fill) -> Network:
    group = rng.choice([iw.Dihedral(4), iw.Cyclic(4)])
    side, width = rng.choice([7, 8, 9]), 8
    spot = Spot((width, side, side), (-3, -2, -1), -3, (-2, -1))
    blocks = [Fourier(SpectralConv(width, (3, 3)), width) for _ in range(depth)]
    model = Deep(nn.Conv2d(1, width, 1), blocks, filled(fill, depth, spot), nn.Conv2d(width, 1, 1))
    rep = iw.on_grid(group.trivial())
    return Network(model, rep, rep, torch.randn(2, 1, side, side))
