"""Networks as users write them, without a thought of symmetry, for the tracer to type."""

import torch
from torch import nn
from torch.nn import functional as F


class Block(nn.Module):
    """A residual block with a strided shortcut."""

    def __init__(self, width_in, width, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(width_in, width, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.shortcut = None
        if stride > 1 or width_in != width:
            self.shortcut = nn.Sequential(nn.Conv2d(width_in, width, 1, stride, bias=False), nn.BatchNorm2d(width))

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(y + (x if self.shortcut is None else self.shortcut(x)))


class ResNet(nn.Module):
    """Stem, four stages, mean, linear head."""

    def __init__(self, width=16):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, 1)
        self.layers = nn.Sequential(Block(width, width, 1), Block(width, 2 * width, 2), Block(2 * width, 4 * width, 2))
        self.fc = nn.Linear(4 * width, 10)

    def forward(self, x):
        x = self.layers(self.pool(self.stem(x)))
        return self.fc(F.adaptive_avg_pool2d(x, 1).flatten(1))


class UNet(nn.Module):
    """Pooling down, transposed convolution and bilinear interpolation up, concatenations."""

    def __init__(self, width=16):
        super().__init__()
        self.one = nn.Conv2d(3, width, 3, padding=1)
        self.two = nn.Conv2d(width, 2 * width, 3, padding=1)
        self.three = nn.Conv2d(2 * width, 2 * width, 3, padding=1)
        self.up = nn.ConvTranspose2d(2 * width, width, 2, 2)
        self.four = nn.Conv2d(3 * width, width, 3, padding=1)
        self.five = nn.Conv2d(2 * width, width, 3, padding=1)
        self.out = nn.Conv2d(width, 1, 1)

    def forward(self, x):
        one = F.relu(self.one(x))
        two = F.relu(self.two(F.max_pool2d(one, 2)))
        three = F.relu(self.three(F.max_pool2d(two, 2)))
        four = F.relu(self.four(torch.cat([self.up(three), two], 1)))
        wide = F.interpolate(four, scale_factor=2, mode="bilinear", align_corners=False)
        return self.out(F.relu(self.five(torch.cat([wide, one], 1))))


class VisionTransformer(nn.Module):
    """Patches, a class token, learnt positions, attention written out by hand."""

    def __init__(self, width=64, heads=4, patches=4, depth=2):
        super().__init__()
        self.heads = heads
        self.patch = nn.Conv2d(3, width, 4, 4)
        self.cls_token = nn.Parameter(0.1 * torch.randn(1, 1, width))
        self.pos_embed = nn.Parameter(0.1 * torch.randn(1, 1 + patches**2, width))
        self.qkv = nn.ModuleList(nn.Linear(width, 3 * width) for _ in range(depth))
        self.proj = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(depth))
        self.scale = nn.ParameterList(nn.Parameter(torch.rand(width)) for _ in range(depth))
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(x), -1, -1), x], 1) + self.pos_embed
        for qkv, proj, norm, scale in zip(self.qkv, self.proj, self.norms, self.scale, strict=True):
            batch, tokens, width = x.shape
            parts = qkv(norm(x)).reshape(batch, tokens, 3, self.heads, width // self.heads).permute(2, 0, 3, 1, 4)
            q, k, v = parts.unbind(0)
            attention = (q @ k.transpose(-2, -1) * (width // self.heads) ** -0.5).softmax(-1)
            x = x + scale * proj((attention @ v).transpose(1, 2).reshape(batch, tokens, width))
        return self.head(x[:, 0])


class GatedVectors(nn.Module):
    """Scalars by silu, vectors by gates: what is what only the slices say."""

    def __init__(self):
        super().__init__()
        self.a = nn.Linear(7, 48)
        self.b = nn.Linear(40, 4)

    def forward(self, x):
        h = self.a(x)
        vectors = h[:, 24:].reshape(-1, 8, 3)
        gated = torch.sigmoid(h[:, 16:24])[..., None] * vectors
        return self.b(torch.cat([F.silu(h[:, :16]), gated.flatten(1)], 1))


class MessagePassing(nn.Module):
    """Scalars and vectors of atoms, messages added up by index: all weights act on copies."""

    def __init__(self, width=8):
        super().__init__()
        self.embed = nn.Embedding(5, width)
        self.filter = nn.Sequential(nn.Linear(6, width), nn.SiLU(), nn.Linear(width, width))
        self.mix = nn.Linear(width, width, bias=False)
        self.update = nn.Linear(2 * width, width)
        self.energy = nn.Linear(width, 1)
        self.vector = nn.Linear(width, 1, bias=False)

    def forward(self, species, positions, edges):
        source, target = edges
        offsets = positions[source] - positions[target]
        lengths = offsets.norm(dim=-1, keepdim=True)
        radial = torch.exp(-((lengths - torch.linspace(0, 2, 6)) ** 2))
        s = self.embed(species)
        messages = self.filter(radial) * s[source]
        directed = messages[..., None] * (offsets / (lengths + 1e-3))[:, None, :]
        v = torch.zeros(len(s), s.shape[1], 3).index_add_(0, target, directed)
        s = s + torch.zeros_like(s).index_add_(0, target, messages)
        w = self.mix(v.transpose(1, 2)).transpose(1, 2)
        s = F.silu(self.update(torch.cat([s, (v * w).sum(-1)], -1)))
        return self.energy(s).sum(0), self.vector((s[..., None] * v).transpose(1, 2)).squeeze(-1)
