"""Projectors written down as a formula, not by fields."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import final

import torch

from intertwine._numerics import accumulation_dtype
from intertwine.groups import Group
from intertwine.projectors.autograd import self_adjoint, squared_norm_of_image
from intertwine.projectors.projector import Projector
from intertwine.representations import Representation


class ClosedFormProjector(Projector):
    """A projector that computes ``P W`` itself, as a whole: it has no parts, and is not computed with other weights."""

    @abstractmethod
    def _formula(self, W: torch.Tensor) -> torch.Tensor:
        """``P W`` (in ``coordinates``, where P has a norm of its own); W is in full precision and is not changed."""

    @property
    def components(self) -> None:
        return None

    @property
    def joint_entries(self) -> int:
        return 0

    def part_indices(self, shape: Sequence[int]) -> list[torch.Tensor]:
        del shape
        return []

    @property
    def constant_bytes(self) -> int:
        """Memory of the constants, in bytes as built."""
        return 0

    @final
    def _project(self, W: torch.Tensor) -> torch.Tensor:
        return self._formula(W.to(accumulation_dtype(W.dtype))).to(W.dtype)

    @final
    def _residual(self, W: torch.Tensor) -> torch.Tensor:
        wide = W.to(accumulation_dtype(W.dtype))
        return (wide - self._formula(wide)).to(W.dtype)

    def _shrink_(self, W: torch.Tensor, factor: float | torch.Tensor) -> None:
        wide = W.to(accumulation_dtype(W.dtype))
        W.copy_(torch.lerp(wide, self._formula(wide), 1 - factor))


class WeightedProjector(ClosedFormProjector):
    """A closed form that is orthogonal in ``|W|_D^2 = sum over entries of D |W|^2``.

    Where a parameter stores one entry for several numbers of the map that it makes (half a spectrum), D counts them,
    so that the norm is the map's and not the parameter's. Residuals are measured in that norm, the gradient of their
    square is ``2 D (W - P W)``, and ``shrink_`` is the proximal step of that. Where all D are 1 it is the plain norm.

    Args:
        group: the group.
        axes: one representation (or None) an axis of the tensor.
        shape: the tensor's shape, None on an axis of any length.
        method: what ``P.method`` says.
        weighted: whether some D is not 1.
        real_linear: W is complex and P is linear over the reals only, as weights that act on real fields are.
        pairs: the tensor holds complex numbers as a last axis (Re, Im), after ``shape``.
    """

    # Modes and degrees are moved by the group, though their axes carry no representation.
    acts_by_axes = False

    def __init__(
        self,
        group: Group,
        axes: tuple[Representation | None, ...],
        shape: tuple[int | None, ...],
        method: str,
        *,
        weighted: bool,
        pairs: bool = False,
        real_linear: bool = False,
    ) -> None:
        self.has_own_norm = weighted
        self._pairs, self._real_linear = pairs, real_linear
        if pairs:
            axes, shape = (*axes, None), (*shape, 2)
        super().__init__(group, axes, tuple((n,) for n in shape), method)

    @abstractmethod
    def _complex_formula(self, W: torch.Tensor) -> torch.Tensor:
        """``D^(1/2) P D^(-1/2) W``, orthogonal in the plain norm; W is complex under ``pairs``."""

    @abstractmethod
    def _root_of(self, like: torch.Tensor) -> torch.Tensor:
        """``D^(1/2)`` in the dtype of ``like``, of a shape that broadcasts against W."""

    @abstractmethod
    def _metric_of(self, like: torch.Tensor) -> torch.Tensor:
        """D, likewise."""

    @abstractmethod
    def _nearest(self, W: torch.Tensor, metric: torch.Tensor) -> torch.Tensor:
        """The equivariant tensor nearest to W in the norm of another ``metric``, as ``_metric_of`` gives it."""

    @property
    def ambient_dim(self) -> int:
        return 2 * self.numel if self._real_linear and not self._pairs else self.numel

    def coordinates(self, W: torch.Tensor) -> torch.Tensor:
        return W * self._root_of(W) if self.has_own_norm else W

    def _from_coordinates(self, W: torch.Tensor) -> torch.Tensor:
        return W / self._root_of(W) if self.has_own_norm else W

    def _image(self, W: torch.Tensor, *, projected: bool) -> torch.Tensor:
        apply = self._project if projected else self._residual
        return self._from_coordinates(self_adjoint(self.coordinates(W), apply))

    def _squared_norm(self, W: torch.Tensor, *, projected: bool) -> torch.Tensor:
        return squared_norm_of_image(self.coordinates(W), self._project if projected else self._residual)

    @final
    def _formula(self, W: torch.Tensor) -> torch.Tensor:
        if not self._pairs:
            return self._complex_formula(W)
        return torch.view_as_real(self._complex_formula(torch.view_as_complex(W.contiguous())))

    @final
    def _shrink_(self, W: torch.Tensor, factor: float | torch.Tensor) -> None:
        if not self.has_own_norm:
            super()._shrink_(W, factor)
            return
        wide = W.to(accumulation_dtype(W.dtype))
        # argmin over X, and E with P E = E, of |X - W|^2 / 2 + c |X - E|_D^2 / 2, c = (1 - factor) / factor: X lies
        # between W and E, entry by entry, and E is nearest to W in what the minimum over X leaves of the two norms.
        metric = self._metric_of(wide.real if wide.is_complex() else wide)
        metric = metric / (1 + (1 - factor) * (metric - 1))
        nearest, weight = self._nearest(wide, metric), (1 - factor) * metric
        if W.is_complex():
            ends = torch.view_as_real(wide), torch.view_as_real(nearest)
            W.copy_(torch.view_as_complex(torch.lerp(ends[0], ends[1], weight.unsqueeze(-1))))
        else:
            W.copy_(torch.lerp(wide, nearest, weight))
