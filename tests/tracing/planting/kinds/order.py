"""What looks at which entry comes first: by size, or by place."""

import torch
from torch.nn import functional as F

from tests.tracing.planting.kinds.registry import chosen, drawn, kind


@kind
def sort(rng, spot):
    axis, _ = chosen(rng, spot)
    return lambda h: h.sort(axis).values


@kind
def argsort(rng, spot):
    axis, _ = chosen(rng, spot)
    return lambda h: h + 0.1 * h.argsort(axis).to(h.dtype)


@kind
def argmax(rng, spot):
    axis, _ = chosen(rng, spot)
    return lambda h: h + 0.1 * h.argmax(axis, keepdim=True)


@kind
def topk(rng, spot):
    axis, _ = chosen(rng, spot)
    return lambda h: h + 0.1 * h.topk(2, axis).indices.sum(axis, keepdim=True)


@kind
def max_indices(rng, spot):
    axis, n = chosen(rng, spot)
    values = drawn(rng, n)
    return lambda h: h + values[h.max(axis, keepdim=True).indices]


@kind
def one_of_max(rng, spot):
    axis, n = chosen(rng, spot)
    return lambda h: h + F.one_hot(h.argmax(axis), n).movedim(-1, axis).cumsum(axis)


@kind
def max_of_part(rng, spot):
    axis, n = chosen(rng, spot)
    return lambda h: h + h.narrow(axis, 0, max(n // 2, 1)).amax(axis, keepdim=True)


@kind
def first_entry(rng, spot):
    axis, _ = chosen(rng, spot)
    return lambda h: h * h.select(axis, 0).unsqueeze(axis).sigmoid()


@kind
def cumulated(rng, spot):
    axis, _ = chosen(rng, spot)
    return rng.choice(
        [
            lambda h: 0.3 * h.cumsum(axis),
            lambda h: h.cummax(axis).values,
            lambda h: h.sigmoid().cumprod(axis),
            lambda h: h.logcumsumexp(axis),
            lambda h: h.diff(dim=axis, prepend=torch.zeros_like(h.narrow(axis, 0, 1))),
        ]
    )
