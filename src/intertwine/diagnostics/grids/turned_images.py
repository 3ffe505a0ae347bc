"""Turns that take pixels to places between pixels, by interpolation, seen through a round window."""

import math

import torch
from torch.nn import functional

from intertwine.errors import ArgumentError
from intertwine.representations.pixels import on_axes

MODES = ("bilinear", "bicubic")
# Pixels over which the window falls to zero: a sharp edge of pixels would turn badly itself.
EDGE = 3.0


def through_window(x: torch.Tensor) -> torch.Tensor:
    """Images (batch, channels, *pixels) times a window: 1 about the centre, falling to 0 at the inscribed circle.

    It is a function of the distance from the centre, so that turning and looking through it commute.
    """
    sides = tuple(x.shape[2:])
    axes = [torch.arange(n, dtype=torch.float64, device=x.device) - (n - 1) / 2 for n in sides]
    distance = torch.stack(torch.meshgrid(*axes, indexing="ij")).square().sum(0).sqrt()
    radius = min(sides) / 2
    edge = min(EDGE, radius / 2)
    inside = ((radius - distance) / edge).clamp(0, 1)
    return x * (0.5 - 0.5 * torch.cos(math.pi * inside))


def turned(x: torch.Tensor, matrix: torch.Tensor, mode: str) -> torch.Tensor:
    """``f(g^-1 x)``, beyond the image's edge the value at the edge.

    Args:
        x: images, (batch, channels, *pixels), float64 or complex128, two or three axes of pixels.
        matrix: ``g`` on (x, y) or (x, y, z), as ``representations.pixels`` has them, orthogonal, (dim, dim).
        mode: ``"bilinear"`` (between neighbours, in three dimensions too) or ``"bicubic"``.

    Raises:
        ArgumentError: a mode that torch does not have in this dimension.
    """
    if x.is_complex():
        return torch.complex(turned(x.real, matrix, mode), turned(x.imag, matrix, mode))
    sides, dim = tuple(x.shape[2:]), x.ndim - 2
    if dim == 1 or (dim == 3 and mode == "bicubic"):
        raise ArgumentError(
            "interpolation",
            expected="'bilinear' in three dimensions" if dim == 3 else "None in one dimension, where nothing turns",
            got=repr(mode),
        )
    inverse = torch.from_numpy(on_axes(matrix.double().cpu().mT.numpy())).to(x.device)
    axes = [torch.arange(n, dtype=torch.float64, device=x.device) - (n - 1) / 2 for n in sides]
    offsets = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1)
    half = torch.tensor([max(n - 1, 1) / 2 for n in sides], dtype=torch.float64, device=x.device)
    grid = (offsets @ inverse.mT / half).flip(-1)  # grid_sample takes the last axis first, and counts all downwards
    grid = grid.expand(len(x), *grid.shape)
    return functional.grid_sample(x, grid, mode=mode, padding_mode="border", align_corners=True)
