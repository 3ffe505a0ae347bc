"""Projectors written down as a formula, not by fields: the measurements that follow are those of every projector."""

from abc import abstractmethod

import torch

from intertwine._numerics import accumulation_dtype
from intertwine.groups import Group
from intertwine.projectors.projector import Projector
from intertwine.representations import Representation


class ClosedFormProjector(Projector):
    """A projector that computes ``P W`` itself, orthogonal in ``|W|_D^2 = sum over entries of D |W|^2``.

    Most have D = 1. Where a parameter stores one entry for several numbers of the map that it makes (half a spectrum),
    D may count them, so that the norm is the map's and not the parameter's: ``_weighted(W) = D^(1/2) W``. Then
    ``squared_residual``, ``squared_projection`` and ``relative_residual`` are measured in that norm, the gradient of
    the first is ``2 D (W - P W)``, and ``shrink_`` is the proximal step of that.

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

    def coordinates(self, W: torch.Tensor) -> torch.Tensor:
        return self._weighted(W)

    def _shrink_(self, W: torch.Tensor, factor: float | torch.Tensor) -> None:
        wide = W.to(accumulation_dtype(W.dtype))
        if not self.has_own_norm:
            W.copy_(torch.lerp(wide, self.project(wide), 1 - factor))
            return
        # argmin over X, and E with P E = E, of |X - W|^2 / 2 + c |X - E|_D^2 / 2, c = (1 - factor) / factor: X lies
        # between W and E, entry by entry, and E is nearest to W in what the minimum over X leaves of the two norms.
        real = wide.real if wide.is_complex() else wide
        metric = self._metric_of(real)
        metric = metric / (1 + (1 - factor) * (metric - 1))
        nearest, weight = self._nearest(wide, metric), (1 - factor) * metric
        if W.is_complex():
            ends = torch.view_as_real(wide), torch.view_as_real(nearest)
            W.copy_(torch.view_as_complex(torch.lerp(ends[0], ends[1], weight.unsqueeze(-1))))
        else:
            W.copy_(torch.lerp(wide, nearest, weight))

    def _metric_of(self, like: torch.Tensor) -> torch.Tensor:
        """D in the dtype of ``like``, real, of a shape that broadcasts against W; asked only where D is not 1."""
        raise NotImplementedError

    def _nearest(self, W: torch.Tensor, metric: torch.Tensor) -> torch.Tensor:
        """The equivariant tensor nearest to W in the norm of another ``metric``, as ``_metric_of`` gives it."""
        raise NotImplementedError

    def _project(self, W: torch.Tensor) -> torch.Tensor:
        wide = W.to(accumulation_dtype(W.dtype))
        if not self._pairs:
            return self._formula(wide).to(W.dtype)
        return torch.view_as_real(self._formula(torch.view_as_complex(wide.contiguous()))).to(W.dtype)

    def _residual(self, W: torch.Tensor) -> torch.Tensor:
        return W - self._project(W)
