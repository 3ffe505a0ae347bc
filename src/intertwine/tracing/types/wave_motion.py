"""How the group moves waves of which only the sizes are there."""

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.tracing.axes import Wave
from intertwine.tracing.bindings import CannotActError


def is_whole(wave: Wave) -> bool:
    """Whether these are all waves along the coordinate, each once."""
    return not wave.half and len(set(wave.waves)) == wave.size == wave.side


def moved_waves(x: torch.Tensor, waves: list[tuple[int, Wave]], moves: Array) -> torch.Tensor:
    """``x'(k) = x(g^-1 k)`` for sizes of waves, all of which are there."""
    order = list(range(x.ndim))
    for target, row in enumerate(moves):
        source = int(np.abs(row).argmax())
        here = [pair for pair in waves if pair[1].coordinate == target]
        there = [pair for pair in waves if pair[1].coordinate == source]
        if len(here) != len(there):
            raise CannotActError(f"waves along {len(here)} and {len(there)} axes, which the group exchanges")
        for (position, wave), (partner, other) in zip(here, there, strict=True):
            order[position] = partner
            place = {k % other.side: i for i, k in enumerate(other.waves)}
            sign = int(row.sum())
            if set(place) != {sign * k % other.side for k in wave.waves}:
                raise CannotActError("waves that the group takes to others")
            index = torch.tensor([place[sign * k % other.side] for k in wave.waves], device=x.device)
            x = x.index_select(partner, index)
    return x.permute(order)
