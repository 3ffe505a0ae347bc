"""Networks of vectors, and of points between which messages go."""

import random

import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw
from tests.tracing.planting.blocks import Deep, Fill, Network, filled
from tests.tracing.planting.spots import Spot


class Gated(nn.Module):
    """Vectors (batch, channels, 3): mixed, and scaled by functions of their lengths."""

    def __init__(self, width):
        super().__init__()
        self.mix = nn.Linear(width, width, bias=False)
        self.gate = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))

    def forward(self, v):
        w = self.mix(v.transpose(-1, -2)).transpose(-1, -2)
        return v + self.gate(w.norm(dim=-1)).unsqueeze(-1) * w


class Mix(nn.Module):
    def __init__(self, width_in, width):
        super().__init__()
        self.mix = nn.Linear(width_in, width, bias=False)

    def forward(self, v):
        return self.mix(v.transpose(-1, -2)).transpose(-1, -2)


def vectors(rng: random.Random, depth: int, fill: Fill) -> Network:
    group = rng.choice([iw.O(3), iw.SO(3), iw.Octahedral()])
    width, rep = 8, group.standard()
    spot = Spot((width, 3), (-1,), None, vectors=True)
    model = Deep(Mix(2, width), [Gated(width) for _ in range(depth)], filled(fill, depth, spot), Mix(width, 1))
    return Network(model, rep, rep, torch.randn(4, 2, 3), group)


class Messages(nn.Module):
    """Scalars and vectors of points, messages added up by index; the slot is behind the vectors."""

    def __init__(self, width, extra):
        super().__init__()
        self.filter = nn.Sequential(nn.Linear(6, width), nn.SiLU(), nn.Linear(width, 2 * width))
        self.mix, self.update, self.extra = nn.Linear(width, width, bias=False), nn.Linear(2 * width, width), extra

    def forward(self, s, v, source, target, radial, unit):
        width = s.shape[-1]
        messages = self.filter(radial) * torch.cat([s, s], -1)[source]
        s = s + torch.zeros_like(s).index_add_(0, target, messages[:, :width])
        v = v + torch.zeros_like(v).index_add_(0, target, messages[:, width:, None] * unit[:, None])
        v = self.extra(v)
        w = self.mix(v.transpose(1, 2)).transpose(1, 2)
        return s + F.silu(self.update(torch.cat([s, (v * w).sum(-1)], -1))), v


class Molecule(nn.Module):
    def __init__(self, width, extras):
        super().__init__()
        self.embed = nn.Embedding(5, width)
        self.layers = nn.ModuleList(Messages(width, extra) for extra in extras)
        self.energy, self.vector = nn.Linear(width, 1), nn.Linear(width, 1, bias=False)

    def forward(self, species, positions, edges):
        source, target = edges
        offsets = positions[source] - positions[target]
        lengths = offsets.norm(dim=-1, keepdim=True)
        radial = torch.exp(-((lengths - torch.linspace(0, 2, 6)) ** 2))
        s = self.embed(species)
        v = torch.zeros(*s.shape, 3)
        for layer in self.layers:
            s, v = layer(s, v, source, target, radial, offsets / (lengths + 1e-3))
        return self.energy(s).sum(0), self.vector((s[..., None] * v).transpose(1, 2)).squeeze(-1)


def molecules(rng: random.Random, depth: int, fill: Fill) -> Network:
    group, width = rng.choice([iw.O(3), iw.SO(3), iw.Octahedral()]), 8
    rep = group.standard()
    spot = Spot((width, 3), (-1,), None, vectors=True)
    model = Molecule(width, filled(fill, depth, spot))
    edges = torch.stack(torch.where(~torch.eye(5, dtype=torch.bool)))
    example = (torch.arange(5) % 4, 1.5 * torch.randn(5, 3), edges)
    return Network(model, (None, rep, None), (None, rep), example, group)
