"""What the networks on volumes need beside torch's layers: batch norms of whole fields, layers at each voxel."""

from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.autograd import forward_ad

from intertwine.representations import Field, Representation


class FieldBatchNorm(nn.Module):
    """Batch normalisation of volumes with one mean, one variance and one scale a copy of a field.

    Copies that the group permutes without signs (trivial, regular): ``w (x - mean) / sqrt(var + eps) + b``, mean and
    variance over batch, voxels and the copy's own entries. All other copies: ``w x / sqrt(mean |x|^2 / d + eps)``, no
    mean taken off and no bias. One number for a whole copy commutes with the group; per-channel ones do not: on irreps
    never, on permuted channels not once the running statistics of volumes that all lie one way are used.

    Shapes:
        (batch, rep.dim, *voxels) -> the same.

    Args:
        rep: how the group acts on the channels.

    Source:
        ``e3nn.nn.BatchNorm``; escnn's ``InnerBatchNorm`` for regular fields.
    """

    def __init__(self, rep: Representation) -> None:
        super().__init__()
        self.rep = rep
        self.sizes = [(segment.mul, segment.field.dim) for segment in rep.segments]
        self.centred = [_is_permuted(segment.field) for segment in rep.segments]
        self.parts = nn.ModuleList(
            nn.BatchNorm1d(mul) if centred else CopyRms(mul)
            for (mul, _), centred in zip(self.sizes, self.centred, strict=True)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        split = x.split([mul * dim for mul, dim in self.sizes], dim=1)
        parts = []
        for part, (mul, dim), layer in zip(split, self.sizes, self.parts, strict=True):
            # A copy's entries and all voxels on one axis.
            flat = part.reshape(len(x), mul, dim * part[0, 0].numel())
            parts.append(layer(flat).view(part.shape))
        return torch.cat(parts, dim=1) if len(parts) > 1 else parts[0]

    def types(self, name: str) -> Mapping[str, Representation]:
        """What to bind this layer with under the name ``name``: every number of it is invariant."""
        trivial = self.rep.group.trivial()
        found: dict[str, Representation] = {}
        for i, ((mul, _), centred) in enumerate(zip(self.sizes, self.centred, strict=True)):
            tensors = ("",) if centred else (".weight", ".running_var")
            found |= {f"{name}.parts.{i}{tensor}": mul * trivial for tensor in tensors}
        return found


class CopyRms(nn.Module):
    """``w_c x_c / sqrt(mean x_c^2 + eps)``, the mean over the batch, a running one in evaluation.

    Shapes:
        (batch, copies, length) -> the same.
    """

    def __init__(self, copies: int, eps: float = 1e-5, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(copies))
        self.register_buffer("running_var", torch.ones(copies))
        self.running_var: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            square = x.square().mean((0, 2))
            # Neither gradients nor the tangents of a Lie derivative may stay in a buffer.
            self.running_var.lerp_(forward_ad.unpack_dual(square.detach()).primal, self.momentum)
        else:
            square = self.running_var
        return x * (self.weight * (square + self.eps).rsqrt())[:, None]


class AtVoxels(nn.Module):
    """A layer on the last axis, applied to the channels of every voxel."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        moved: torch.Tensor = self.layer(x.movedim(1, -1))
        return moved.movedim(-1, 1)


class ResidualBlock(nn.Module):
    """``ELU(BN(conv(ELU(BN(conv(x))))) + skip(x))``, with torch's own per-channel BatchNorm and pointwise ELU.

    The strides keep the centre of the grid: kernels of 4 and 2 voxels (skip) for an even side, 3 and 1 for an odd one.
    So what breaks the symmetry of irreps in it is the norm and the activation, and nothing else.
    """

    def __init__(self, channels_in: int, channels_out: int, side: int) -> None:
        super().__init__()
        kernel, skip = (3, 1) if side % 2 else (4, 2)
        self.conv1 = nn.Conv3d(channels_in, channels_out, kernel, stride=2, padding=1, bias=False)
        self.norm1 = nn.BatchNorm3d(channels_out)
        self.act1 = nn.ELU()
        self.conv2 = nn.Conv3d(channels_out, channels_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm3d(channels_out)
        self.skip = nn.Conv3d(channels_in, channels_out, skip, stride=2, bias=False)
        self.act2 = nn.ELU()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        inner = self.norm2(self.conv2(self.act1(self.norm1(self.conv1(x)))))
        result: torch.Tensor = self.act2(inner + self.skip(x))
        return result


def _is_permuted(field: Field) -> bool:
    """Whether the group permutes the entries of a copy, without signs."""
    table = field.generator_permutations()
    trivial = np.allclose(field.generator_images(), np.eye(field.dim)) and not field.algebra().any()
    return trivial or (table is not None and bool((table[1] == 1).all()))
