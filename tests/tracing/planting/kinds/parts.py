"""What treats part of a field by itself, or entries one by one."""

import torch
from torch.nn import functional as F

from tests.tracing.planting.kinds.registry import chosen, kind


@kind
def softmax_of_part(rng, spot):
    axis, n = chosen(rng, spot)

    def broken(h):
        one, two = h.split([n // 2, n - n // 2], axis)
        return torch.cat([one.softmax(axis), two], axis)

    return broken


@kind
def softmax_along_one(rng, spot):
    axis, _ = chosen(rng, spot)
    return lambda h: h.softmax(axis)


@kind
def norm_of_part(rng, spot):
    axis, n = chosen(rng, spot)
    k = max(n // 3, 2)

    def broken(h):
        y = h.movedim(axis, -1)
        return torch.cat([F.layer_norm(y[..., :k], (k,)), y[..., k:]], -1).movedim(-1, axis)

    return broken


@kind
def norm_along_one(rng, spot):
    axis, n = chosen(rng, spot)
    return lambda h: F.layer_norm(h.movedim(axis, -1), (n,)).movedim(-1, axis)


@kind
def sum_norm(rng, spot):
    axis, _ = chosen(rng, spot)
    return lambda h: h / (1 + h.abs().sum(axis, keepdim=True))


@kind
def mean_of_part(rng, spot):
    axis, n = chosen(rng, spot)
    return lambda h: h - h.narrow(axis, 0, max(n // 2, 1)).mean(axis, keepdim=True)


@kind
def entrywise(rng, spot):
    return rng.choice([lambda h: h.relu(), lambda h: h.abs(), lambda h: h.tanh(), lambda h: h * h, lambda h: h.exp()])


@kind
def gated_by_half(rng, spot):
    axis, n = chosen(rng, spot)
    if n % 2:
        return lambda h: h * h.select(axis, 0).unsqueeze(axis).tanh()
    return lambda h: torch.cat([h.chunk(2, axis)[0] * h.chunk(2, axis)[1].sigmoid()] * 2, axis)
