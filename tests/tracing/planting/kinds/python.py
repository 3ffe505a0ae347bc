"""Chance, casts, and numbers that leave torch for Python or numpy."""

import random

import numpy as np
import torch
from torch.nn import functional as F

from tests.tracing.planting.kinds.registry import chosen, kind, ramp


@kind
def dropout(rng, spot):
    return lambda h: F.dropout(h, 0.3, training=True)


@kind
def noise(rng, spot):
    return rng.choice(
        [
            lambda h: h + 0.1 * torch.randn_like(h),
            lambda h: h + 0.1 * torch.randn(h.shape),
            lambda h: h * torch.rand(h.shape[1:]),
            lambda h: h * torch.bernoulli(h.sigmoid()),
            lambda h: h + torch.empty_like(h).normal_(),
            lambda h: torch.normal(h, 0.1),
            lambda h: h * (1 + random.random()),
            lambda h: h * float(np.random.rand()),  # noqa: NPY002 (the old way is what breaks)
            lambda h: h + torch.tensor(random.random()).to(h.dtype),
        ]
    )


@kind
def noise_of_numpy(rng, spot):
    return lambda h: h + torch.from_numpy(np.random.default_rng(0).standard_normal(h.shape[1:])).to(h.dtype)


@kind
def cast_to_whole_numbers(rng, spot):
    values = ramp(spot, chosen(rng, spot)[0])
    return rng.choice(
        [
            lambda h: h + (3 * h + values).long().to(h.dtype),
            lambda h: (3 * h * values).round(),
            lambda h: h + (h > values),
        ]
    )


@kind
def branch_on_an_entry(rng, spot):
    return lambda h: 2 * h if h.flatten()[0] > 0 else h


@kind
def branch_on_a_part(rng, spot):
    axis, n = chosen(rng, spot)
    return lambda h: 2 * h if bool(h.narrow(axis, 0, max(n // 2, 1)).mean() > h.mean()) else h


@kind
def number_of_python(rng, spot):
    axis, _ = chosen(rng, spot)
    return rng.choice(
        [
            lambda h: h * (1 + h.select(axis, 0).mean().item()),
            lambda h: h * (1 + float(h.select(axis, 0).mean())),
            lambda h: h + torch.tensor(h.select(axis, 0).mean().tolist()),
            lambda h: h.roll(int(h.select(axis, 0).abs().sum()) % 2, 0) + h * int(h.select(axis, 0).abs().sum()),
        ]
    )


@kind
def through_numpy(rng, spot):
    values = ramp(spot, chosen(rng, spot)[0])
    return lambda h: torch.from_numpy(h.detach().numpy() * values.numpy())


@kind
def index_of_python(rng, spot):
    axis, _ = chosen(rng, spot)
    return lambda h: h + h.select(axis, int(h.flatten(1).sum(0).argmax()) % h.shape[axis]).unsqueeze(axis)
