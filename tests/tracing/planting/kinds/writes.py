"""What writes into memory that others see."""

import torch

from tests.tracing.planting.kinds.registry import chosen, kind, ramp


@kind
def written(rng, spot):
    axis, _ = chosen(rng, spot)

    def broken(h):
        y = h.clone()
        y.select(axis, 0).mul_(2)
        return y

    return broken


@kind
def written_by_index(rng, spot):
    axis, _ = chosen(rng, spot)

    def broken(h):
        y = h.clone().movedim(axis, 0)
        y[0] = y[-1] + 1
        return y.movedim(0, axis)

    return broken


@kind
def written_into_input(rng, spot):
    axis, _ = chosen(rng, spot)

    def broken(h):
        h.narrow(axis, 0, 1).add_(1)
        return h

    return broken


@kind
def written_out(rng, spot):
    values = ramp(spot, chosen(rng, spot)[0])

    def broken(h):
        y = torch.empty_like(h)
        torch.mul(h, values, out=y)
        return y

    return broken


@kind
def written_into_data(rng, spot):
    values = ramp(spot, chosen(rng, spot)[0])

    def broken(h):
        y = h + 0
        y.data.mul_(values)
        return y

    return broken


@kind
def copied_part(rng, spot):
    axis, n = chosen(rng, spot)

    def broken(h):
        y = torch.zeros_like(h)
        y.narrow(axis, 0, n - n // 3).copy_(h.narrow(axis, 0, n - n // 3))
        return y

    return broken


@kind
def index_add(rng, spot):
    axis, n = chosen(rng, spot)
    where = torch.arange(n) // 2
    return lambda h: h + torch.zeros_like(h).index_add_(axis + h.ndim, where, h)
