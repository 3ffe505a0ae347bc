"""Projectors written down as a formula, not by fields: the measurements that follow are those of every projector."""

from abc import abstractmethod

import torch

from intertwine._numerics import accumulation_dtype
from intertwine.projectors.projector import Projector
from intertwine.representations import Group, Representation


class ClosedFormProjector(Projector):
    """A projector that computes ``P W`` itself, orthogonal in ``|W|_D^2 = sum over entries of D |W|^2``.

    Most have D = 1. Where a parameter stores one entry for several numbers of the map that it makes (half a spectrum),
    D may count them, so that the norm is the map's and not the parameter's: ``_weighted(W) = D^(1/2) W``. Then
    ``squared_residual``, ``squared_projection`` and ``relative_residual`` are measured in that norm.

    Args:
        group: the group.
        axes: one representation (or None) an axis of the tensor.
        shape: the tensor's shape, None on an axis of any length.
        method: what ``P.method`` says.
        real_linear: W is complex and P is linear over the reals only, as weights that act on real fields are.
        pairs: the tensor holds complex numbers as a last axis (Re, Im), after ``shape``.
        reason: why P is no projector on the fixed space of an action; empty if it is.
    """

    def __init__(
        self,
        group: Group,
        axes: tuple[Representation | None, ...],
        shape: tuple[int | None, ...],
        method: str,
        *,
        pairs: bool = False,
        real_linear: bool = False,
        reason: str = "",
    ) -> None:
        self._pairs, self._real_linear = pairs, real_linear
        if pairs:
            axes, shape = (*axes, None), (*shape, 2)
        super().__init__(group, axes, (), (), method, folds=tuple((n,) for n in shape), reason=reason)

    @abstractmethod
    def _formula(self, W: torch.Tensor) -> torch.Tensor:
        """``D^(1/2) P D^(-1/2) W``, orthogonal in the plain norm; W is complex under ``pairs`` and is not changed."""

    def _weighted(self, W: torch.Tensor, *, inverse: bool = False) -> torch.Tensor:
        """``D^(1/2) W``, or ``D^(-1/2) W``; W itself where D = 1."""
        del inverse
        return W

    @abstractmethod
    def basis(self) -> torch.Tensor:
        """Basis of the equivariant subspace, orthonormal in the norm of P, shape (rank, *shape); for small cases."""

    @property
    def ambient_dim(self) -> int:
        return 2 * self.numel if self._real_linear and not self._pairs else self.numel

    @property
    @abstractmethod
    def rank(self) -> int:
        """Dimension of the equivariant subspace; a None axis counts as one."""

    @property
    def constant_bytes(self) -> int:
        """Memory of the constants, in bytes as built."""
        return 0

    def project(self, W: torch.Tensor) -> torch.Tensor:
        """``P W``; same shape and dtype, differentiable."""
        self._check(W)
        return self._weighted(super().project(self._weighted(W)), inverse=True)

    def residual(self, W: torch.Tensor) -> torch.Tensor:
        """``W - P W``; same shape and dtype, differentiable."""
        self._check(W)
        return self._weighted(super().residual(self._weighted(W)), inverse=True)

    def squared_residual(self, W: torch.Tensor) -> torch.Tensor:
        """``|W - P W|_D^2``, a scalar, twice differentiable."""
        self._check(W)
        return super().squared_residual(self._weighted(W))

    def squared_projection(self, W: torch.Tensor) -> torch.Tensor:
        """``|P W|_D^2``, a scalar, twice differentiable."""
        self._check(W)
        return super().squared_projection(self._weighted(W))

    def relative_residual(self, W: torch.Tensor) -> torch.Tensor:
        """``|W - P W|_D / |W|_D`` in [0, 1], a scalar without gradient, 0 for W = 0."""
        self._check(W)
        return super().relative_residual(self._weighted(W))

    @torch.no_grad()
    def shrink_(self, W: torch.Tensor, factor: float | torch.Tensor) -> None:
        """``W <- P W + factor (W - P W)`` in place, without gradient."""
        self._check(W)
        wide = W.to(accumulation_dtype(W.dtype))
        projected = self.project(wide)
        W.copy_((wide - projected).mul_(factor).add_(projected))

    def _project(self, W: torch.Tensor) -> torch.Tensor:
        wide = W.to(accumulation_dtype(W.dtype))
        if not self._pairs:
            return self._formula(wide).to(W.dtype)
        return torch.view_as_real(self._formula(torch.view_as_complex(wide.contiguous()))).to(W.dtype)

    def _residual(self, W: torch.Tensor) -> torch.Tensor:
        return W - self._project(W)
