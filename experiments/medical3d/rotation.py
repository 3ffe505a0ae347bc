"""How groups turn volumes: voxels onto voxels where that is possible, trilinear interpolation otherwise."""

import torch
import torch.nn.functional as F

from intertwine.baselines import Action
from intertwine.groups import Group

# (x, y, z) = (last, -middle, first) index: the sign of each coordinate, in the order of torch's grid_sample.
AXES = torch.tensor([1.0, -1.0, 1.0], dtype=torch.float64)


def volume_action(group: Group) -> Action:
    """``(g, x) -> g x`` on volumes (batch, 1, side, side, side).

    ``turn_voxels`` for the finite groups here, which map voxels onto voxels; ``turn_volume`` for SO(3) and O(3).
    """
    return turn_voxels if group.is_finite else turn_volume


def turn_voxels(g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """``(g f)(p) = f(g^-1 p)`` about the centre for g that permutes the axes up to signs: nothing is interpolated.

    What ``iw.on_grid`` does for one invariant channel, without its checks: methods call it for every few samples.

    Args:
        g: a signed permutation matrix on (x, y, z), shape (3, 3).
        x: shape (batch, channels, side, side, side).

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Octahedral()
        >>> x = torch.rand(2, 1, 6, 6, 6)
        >>> g = G.elements()[7]
        >>> torch.equal(turn_voxels(g, x), iw.on_grid(G.trivial())(g, x))
        True
    """
    rows = (AXES[:, None] * g.to(AXES) * AXES).tolist()
    # Coordinate k is axis 4 - k of the tensor.
    sources = [4 - max(range(3), key=lambda k: abs(row[k])) for row in reversed(rows)]
    flipped = [4 - k for k, row in enumerate(rows) if sum(row) < 0]
    moved = x.permute(0, 1, *sources)
    return moved.flip(flipped) if flipped else moved.contiguous()


def turn_volume(g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """``(g f)(p) = f(g^-1 p)`` about the centre, trilinear between voxels, zero outside.

    Args:
        g: an orthogonal matrix on (x, y, z), shape (3, 3).
        x: shape (batch, channels, side, side, side).

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Octahedral()
        >>> x = torch.rand(2, 1, 6, 6, 6)
        >>> g = G.elements()[7]
        >>> torch.allclose(turn_volume(g, x), iw.on_grid(G.trivial())(g, x), atol=1e-5)
        True
    """
    back = (AXES[:, None] * g.to(AXES).mT * AXES).to(x.device, x.dtype)
    theta = F.pad(back, (0, 1))[None]
    # One grid for the batch: samples and channels go as channels of one volume.
    flat = x.reshape(1, -1, *x.shape[2:])
    grid = F.affine_grid(theta, [1, 1, *x.shape[2:]], align_corners=False)
    return F.grid_sample(flat, grid, mode="bilinear", padding_mode="zeros", align_corners=False).view(x.shape)


def turning_rate(A: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """``d/dt exp(tA) x`` at t = 0: ``-grad f(p) . A p``, the gradient by central differences, zero outside.

    Args:
        A: a skew matrix, an element of the Lie algebra of SO(3), shape (3, 3).
        x: shape (batch, channels, side, side, side).
    """
    velocity = (AXES[:, None] * A.to(AXES) * AXES).to(x.device, x.dtype)
    axes = [torch.arange(n, device=x.device, dtype=x.dtype) - (n - 1) / 2 for n in x.shape[2:]]
    first, middle, last = torch.meshgrid(*axes, indexing="ij")
    speed = torch.stack([last, middle, first], -1) @ velocity.mT
    total = torch.zeros_like(x)
    for coordinate, axis in enumerate((4, 3, 2)):
        n = x.shape[axis]
        pad = [0, 0, 0, 0, 0, 0]
        pad[2 * coordinate : 2 * coordinate + 2] = [1, 1]
        padded = F.pad(x, pad)
        gradient = (padded.narrow(axis, 2, n) - padded.narrow(axis, 0, n)) / 2
        total = total - gradient * speed[..., coordinate]
    return total
