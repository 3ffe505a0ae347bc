"""Networks of sequences: attention, patches and windows of images, recurrent layers."""

import random

import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw
from tests.tracing.planting.blocks import Deep, Fill, Network, filled
from tests.tracing.planting.spots import Spot


class Attention(nn.Module):
    """Multi-head attention written out, or torch's own; with a bias table of offsets if ``relative``."""

    def __init__(self, width, heads, tokens, form):
        super().__init__()
        self.heads, self.form = heads, form
        self.norm = nn.LayerNorm(width)
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        if form == "relative":
            self.table = nn.Parameter(0.3 * torch.randn(2 * tokens - 1, heads))
            place = torch.arange(tokens)
            self.register_buffer("offsets", place[:, None] - place[None] + tokens - 1)
        self.mlp = nn.Sequential(
            nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x):
        q, k, v = self.qkv(self.norm(x)).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        if self.form == "fused":
            y = F.scaled_dot_product_attention(q, k, v)
        else:
            scores = q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5
            if self.form == "relative":
                scores = scores + self.table[self.offsets].permute(2, 0, 1)
            y = scores.softmax(-1) @ v
        x = x + self.out(y.transpose(1, 2).flatten(2))
        return x + self.mlp(x)


def sequences(rng: random.Random, depth: int, fill: Fill) -> Network:
    group = rng.choice([iw.Dihedral(4), iw.Cyclic(4), iw.Cyclic(2)])
    width, tokens = 16, 5
    rep = (width // group.order) * group.regular()
    form = rng.choice(["plain", "fused", "relative"])
    blocks = [Attention(width, 2, tokens, form) for _ in range(depth)]
    spot = Spot((tokens, width), (-1,))
    model = Deep(nn.Linear(width, width), blocks, filled(fill, depth, spot), nn.Linear(width, width))
    return Network(model, rep, rep, torch.randn(2, tokens, width))


class Patches(nn.Module):
    def __init__(self, width, side, patch):
        super().__init__()
        self.conv = nn.Conv2d(3, width, patch, patch)
        self.place = nn.Parameter(0.1 * torch.randn(1, side * side, width))

    def forward(self, x):
        return self.conv(x).flatten(2).transpose(1, 2) + self.place


def vision(rng: random.Random, depth: int, fill: Fill) -> Network:
    group = rng.choice([iw.Dihedral(4), iw.Cyclic(4), iw.Mirror("x")])
    width, side = 16, rng.choice([3, 4])
    blocks = [Attention(width, 2, side * side, rng.choice(["plain", "fused"])) for _ in range(depth)]
    spot = Spot((side * side, width), (-1, -2), -1, (-2,))
    model = Deep(Patches(width, side, 2), blocks, filled(fill, depth, spot), TokenHead(width))
    return Network(model, iw.on_grid(3 * group.trivial()), None, torch.randn(2, 3, 2 * side, 2 * side))


class TokenHead(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.norm, self.out = nn.LayerNorm(width), nn.Linear(width, 4)

    def forward(self, x):
        return self.out(self.norm(x).mean(1))


class Windows(nn.Module):
    """Attention in windows of channels-last images, shifted in every second block and shifted back."""

    def __init__(self, width, size, shift):
        super().__init__()
        self.size, self.shift = size, shift
        self.inner = Attention(width, 2, size * size, "fused")

    def forward(self, x):
        batch, side, _, width = x.shape
        n = side // self.size
        if self.shift:
            x = x.roll((-self.shift, -self.shift), (1, 2))
        w = x.reshape(batch, n, self.size, n, self.size, width).transpose(2, 3).reshape(-1, self.size**2, width)
        x = self.inner(w).reshape(batch, n, n, self.size, self.size, width).transpose(2, 3).reshape(x.shape)
        return x.roll((self.shift, self.shift), (1, 2)) if self.shift else x


class ChannelsLast(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.conv = nn.Conv2d(3, width, 1)

    def forward(self, x):
        return self.conv(x).permute(0, 2, 3, 1)


class LastHead(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.out = nn.Linear(width, 4)

    def forward(self, x):
        return self.out(x.mean((1, 2)))


def windows(rng: random.Random, depth: int, fill: Fill) -> Network:
    group, width = rng.choice([iw.Dihedral(4), iw.Cyclic(4), iw.Mirror("x")]), 16
    size = rng.choice([2, 3])
    side = 2 * size
    shift = size // 2 if size % 2 == 0 else 0
    blocks = [Windows(width, size, shift if block % 2 else 0) for block in range(depth)]
    spot = Spot((side, side, width), (-3, -2, -1), -1, (-3, -2))
    model = Deep(ChannelsLast(width), blocks, filled(fill, depth, spot), LastHead(width))
    return Network(model, iw.on_grid(3 * group.trivial()), None, torch.randn(2, 3, side, side))


class Recurrent(nn.Module):
    def __init__(self, width, kind):
        super().__init__()
        self.inner = kind(width, width, batch_first=True)

    def forward(self, x):
        return x + self.inner(x)[0]


def recurrent(rng: random.Random, depth: int, fill: Fill) -> Network:
    group, width = rng.choice([iw.Dihedral(4), iw.Cyclic(2)]), 16
    kind = rng.choice([nn.GRU, nn.LSTM])
    rep = (width // group.order) * group.regular()
    spot = Spot((4, width), (-1,))
    model = Deep(
        nn.Linear(width, width),
        [Recurrent(width, kind) for _ in range(depth)],
        filled(fill, depth, spot),
        nn.Linear(width, width),
    )
    return Network(model, rep, rep, torch.randn(2, 4, width))
