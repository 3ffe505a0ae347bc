"""What ``data_symmetry`` is given, checked: samples, how a group acts on them, and which belong together."""

from dataclasses import dataclass

import numpy as np
import torch

from intertwine._arguments import check_dense
from intertwine._numerics import Array
from intertwine.diagnostics.grids.on_grid import GridAction
from intertwine.errors import ArgumentError, DtypeError, GroupMismatchError, NonFiniteError, ShapeError
from intertwine.groups import Group
from intertwine.groups.adapters.notation import as_representation
from intertwine.groups.element_text import action_text, element_text
from intertwine.representations import Representation


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples, one a row, and how a group acts on them."""

    values: torch.Tensor
    action: GridAction | Representation

    @property
    def group(self) -> Group:
        """The group that acts."""
        return self.action.group

    def taken(self, positions: torch.Tensor) -> "Samples":
        """The samples at ``positions`` in float64 (complex128), on the CPU where the device has none."""
        values = self.values.detach()[positions.to(self.values.device)]
        values = values.cpu() if values.device.type == "mps" else values
        return Samples(values.to(torch.promote_types(values.dtype, torch.float64)), self.action)

    def moved(self, g: torch.Tensor) -> torch.Tensor:
        """``g x`` of every sample."""
        return self.action(g, self.values) if isinstance(self.action, GridAction) else self.action.act(g, self.values)

    def text(self, g: torch.Tensor) -> str:
        """What g does, in words."""
        if not isinstance(self.action, GridAction):
            return action_text(g, self.action)
        space = self.action.space
        return element_text(g, self.group) if space is None else element_text(space.matrix(g))


def read_samples(x: object, rep: object, y: object, rep_y: object) -> tuple[Samples, ...]:
    """X and, where given, y, of one length and one group.

    Raises:
        ShapeError, GroupMismatchError, DtypeError, NonFiniteError, ArgumentError: they are not as they should be.
    """
    if (y is None) != (rep_y is None):
        missing, given = ("y", "rep_y") if y is None else ("rep_y", "y")
        raise ArgumentError(missing, expected=f"a value, as {given} has one", got="None")
    first = _samples("x", x, "rep", rep)
    if y is None:
        return (first,)
    second = _samples("y", y, "rep_y", rep_y)
    if first.group != second.group:
        raise GroupMismatchError(
            "rep_y", expected=f"a representation of {first.group}, as rep is", got=f"one of {second.group}"
        )
    if len(first.values) != len(second.values):
        raise ShapeError("y", expected=f"{len(first.values)} samples, as x has", got=f"{len(second.values)}")
    return first, second


def _samples(name: str, values: object, argument: str, rep: object) -> Samples:
    action = rep if isinstance(rep, GridAction) else as_representation(rep, argument)
    if not isinstance(values, torch.Tensor):
        raise ArgumentError(name, expected="a torch tensor, one sample a row", got=type(values).__name__)
    check_dense(name, values, values=True)
    if not (values.is_floating_point() or values.is_complex()):
        raise DtypeError(name, expected="floating-point or complex samples", got=values.dtype)
    if isinstance(action, Representation):
        fits, wide = values.ndim > 1 and values.shape[-1] == action.dim, f"(samples, ..., {action.dim}) for {action}"
        if action.is_complex and not values.is_complex():
            raise DtypeError(name, expected=f"complex samples, as {argument} = {action} is complex", got="real ones")
    else:
        fits, wide = values.ndim > 2, f"(samples, {action.rep.dim}, *pixels) for {action}"
    if values.ndim and not len(values):
        raise ShapeError(name, expected="at least one sample", got=f"none, shape {tuple(values.shape)}")
    if not fits or values.numel() == 0:
        raise ShapeError(name, expected=wide, got=f"shape {tuple(values.shape)}")
    if not bool(torch.isfinite(values).all()):
        raise NonFiniteError(name, expected="finite numbers", got="NaN or infinity")
    return Samples(values, action)


def read_blocks(blocks: object, count: int) -> torch.Tensor:
    """The number of each sample's block, from 0; every sample its own where None.

    Raises:
        ShapeError: not one number or word a sample.
    """
    if blocks is None:
        return torch.arange(count)
    try:
        labels: Array = np.asarray(blocks.detach().cpu() if isinstance(blocks, torch.Tensor) else blocks)
    except (ValueError, TypeError, RuntimeError):
        labels = np.empty(0)
    if labels.shape != (count,) or labels.dtype.kind not in "iubU":
        got = f"{labels.dtype}, shape {labels.shape}"
        raise ShapeError("blocks", expected=f"a whole number or a word for each of {count} samples", got=got)
    return torch.from_numpy(np.unique(labels, return_inverse=True)[1].reshape(-1).astype(np.int64))


def random_subset(blocks: torch.Tensor, limit: int, generator: torch.Generator | None) -> torch.Tensor:
    """Positions of the samples that are used: random whole blocks, at most ``limit`` samples."""
    if len(blocks) <= limit:
        return torch.arange(len(blocks))
    sizes = torch.bincount(blocks)
    order = torch.randperm(len(sizes), generator=generator)
    return torch.isin(blocks, order[torch.cumsum(sizes[order], 0) <= limit]).nonzero()[:, 0]
