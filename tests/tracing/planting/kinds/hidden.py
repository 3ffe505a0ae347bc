"""What shows in few samples or calls, or lies inside functions that a trace sees as one."""

import torch
from torch.nn import functional as F

from tests.tracing.planting.kinds.constants import table
from tests.tracing.planting.kinds.registry import chosen, drawn, kind, ramp


@kind
def own_function(rng, spot):
    values = ramp(spot, chosen(rng, spot)[0])

    class Own(torch.autograd.Function):
        @staticmethod
        def forward(ctx, h):
            return h * values

        @staticmethod
        def backward(ctx, grad):
            return grad * values

    return Own.apply


@kind
def mapped_over_samples(rng, spot):
    values = ramp(spot, chosen(rng, spot)[0])
    return torch.vmap(lambda one: one * values)


@kind
def buckets(rng, spot):
    values = ramp(spot, chosen(rng, spot)[0])
    edges = torch.linspace(-2, 2, 9)
    return lambda h: h + 0.1 * torch.bucketize((h * values).contiguous(), edges)


@kind
def phases(rng, spot):
    axis, n = chosen(rng, spot)
    values = spot.along(axis, torch.exp(1j * torch.arange(n) ** 2))
    return lambda h: torch.fft.ifft(torch.fft.fft(h, dim=axis) * values, dim=axis).real


@kind
def real_waves(rng, spot):
    axis, _ = chosen(rng, spot)
    return lambda h: torch.fft.fft(h, dim=axis).real + torch.fft.fft(h, dim=axis).imag


@kind
def one_direction(rng, spot):
    if not spot.vectors:
        return table(rng, spot)
    up = torch.tensor([0.0, 0.0, 1.0])
    return rng.choice(
        [
            lambda h: torch.linalg.cross(h, up.expand_as(h)),
            lambda h: h * (h @ up).unsqueeze(-1),
            lambda h: h + 0.5 * up,
            lambda h: h - F.cosine_similarity(h, up, dim=-1).unsqueeze(-1) * h,
        ]
    )


@kind
def large_alone(rng, spot):
    values = ramp(spot, chosen(rng, spot)[0])
    return lambda h: torch.where(h > 2.0, h * values, h)


@kind
def counted(rng, spot):
    values = ramp(spot, chosen(rng, spot)[0])
    state = [0]

    def broken(h):
        state[0] += 1
        return h * values if state[0] % 2 else h * values.flip(-1) * 1.0

    return broken


@kind
def distances_to_constants(rng, spot):
    n = spot.shape[-1]
    points = drawn(rng, 3, n)
    return lambda h: h + torch.cdist(h.reshape(-1, n), points).sum(-1).reshape(*h.shape[:-1], 1) * 0.1


@kind
def quantile_of_part(rng, spot):
    axis, n = chosen(rng, spot)
    return lambda h: h - h.narrow(axis, 0, max(n // 2, 1)).quantile(0.3, dim=axis, keepdim=True)
