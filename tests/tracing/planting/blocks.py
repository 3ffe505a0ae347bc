"""Stems, heads and blocks, and how they are joined, with a slot behind each block."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw
from tests.tracing.planting.spots import Spot

Fill = Callable[[int, Spot], nn.Module]
ACTS = {"relu": F.relu, "gelu": F.gelu, "silu": F.silu, "tanh": torch.tanh}


@dataclass
class Network:
    """A network with its ends."""

    model: nn.Module
    rep_in: Any
    rep_out: Any
    example: Any
    group: iw.Group | None = None


class Deep(nn.Module):
    """Stem, blocks with a slot behind each, head."""

    def __init__(self, stem, blocks, extras, head):
        super().__init__()
        self.stem, self.blocks, self.extras, self.head = stem, nn.ModuleList(blocks), nn.ModuleList(extras), head

    def forward(self, x):
        x = self.stem(x)
        for block, extra in zip(self.blocks, self.extras, strict=True):
            x = extra(block(x))
        return self.head(x)


class Residual(nn.Module):
    """``x + b(act(a(norm(x))))``."""

    def __init__(self, a, b, act, norm=None):
        super().__init__()
        self.a, self.b, self.act, self.norm = a, b, act, norm

    def forward(self, x):
        y = x if self.norm is None else self.norm(x)
        return x + self.b(self.act(self.a(y)))


class Mean(nn.Module):
    """The mean over pixels, a linear map."""

    def __init__(self, width, out):
        super().__init__()
        self.out = nn.Linear(width, out)

    def forward(self, x):
        return self.out(x.flatten(2).mean(-1))


def filled(fill: Fill, depth: int, spot: Spot) -> list[nn.Module]:
    return [fill(block, spot) for block in range(depth)]
