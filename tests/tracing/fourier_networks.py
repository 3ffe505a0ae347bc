"""Layers on Fourier modes as users and packages write them, without a thought of symmetry."""

import torch
from torch import nn
from torch.nn import functional as F


class SpectralConv(nn.Module):
    """As neuraloperator stores it: (in, out, m1, m2 // 2 + 1, 2), shifted; ``back`` undoes the shift."""

    def __init__(self, width, modes, back=torch.fft.ifftshift):
        super().__init__()
        self.back = back
        self.weight = nn.Parameter(torch.randn(width, width, *modes[:-1], modes[-1] // 2 + 1, 2) / width)
        self.bias = nn.Parameter(torch.randn(width, *(1 for _ in modes)))

    def forward(self, x):
        weight = torch.view_as_complex(self.weight)
        dims, shifted = list(range(2 - x.ndim, 0)), list(range(2 - x.ndim, -1))
        f = torch.fft.rfftn(x, norm="forward", dim=dims)
        f = torch.fft.fftshift(f, dim=shifted) if shifted else f
        out = torch.zeros(f.shape, dtype=f.dtype)
        where = [slice(None), slice(None)]
        for side, kept in zip(f.shape[2:-1], weight.shape[2:-1], strict=True):
            where.append(slice(side // 2 - kept // 2, side // 2 - kept // 2 + kept))
        where.append(slice(None, weight.shape[-1]))
        out[tuple(where)] = torch.einsum("bi...,io...->bo...", f[tuple(where)], weight)
        out = self.back(out, dim=shifted) if shifted else out
        return torch.fft.irfftn(out, s=x.shape[2:], dim=dims, norm="forward") + self.bias


class TwoWeights(nn.Module):
    """As Li et al. wrote it: a weight for each sign of the first wave number (in three dimensions, of two)."""

    def __init__(self, width, modes):
        super().__init__()
        self.modes = modes
        for i in range(2 ** (len(modes) - 1)):
            parts = torch.randn(width, width, *modes, 2).mul_(1 / width)
            setattr(self, f"weights{i + 1}", nn.Parameter(torch.view_as_complex(parts)))

    def forward(self, x):
        sides, modes = x.shape[2:], self.modes
        f = torch.fft.rfftn(x, dim=tuple(range(2 - x.ndim, 0)))
        out = torch.zeros_like(f)
        for i in range(2 ** (len(modes) - 1)):
            signs = [slice(-m, None) if i >> j & 1 else slice(m) for j, m in enumerate(modes[:-1])]
            where = (slice(None), slice(None), *signs, slice(modes[-1]))
            out[where] = torch.einsum("bi...,io...->bo...", f[where], getattr(self, f"weights{i + 1}"))
        return torch.fft.irfftn(out, s=sides)


class Operator(nn.Module):
    """Lifting, Fourier layers with a skip on flattened pixels, a norm, projection; ``grid`` adds coordinates."""

    def __init__(self, conv, width=8, channels=1, *, grid=False):
        super().__init__()
        self.grid = grid
        self.lift = nn.Conv1d(channels + 2 * grid, width, 1)
        self.convs = nn.ModuleList(conv(width) for _ in range(2))
        self.skips = nn.ModuleList(nn.Conv1d(width, width, 1, bias=False) for _ in range(2))
        self.norm = nn.InstanceNorm2d(width, affine=True)
        self.project = nn.Conv1d(width, channels, 1)

    def forward(self, x):
        sides = x.shape[2:]
        if self.grid:
            axes = [torch.linspace(0, 1, side + 1)[:-1] for side in sides]
            places = torch.stack(torch.meshgrid(*axes, indexing="ij"))
            x = torch.cat([x, places.expand(len(x), -1, *sides)], 1)
        x = self.lift(x.flatten(2)).reshape(len(x), -1, *sides)
        for conv, skip in zip(self.convs, self.skips, strict=True):
            y = conv(x)
            y = self.norm(y) if y.ndim == 4 else y
            x = F.gelu(y + skip(x.reshape(*x.shape[:2], -1)).reshape(x.shape))
        return self.project(x.flatten(2)).reshape(len(x), -1, *sides)


class GlobalFilter(nn.Module):
    """Patches, filters over all waves with channels last (GFNet), a linear layer, a head."""

    def __init__(self, width=8, side=4):
        super().__init__()
        self.patch = nn.Conv2d(3, width, 4, 4)
        self.filter = nn.Parameter(torch.randn(side, side // 2 + 1, width, 2))
        self.norm, self.mix, self.head = nn.LayerNorm(width), nn.Linear(width, width), nn.Linear(width, 5)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        batch, tokens, width = x.shape
        side = int(tokens**0.5)
        y = torch.fft.rfft2(self.norm(x).view(batch, side, side, width), dim=(1, 2), norm="ortho")
        y = torch.fft.irfft2(y * torch.view_as_complex(self.filter), s=(side, side), dim=(1, 2), norm="ortho")
        x = x + F.gelu(self.mix(y.reshape(batch, tokens, width)))
        return self.head(x.mean(1))


class AdaptiveFilter(nn.Module):
    """A network at every wave, on real and imaginary parts (AFNO)."""

    def __init__(self, width=8):
        super().__init__()
        self.w1, self.w2 = (nn.Parameter(torch.randn(2, width, width)) for _ in range(2))

    def forward(self, x):
        f = torch.fft.rfft2(x.permute(0, 2, 3, 1), dim=(1, 2), norm="ortho")
        real, imaginary = f.real, f.imag
        for w in (self.w1, self.w2):
            real, imaginary = (
                F.relu(real @ w[0] - imaginary @ w[1]),
                F.relu(imaginary @ w[0] + real @ w[1]),
            )
        y = F.softshrink(torch.stack([real, imaginary], -1), lambd=0.01)
        y = torch.fft.irfft2(torch.view_as_complex(y), s=x.shape[2:], dim=(1, 2), norm="ortho")
        return x + y.permute(0, 3, 1, 2)


class Factorised(nn.Module):
    """A Tucker-factorised weight: a factor for each axis."""

    def __init__(self, width, modes, rank=3):
        super().__init__()
        sides = (width, width, modes[0], modes[1] // 2 + 1)
        self.core = nn.Parameter(torch.randn(*(rank,) * 4, dtype=torch.cfloat))
        self.factors = nn.ParameterList(torch.randn(side, rank, dtype=torch.cfloat) for side in sides)

    def forward(self, x):
        f = torch.fft.fftshift(torch.fft.rfft2(x), dim=-2)
        m1, m2 = len(self.factors[2]), len(self.factors[3])
        where = (slice(None), slice(None), slice(x.shape[2] // 2 - m1 // 2, x.shape[2] // 2 - m1 // 2 + m1), slice(m2))
        out = torch.zeros_like(f)
        out[where] = torch.einsum("bixy,pqrs,ip,oq,xr,ys->boxy", f[where], self.core, *self.factors)
        return torch.fft.irfft2(torch.fft.ifftshift(out, dim=-2), s=x.shape[2:])
