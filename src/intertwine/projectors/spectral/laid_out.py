"""A projector on tensors whose axes lie in another order than the one that it is written for."""

from collections.abc import Sequence

import torch

from intertwine.projectors.closed_form import ClosedFormProjector
from intertwine.projectors.projector import Projector
from intertwine.representations import Representation


class LaidOutProjector(ClosedFormProjector):
    """``P W = L^-1 P' L W``, where L permutes and folds the axes of W as ``P'`` has them.

    Args:
        inner: P'.
        shape: of W.
        order: which axis of W each axis of ``P'`` is; None for one of length 1 that W has not.
        axes: the representation on each axis of W, None where they do not say it.
    """

    acts_by_axes = False

    def __init__(
        self,
        inner: Projector,
        shape: tuple[int, ...],
        order: Sequence[int | None],
        axes: tuple[Representation | None, ...],
    ) -> None:
        super().__init__(inner.group, axes, tuple((n,) for n in shape), inner.method)
        self._inner = inner
        self._order = tuple(place for place in order if place is not None)
        self._back = tuple(sorted(range(len(self._order)), key=self._order.__getitem__))
        self._wide = tuple(1 if place is None else shape[place] for place in order)
        self.has_own_norm = inner.has_own_norm
        self.is_complex = inner.is_complex

    @property
    def rank(self) -> int:
        """Dimension of the equivariant subspace."""
        return self._inner.rank

    @property
    def ambient_dim(self) -> int:
        """Dimension of the space in which ``rank`` counts."""
        return self._inner.ambient_dim

    @property
    def chance(self) -> float:
        """Relative residual to expect of random weights."""
        return self._inner.chance

    @property
    def constant_bytes(self) -> int:
        """Memory of the constants, in bytes as built."""
        return self._inner.constant_bytes

    def basis(self) -> torch.Tensor:
        """Basis of the equivariant subspace."""
        rows = self._inner.basis()
        return torch.stack([self._out(row) for row in rows]) if len(rows) else rows.reshape(0, *self._sides())

    def coordinates(self, W: torch.Tensor) -> torch.Tensor:
        return self._out(self._inner.coordinates(self._in(W)))

    def _in(self, W: torch.Tensor) -> torch.Tensor:
        return W.permute(self._order).reshape(self._wide)

    def _out(self, W: torch.Tensor) -> torch.Tensor:
        sides = self._sides()
        return W.reshape([sides[place] for place in self._order]).permute(self._back)

    def _sides(self) -> tuple[int, ...]:
        return tuple(n for n in self.shape if n is not None)

    def _formula(self, W: torch.Tensor) -> torch.Tensor:
        return self._out(self._inner._project(self._in(W)))

    def _image(self, W: torch.Tensor, *, projected: bool) -> torch.Tensor:
        return self._out(self._inner._image(self._in(W), projected=projected))

    def _squared_norm(self, W: torch.Tensor, *, projected: bool) -> torch.Tensor:
        return self._inner._squared_norm(self._in(W), projected=projected)

    def _shrink_(self, W: torch.Tensor, factor: float | torch.Tensor) -> None:
        inside = self._in(W).contiguous()
        inside = inside.clone() if inside.data_ptr() == W.data_ptr() else inside
        self._inner._shrink_(inside, factor)
        W.copy_(self._out(inside))

    def check(self, W: torch.Tensor) -> None:
        super().check(W)
        self._inner.check(self._in(W))
