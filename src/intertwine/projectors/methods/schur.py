"""Schur's lemma: between unlike irreps an equivariant map is zero, between like ones it lies in the commutant."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.projectors.constants import Constants
from intertwine.projectors.methods.method import TupleProjector
from intertwine.representations.field import Field
from intertwine.representations.intertwiners import commutant
from intertwine.representations.irrep_field import IrrepField


class SchurProjector(TupleProjector):
    """Between two copies of one irrep (or on copies of the trivial one): ``P W = sum_k C_k <C_k, W> / dim``.

    The C_k are the commutant's 1, 2 or 4 orthogonal matrices (real, complex, quaternionic type). For the real type
    this is the mean of the diagonal, taken in place on a strided view, so that a residual costs one copy and little
    else. For turns of a plane (complex type, dimension 2) it is that and ``(b - c) / 2`` beside the diagonal, likewise.
    """

    needs = "one or two axes of named irreps"
    # Little but the diagonals is gathered.
    joint_entries = 2**17

    def __init__(self, field: Field, axes: int) -> None:
        self.dim, self.axes = field.dim, axes
        matrices = commutant(field) if axes == 2 else np.ones((1, 1, 1))
        self.matrices = matrices
        # The commutant of a turn of the plane: a + b J with the quarter turn J.
        self._planar = matrices.shape == (2, 2, 2) and _spans_turns(matrices)
        dense = {"commutant": matrices} if len(matrices) > 1 and not self._planar else {}
        self.constants = Constants(dim=np.array(float(self.dim)), **dense)

    @classmethod
    def applies(cls, axes: Sequence[Sequence[Field]], copies: int = 1) -> bool:
        """Whether all fields are irreps, each in one basis: the lemma does not see which, but that it is the same."""
        del copies
        fields = set(chain.from_iterable(axes))
        if len(axes) == 1:
            fields |= {trivial_field(field) for field in fields}
        labels = {field.irreducible for field in fields}
        return len(axes) <= 2 and None not in labels and len(labels) == len(fields)

    @classmethod
    def of(cls, fields: tuple[Field, ...]) -> "SchurProjector | None":
        first, second = fields if len(fields) == 2 else (*fields, trivial_field(fields[0]))
        return schur_projector(first, len(fields)) if first == second else None

    @property
    def rank(self) -> int:
        return len(self.matrices)

    def project(self, block: torch.Tensor) -> torch.Tensor:
        if self.dim == 1:
            return block
        if len(self.matrices) > 1 and not self._planar:
            commutant = self.constants.get("commutant", block)
            coefficients = torch.einsum("aibj,kij->abk", block, commutant) / self.dim
            return torch.einsum("abk,kij->aibj", coefficients, commutant)
        out = torch.zeros_like(block, memory_format=torch.contiguous_format)
        diagonal = block.diagonal(dim1=1, dim2=3)
        out.diagonal(dim1=1, dim2=3).copy_(diagonal.mean(-1, keepdim=True).expand_as(diagonal))
        if self._planar:
            half = (block[:, 0, :, 1] - block[:, 1, :, 0]) / 2
            out[:, 0, :, 1] = half
            out[:, 1, :, 0] = -half
        return out

    def residual_(self, block: torch.Tensor) -> None:
        if self.dim == 1:
            block.zero_()
        elif len(self.matrices) > 1 and not self._planar:
            super().residual_(block)
        else:
            diagonal = block.diagonal(dim1=1, dim2=3)
            # A mean, whose division by a number costs as much as its sum; by a tensor it does not, and is as exact.
            diagonal.sub_(diagonal.sum(-1, keepdim=True).div_(self.constants.get("dim", block)))
            if self._planar:
                right, left = block[:, 0, :, 1], block[:, 1, :, 0]
                right.add_(left).div_(2)
                left.copy_(right)

    def shrunk(self, block: torch.Tensor, factor: float | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if self.dim == 1:
            return block, block.clone()
        if len(self.matrices) > 1:
            return super().shrunk(block, factor)
        # Its own layout, copies innermost: loops over so few entries of one diagonal would cost more than the numbers.
        diagonal = block.diagonal(dim1=1, dim2=3)
        entries = diagonal.movedim(-1, 0).clone(memory_format=torch.contiguous_format)
        return diagonal, entries.lerp_(entries.mean(0, keepdim=True), 1 - factor).movedim(0, -1)

    def shrink_(self, block: torch.Tensor, factor: float | torch.Tensor) -> None:
        where, entries = self.shrunk(block, factor)
        if where is not block:
            block.mul_(factor)
        where.copy_(entries)

    def basis(self) -> Array:
        return (self.matrices / np.sqrt(self.dim)).reshape(-1, *(self.dim,) * self.axes)


def trivial_field(field: Field) -> IrrepField:
    """The trivial irrep of the group of ``field``."""
    return IrrepField(field.group, field.group.trivial_label)


def _spans_turns(matrices: Array) -> bool:
    """Whether two matrices (2, 2, 2) span the identity and the quarter turn."""
    if np.iscomplexobj(matrices):
        return False
    return bool(
        np.allclose(matrices[:, 0, 0], matrices[:, 1, 1]) and np.allclose(matrices[:, 0, 1], -matrices[:, 1, 0])
    )


@lru_cache(maxsize=512)
def schur_projector(field: Field, axes: int) -> SchurProjector:
    """One object per irrep, shared by all parameters that carry it."""
    return SchurProjector(field, axes)
