"""How groups act on the images that the timed networks read: no dearer than need be, as rivals pay for it."""

import numpy as np
import torch
import torch.nn.functional as F

from intertwine.baselines import Action
from intertwine.representations import Representation

# A matrix whose entries are all within this of -1, 0 or 1 maps pixels onto pixels.
ROUNDING = 1e-9


def image_action(rep: Representation | None = None) -> Action:
    """``(g, x) -> rho(g) x(g^-1 p)`` on images (batch, channels, *space) in two or three dimensions.

    Elements that map pixels onto pixels move them; others interpolate between them (linearly, zeros outside).

    Args:
        rep: how the channels turn; None for scalars.
    """

    def action(g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        moved = moved_image(g, x)
        return moved if rep is None else rep.act(g, moved.movedim(1, -1)).movedim(-1, 1)

    return action


def moved_image(g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """``x(g^-1 p)`` for scalar channels; coordinates (x, y) are (column, -row), (x, y, z) (last, -middle, first)."""
    flip = torch.diag(torch.tensor([1.0, -1.0, 1.0][: x.ndim - 2], dtype=torch.float64))
    # Takes the coordinates of a point of the result to those of the point that it comes from.
    source = flip @ g.detach().cpu().double().T @ flip
    rounded = source.round()
    if (source - rounded).abs().max() < ROUNDING:
        return _permuted(rounded.int().tolist(), x)
    theta = torch.cat([source, torch.zeros(len(source), 1, dtype=torch.float64)], 1).to(x).expand(len(x), -1, -1)
    return F.grid_sample(x, F.affine_grid(theta, list(x.shape), align_corners=False), align_corners=False)


def _permuted(source: list[list[int]], x: torch.Tensor) -> torch.Tensor:
    """The image whose coordinate k of the source is +-1 times coordinate l of the result: axes permuted and flipped."""
    order, flipped = list(range(x.ndim)), []
    for k, row in enumerate(source):
        at = next(l for l, entry in enumerate(row) if entry)
        # Coordinate 0 lies along the last axis.
        order[-1 - at] = x.ndim - 1 - k
        if row[at] < 0:
            flipped.append(x.ndim - 1 - at)
    return x.permute(order).flip(flipped) if flipped else x.permute(order)


def image_derivative(A: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """``d/dt x(exp(-tA) p) = -grad x . (A p)`` for scalar channels, by central differences."""
    dims = x.ndim - 2
    flip = np.diag([1.0, -1.0, 1.0][:dims])
    matrix = flip @ A.detach().cpu().numpy() @ flip
    out = torch.zeros_like(x)
    for k in range(dims):
        slope = torch.gradient(x, dim=x.ndim - 1 - k)[0]
        for l in range(dims):
            if matrix[k, l]:
                out = out - float(matrix[k, l]) * _coordinate(x, l) * slope
    return out


def _coordinate(x: torch.Tensor, k: int) -> torch.Tensor:
    """Coordinate k of every pixel from the centre, in pixels, shaped to multiply images."""
    size = x.shape[-1 - k]
    values = torch.arange(size, dtype=x.dtype, device=x.device) - (size - 1) / 2
    return values.reshape(-1, *(1,) * k)
