"""The projector on one tuple of fields, applied to all their copies at once."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch

from intertwine._numerics import Array
from intertwine.projectors.constants import Constants
from intertwine.projectors.methods.components import Components, basis_components
from intertwine.representations.field import Field


class TupleProjector(ABC):
    """P on ``F_1 (x) ... (x) F_k``; blocks come as views (m_1, d_1, ..., m_k, d_k) of any strides."""

    constants: Constants
    # What fields it applies to, in words that complete "it needs".
    needs: ClassVar[str] = ""
    # Up to so many entries the calls that a block takes cost more than gathering it beside others (`JointMap`);
    # measured on one thread.
    joint_entries: ClassVar[int] = 2**14

    @classmethod
    @abstractmethod
    def applies(cls, axes: Sequence[Sequence[Field]], copies: int = 1) -> bool:
        """Whether P is computed so on every tuple with one field of each axis, of which there are so many copies."""

    @classmethod
    @abstractmethod
    def of(cls, fields: tuple[Field, ...]) -> "TupleProjector | None":
        """The projector on a tuple to which it applies; None where P is zero on it."""

    @property
    @abstractmethod
    def rank(self) -> int:
        """Dimension of the equivariant subspace of one tuple of copies."""

    @abstractmethod
    def project(self, block: torch.Tensor) -> torch.Tensor:
        """``P block``, same shape, possibly expanded or strided; the input is left alone."""

    def residual_(self, block: torch.Tensor) -> None:
        """``block <- block - P block`` in place."""
        block.sub_(self.project(block))

    def residual(self, block: torch.Tensor) -> torch.Tensor:
        """``block - P block`` as a new tensor."""
        out = block.clone(memory_format=torch.contiguous_format)
        self.residual_(out)
        return out

    def shrink_(self, block: torch.Tensor, factor: float | torch.Tensor) -> None:
        """``block <- P block + factor (block - P block)`` in place."""
        block.lerp_(self.project(block), 1 - factor)

    def shrunk(self, block: torch.Tensor, factor: float | torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """What ``shrink_`` puts elsewhere than ``factor * block``: where, a view, and what, in memory of its own.

        For weights of many blocks, most of which are scaled alone: they are scaled at once, and these put in.
        """
        return block, torch.lerp(block, self.project(block), 1 - factor)

    @abstractmethod
    def basis(self) -> Array:
        """Orthonormal basis of the equivariant subspace of one tuple, shape (rank, d_1, ..., d_k)."""

    def components(self) -> tuple[Components, ...] | None:
        """How P falls apart on one tuple; None where finding out takes a basis that outweighs the weights."""
        return tuple(basis_components(self.basis().reshape(self.rank, -1)))


def copies_first(block: torch.Tensor) -> torch.Tensor:
    """(m_1, d_1, ..., m_k, d_k) as (m_1, ..., m_k, d_1, ..., d_k), a view."""
    k = block.ndim // 2
    return block.permute(*range(0, 2 * k, 2), *range(1, 2 * k, 2))


def interleaved(block: torch.Tensor) -> torch.Tensor:
    """Inverse of ``copies_first``."""
    k = block.ndim // 2
    return block.permute(*(axis for i in range(k) for axis in (i, k + i)))
