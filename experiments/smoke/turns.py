"""Quarter turns of the fields of a plume: of frames, of a history of them, of what lies between the layers."""

import math

import torch

from intertwine.groups import Cyclic

C4 = Cyclic(4)


def turn_frames(g: torch.Tensor, frames: torch.Tensor) -> torch.Tensor:
    """Velocities (..., 2, side, side) turned by a quarter turn g, a 2 x 2 matrix: pixels move and vectors turn."""
    turned = frames.rot90(quarters(g), (-2, -1))
    return torch.einsum("ij,...jyx->...iyx", g.to(turned), turned)


def turn_history(g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Inputs (batch, history * 2, side, side) turned."""
    return turn_frames(g, x.unflatten(1, (-1, 2))).flatten(1, 2)


def turn_fields(g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """Regular fields (batch, fields * 4, side, side) turned: pixels move and the channels of a field are shifted."""
    moved = C4.regular().matrix(g).to(x)
    fields = x.rot90(quarters(g), (-2, -1)).unflatten(1, (-1, 4))
    return torch.einsum("ij,bfjyx->bfiyx", moved, fields).flatten(1, 2)


def quarters(g: torch.Tensor) -> int:
    """How many quarter turns, counterclockwise, the matrix g is."""
    return round(math.atan2(float(g[1, 0]), float(g[0, 0])) / (math.pi / 2)) % 4
