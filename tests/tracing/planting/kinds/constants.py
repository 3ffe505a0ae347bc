"""Constants that the group moves: added, multiplied, or weights of maps along one axis."""

import torch
from torch.nn import functional as F

from tests.tracing.planting.kinds.registry import chosen, drawn, kind, ramp


@kind
def table(rng, spot):
    values = spot.along((axis := chosen(rng, spot)[0]), drawn(rng, spot.shape[axis]))
    return lambda h: h + values


@kind
def whole_table(rng, spot):
    values = 0.3 * drawn(rng, *spot.shape)
    return lambda h: h + values


@kind
def factor(rng, spot):
    values = ramp(spot, chosen(rng, spot)[0])
    return lambda h: h * values


@kind
def hand_sign(rng, spot):
    axis, n = chosen(rng, spot)
    values = spot.along(axis, torch.tensor([(-1.0) ** i for i in range(n)]))
    return lambda h: h * values


@kind
def made_inside(rng, spot):
    axis, n = chosen(rng, spot)
    return lambda h: h + spot.along(axis, torch.arange(n, dtype=h.dtype) / n)


@kind
def sinusoids(rng, spot):
    axis, n = chosen(rng, spot)
    return lambda h: h + 0.5 * spot.along(axis, torch.sin(torch.arange(n).float()))


@kind
def mask(rng, spot):
    axis, n = chosen(rng, spot)
    kept = spot.along(axis, torch.arange(n) < max(n - 1, 1))
    return rng.choice([lambda h: h.masked_fill(~kept, 0.0), lambda h: torch.where(kept, h, -h), lambda h: h * kept])


@kind
def limits(rng, spot):
    most = 1 + ramp(spot, chosen(rng, spot)[0])
    return lambda h: torch.minimum(h, most)


@kind
def rare_limits(rng, spot):
    most = 2.5 + ramp(spot, chosen(rng, spot)[0])
    return lambda h: torch.minimum(h, most)


@kind
def matrix(rng, spot):
    axis, n = chosen(rng, spot)
    values = drawn(rng, n, n) / n**0.5
    return lambda h: (h.movedim(axis, -1) @ values).movedim(-1, axis)


@kind
def linear(rng, spot):
    axis, n = chosen(rng, spot)
    values = drawn(rng, n, n) / n**0.5
    return lambda h: F.linear(h.movedim(axis, -1), values).movedim(-1, axis)


@kind
def einsum(rng, spot):
    axis, n = chosen(rng, spot)
    values = drawn(rng, n, n) / n**0.5
    return lambda h: torch.einsum("...i,ij->...j", h.movedim(axis, -1), values).movedim(-1, axis)


@kind
def lopsided_filter(rng, spot):
    axis, _ = chosen(rng, spot)
    values = torch.tensor([[[0.2, 0.5, 0.9]]])

    def broken(h):
        y = h.movedim(axis, -1)
        return F.conv1d(y.reshape(-1, 1, y.shape[-1]), values, padding=1).reshape(y.shape).movedim(-1, axis)

    return broken


@kind
def embedding_of_place(rng, spot):
    axis, n = chosen(rng, spot)
    values = drawn(rng, n, 1)
    return lambda h: h + spot.along(axis, F.embedding(torch.arange(n), values)[:, 0])
