"""What moves entries elsewhere, or looks at some places alone."""

import torch
from torch.nn import functional as F

from tests.tracing.planting.kinds.registry import chosen, kind


@kind
def roll(rng, spot):
    axis, _ = chosen(rng, spot)
    return lambda h: h.roll(1, axis)


@kind
def flip(rng, spot):
    axis, _ = chosen(rng, spot)
    return lambda h: h.flip(axis)


@kind
def wrong_padding(rng, spot):
    axis, n = chosen(rng, spot)
    return lambda h: F.pad(h.movedim(axis, -1), (1, 0))[..., :n].movedim(-1, axis)


@kind
def other_order(rng, spot):
    axis, n = chosen(rng, spot)
    order = torch.tensor(rng.sample(range(n), n))
    forms = [
        lambda h: h.index_select(axis, order),
        lambda h: h.movedim(axis, 0)[order].movedim(0, axis),
        lambda h: h.gather(axis, spot.along(axis, order).expand(h.shape)),
        lambda h: torch.zeros_like(h).index_copy(axis if axis >= 0 else axis + h.ndim, order, h),
        lambda h: torch.zeros_like(h).scatter(axis, spot.along(axis, order).expand(h.shape), h),
        lambda h: torch.take_along_dim(h, spot.along(axis, order).expand(h.shape), axis),
    ]
    return rng.choice(forms)


@kind
def halves_exchanged(rng, spot):
    axis, n = chosen(rng, spot)
    return lambda h: torch.cat(h.split([n // 3, n - n // 3], axis)[::-1], axis)


@kind
def half_negated(rng, spot):
    axis, n = chosen(rng, spot)

    def broken(h):
        one, two = h.split([n // 3 or 1, n - (n // 3 or 1)], axis)
        return torch.cat([-one, two], axis)

    return broken


@kind
def stride_off_centre(rng, spot):
    axis, n = chosen(rng, spot)

    def broken(h):
        y = h.movedim(axis, -1)
        return y[..., ::2].repeat_interleave(2, -1)[..., :n].movedim(-1, axis)

    return broken


@kind
def pool_off_centre(rng, spot):
    axis, n = chosen(rng, spot)

    def broken(h):
        y = h.movedim(axis, -1)
        z = F.avg_pool1d(F.pad(y.reshape(-1, 1, n), (1, 1)), 2, 2)
        return F.interpolate(z, size=n, mode="nearest").reshape(y.shape).movedim(-1, axis)

    return broken


@kind
def transposed(rng, spot):
    if len(spot.shape) > 1:
        return lambda h: h.mT.reshape(h.shape)
    return lambda h: h.reshape(-1, 2, h.shape[-1] // 2).mT.reshape(h.shape)


@kind
def viewed_wrongly(rng, spot):
    n = spot.shape[-1]
    return lambda h: h.reshape(*h.shape[:-1], *((2, n // 2) if n % 2 == 0 else (1, n))).flip(-1).reshape(h.shape)


@kind
def triangle(rng, spot):
    return (lambda h: h.triu()) if len(spot.shape) > 1 else (lambda h: h.unsqueeze(1).triu(2).squeeze(1))


@kind
def diagonal_added(rng, spot):
    return lambda h: h + torch.diag_embed(torch.ones(h.shape[-1]))[0]
