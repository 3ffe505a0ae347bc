"""Norm layers: diagonal weights, fixed biases, running statistics."""

import torch
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from intertwine.binding.slot import Slot, Typing
from intertwine.errors import ShapeError

# One representation types them: what comes in goes out. (_NormBase: batch and instance norms of every dimension.)
NORM_TYPES: tuple[type[nn.Module], ...] = (_NormBase, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm)

DIAGONAL = ("weight", "running_var")
FIXED = ("bias", "running_mean")


def norm(module: nn.Module, typing: Typing) -> tuple[Slot, ...]:
    """``y = w (x - mean) / sqrt(var + eps) + b``: w and var are diagonal maps, b and mean fixed vectors.

    What the layer does with the batch, or within a group of channels, is not in its weights: GroupNorm and InstanceNorm
    keep the symmetry where their statistics do.
    """
    typing.check_options((), module)
    rep = typing.rep_out
    slots = []
    for name in (*DIAGONAL, *FIXED):
        value = getattr(module, name, None)
        if not isinstance(value, torch.Tensor):
            continue
        shape = tuple(value.shape)
        if value.numel() != rep.dim:
            raise ShapeError(
                typing.argument,
                expected=f"a representation of dimension {value.numel()}, as {name} has shape {shape}",
                got=f"dimension {rep.dim}, from {rep}",
            )
        if name in DIAGONAL:
            P = typing.projectors.diagonal(typing.argument, rep, shape)
        else:
            P = typing.projectors.tensor(typing.argument, (rep,), shape)
        slots.append(Slot(name, P, "buffer" if name.startswith("running") else "bias" if name == "bias" else "weight"))
    return tuple(slots)
