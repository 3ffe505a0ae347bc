"""Spherical-harmonic layers: one weight a degree, or one a degree and order."""

from typing import Literal

import numpy as np
import torch

from intertwine._arguments import check_choice, flag, integer
from intertwine._numerics import Array
from intertwine.errors import ArgumentError
from intertwine.groups import SO
from intertwine.projectors.closed_form import WeightedProjector
from intertwine.projectors.constants import Constants
from intertwine.projectors.projector import Projector
from intertwine.projectors.spectral.modes import NORMS, Norm


def spherical_projector(
    degrees: int,
    orders: int | None = None,
    *,
    channels: tuple[int | None, ...] = (None, None),
    signals: Literal["real", "complex"] = "real",
    norm: Norm = "operator",
    pairs: bool = False,
) -> Projector:
    r"""The projector on equivariant weights of a spherical spectral layer, shape (*channels, degrees[, orders]).

    The layer multiplies the coefficients of scalar fields on the sphere, ``y_lm = sum_i w_lm x_lm``. By Schur's lemma
    it commutes with SO(3) iff w does not depend on m, and a real field's coefficients, ``x_l,-m = (-1)^m conj x_lm``,
    stay those of a real field iff w is then real. As half of the orders is stored (0 <= m <= l), P takes

    ``w_l = Re (w_l0 + 2 sum_{0 < m <= l} w_lm) / (2 l + 1)``,

    the mean over the whole multiplet. Entries with m > l are no coefficients and go to 0, and so do degrees
    l >= orders, of whose multiplet a part is missing.

    Layouts: torch-harmonics' ``"diagonal"`` operators are (out, in, l, m), its ``"driscoll-healy"`` ones, as
    ``neuraloperator``'s SphericalConv, (out, in, l) or (in, out, l): equivariant as they are once they are real.

    Args:
        degrees: number of degrees stored, l = 0 .. degrees - 1.
        orders: number of orders stored, m = 0 .. orders - 1; for complex signals 2 * orders - 1 of them, from
            -(orders - 1); None for one weight a degree.
        channels: lengths of the axes before, on which rotations do not act.
        signals: what the layer acts on. Complex ones allow complex weights, and P is linear over the complex numbers.
        norm: P is orthogonal in the norm of the ``"operator"``, in which the orders m and -m count once together and
            m = 0 one half; or in the plain norm of the ``"stored"`` tensor, with the mean ``sum_m w_lm / (l + 1)``.
        pairs: the weights are real with (Re, Im) as a last axis, as some checkpoints hold them; shape (..., 2).

    Raises:
        ArgumentError: numbers that are no positive integers, or unknown signals or norm.

    Source: Bonev et al. 2023 (spherical Fourier neural operators); Driscoll and Healy 1994.

    Examples:
        >>> import intertwine as iw, torch
        >>> P = iw.spherical_projector(2, 2, channels=())
        >>> P.project(torch.tensor([[1.0 + 2j, 5.0], [3.0, 6.0 + 1j]])).real.tolist()
        [[1.0, 0.0], [5.0, 5.0]]
    """
    degrees = integer("degrees", degrees, 1)
    stored = None if orders is None else integer("orders", orders, 1)
    if not isinstance(channels, tuple) or not all(n is None or (isinstance(n, int) and n >= 0) for n in channels):
        raise ArgumentError("channels", expected="a tuple of lengths, None for any", got=repr(channels)[:80])
    check_choice("signals", signals, ("real", "complex"))
    flag("pairs", pairs)
    check_choice("norm", norm, NORMS)
    return SphericalProjector(
        channels, degrees, stored, real=signals == "real", operator=norm == "operator", pairs=pairs
    )


class SphericalProjector(WeightedProjector):
    """The weighted mean over the orders of each degree, real for real signals."""

    def __init__(
        self,
        channels: tuple[int | None, ...],
        degrees: int,
        orders: int | None,
        *,
        real: bool,
        operator: bool,
        pairs: bool,
    ) -> None:
        self._channels, self._real, self._order_count = channels, real, orders
        if orders is None:
            live, metric = np.ones((degrees, 1)), np.ones((degrees, 1))
        else:
            m = np.arange(orders) if real else np.arange(1 - orders, orders)
            degree = np.arange(degrees)[:, None]
            live = ((np.abs(m) <= degree) & (degree < orders)).astype(np.float64)
            metric = np.broadcast_to(np.where((m == 0) & real & operator, 0.5, 1.0), live.shape)
        # One axis of weights a degree: the mean over it in the metric is the product with two vectors.
        total = np.maximum((live * metric).sum(1, keepdims=True), 0.5)
        self._live, self._metric = live, metric
        stored = metric[..., None] if pairs else metric
        self._constants = Constants(
            vectors=live * np.sqrt(metric / total), root=np.sqrt(stored), metric=stored, live=live
        )
        shape = (*channels, degrees) if orders is None else (*channels, *live.shape)
        weighted, free = bool((metric != 1).any()), tuple(None for _ in shape)
        super().__init__(SO(3), free, shape, "schur", weighted=weighted, pairs=pairs, real_linear=real)

    @property
    def rank(self) -> int:
        """Dimension of the equivariant subspace, real for real signals; a None axis counts as one."""
        copies = int(np.prod([1 if n is None else n for n in self._channels], dtype=np.int64))
        return int(self._live.any(1).sum()) * copies

    @property
    def chance(self) -> float:
        """Relative residual to expect of i.i.d. complex Gaussian weights, in the norm of P."""
        used = self._live * self._metric
        kept = ((used**2).sum(1) / np.maximum(used.sum(1), 0.5)).sum()
        return float(np.sqrt(1 - kept / ((2 if self._real else 1) * self._metric.sum())))

    @property
    def constant_bytes(self) -> int:
        """Memory of the constants, in bytes as built."""
        return self._constants.nbytes

    def basis(self) -> torch.Tensor:
        """Basis of the equivariant subspace, complex128 (float64 for pairs), orthonormal in the norm of P.

        Raises:
            ArgumentError: a channel axis has no length.
        """
        if None in self.shape:
            raise ArgumentError("channels", expected="lengths of all axes", got=str(self.shape))
        rows = torch.from_numpy(self._constants_array())
        eye = torch.eye(int(np.prod([int(n or 0) for n in self._channels])), dtype=torch.complex128)
        out = torch.einsum("ab,rlm->arblm", eye, rows.to(torch.complex128))
        sides = [int(n or 0) for n in self.shape]
        out = out.reshape(-1, *(sides[:-1] if self._pairs else sides))
        return self._from_coordinates(torch.view_as_real(out) if self._pairs else out)

    def _constants_array(self) -> Array:
        """One unit tensor (degrees, orders) a live degree."""
        like = torch.zeros(0, dtype=torch.float64)
        vectors = self._constants.get("vectors", like).numpy()
        return np.stack(
            [np.where(np.arange(len(vectors))[:, None] == i, vectors, 0) for i in np.flatnonzero(vectors.any(1))]
        )

    def _complex_formula(self, W: torch.Tensor) -> torch.Tensor:
        if self._order_count is None:
            return W.real.to(W.dtype) if self._real and W.is_complex() else W.clone()
        part = W.real if self._real and W.is_complex() else W
        vectors = self._constants.get("vectors", part)
        return ((part * vectors).sum(-1, keepdim=True) * vectors).to(W.dtype)

    def _root_of(self, like: torch.Tensor) -> torch.Tensor:
        return self._constants.get("root", like)

    def _metric_of(self, like: torch.Tensor) -> torch.Tensor:
        return self._constants.get("metric", like)

    def _nearest(self, W: torch.Tensor, metric: torch.Tensor) -> torch.Tensor:
        entries = torch.view_as_complex(W.contiguous()) if self._pairs else W
        part = entries.real  # weighted norms are of half-stored orders, hence of real signals
        live = self._constants.get("live", part)
        weights = (metric.squeeze(-1) if self._pairs else metric) * live
        means = (part * weights).sum(-1, keepdim=True) / weights.sum(-1, keepdim=True).clamp(min=0.25)
        found = (means * live).to(entries.dtype)
        return torch.view_as_real(found) if self._pairs else found
