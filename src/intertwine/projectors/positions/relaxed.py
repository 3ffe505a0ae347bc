"""Relaxed convolutions: one weight a position, group element or scale; equivariant when these are equal."""

from collections.abc import Sequence

import numpy as np
import torch

from intertwine._arguments import real_array
from intertwine._numerics import Array, accumulation_dtype
from intertwine.errors import ArgumentError, NonFiniteError, ShapeError
from intertwine.groups import Group
from intertwine.projectors.autograd import Map, linear
from intertwine.projectors.closed_form import ClosedFormProjector
from intertwine.projectors.constants import Constants
from intertwine.projectors.positions.positions import position_axes, position_projector
from intertwine.projectors.positions.translation import Boundary
from intertwine.projectors.projector import Projector

# Of a Gram matrix's eigenvalues, relative to the largest: coefficients below make no filter but rounding.
NO_FILTER = 1e-14


def relaxed_projector(
    shape: tuple[int | None, ...],
    positions: tuple[int, ...],
    *,
    filters: object = None,
    bank: int | None = None,
    boundary: Boundary = "periodic",
) -> Projector:
    r"""The projector on the equivariant weights of a relaxed convolution: those constant along the ``positions``.

    A relaxed layer composes its filter from a bank, ``K(x) = sum_b w_b(x) psi_b(x)``, with weights that may vary with
    x, and is equivariant when they do not. Which parameter carries which axis (Wang et al. 2022):

    ==========================  =======================  =========  ====================================================
    layer                       relaxed weights          positions  x is
    ==========================  =======================  =========  ====================================================
    translation                 (H, W, banks)            (0, 1)     the output pixel; psi_b a convolution's kernel
    rotation group convolution  (N, banks)               (0,)       the group element h; psi_b(h) is psi_b turned by h
    rotation steerable          (out, banks, in, k * k)  (3,)       the kernel's pixel; psi_b a steerable basis
    scale                       (scales, banks)          (0,)       the scale; bounded
    ==========================  =======================  =========  ====================================================

    Each of the positions' axes carries the regular representation of a cyclic group.

    * In the **norm of the coefficients** (``filters=None``) P is the mean along the positions: the orbit method.
    * In the **norm of the filters** P is the orthogonal projection of the composed filter on the equivariant filters,
      ``P w = argmin over constant c of sum_x |sum_b (w_b(x) - c_b) psi_b(x)|^2``
      ``= (sum_x G(x))^+ sum_x G(x) w(x)`` with the Gram matrices ``G_bc(x) = <psi_b(x), psi_c(x)>``.

    The two agree only where G does not depend on x (group convolutions: a turn keeps inner products), and differ in
    their norm even then. For steerable layers the mean of the coefficients is NOT the nearest equivariant filter: a
    pixel where psi_b vanishes counts in the mean and not in the filter. Theory about filters or operators speaks of the
    second. It is orthogonal in the filters' norm, in which ``squared_residual``, ``relative_residual`` and ``chance``
    are measured; coefficients that make no filter have norm 0.

    Args:
        shape: of the relaxed weights; None where the length may vary.
        positions: their axes of positions.
        filters: the bank, shape (banks, features, positions), or (banks, features, 1) where inner products do not
            depend on the position; features and positions flattened in C order.
        bank: the axis of the weights that runs over the bank, needed with ``filters``.
        boundary: as ``position_projector`` takes it.

    Raises:
        ArgumentError: axes that do not fit.
        ShapeError: filters that do not fit.
        NonFiniteError: NaN or infinity in them.

    Source: Wang, Walters and Yu 2022, Approximately equivariant networks for imperfectly symmetric dynamics.

    Examples:
        >>> import intertwine as iw, torch
        >>> w = torch.tensor([[1.0, 3.0]])
        >>> iw.relaxed_projector((1, 2), (1,)).project(w).tolist()
        [[2.0, 2.0]]
        >>> P = iw.relaxed_projector((1, 2), (1,), filters=[[[1.0, 3.0]]], bank=0)
        >>> [round(c, 4) for c in P.project(w)[0].tolist()]
        [2.8, 2.8]
    """
    if filters is None:
        if bank is not None:
            raise ArgumentError("bank", expected="None without filters", got=repr(bank))
        return position_projector(shape, positions, boundary=boundary)
    axes = position_axes(shape, positions)
    if not isinstance(bank, int) or not -len(shape) <= bank < len(shape) or bank % len(shape) in axes:
        raise ArgumentError("bank", expected=f"an axis of shape {tuple(shape)} other than positions", got=repr(bank))
    array = real_array("filters", filters, "numbers of shape (banks, features, positions)")
    count = int(np.prod([shape[axis] or 1 for axis in axes]))
    banks = shape[bank]
    if array.ndim != 3 or array.shape[2] not in (1, count) or array.shape[0] != banks:
        raise ShapeError(
            "filters", expected=f"shape ({banks}, features, {count}) or ({banks}, features, 1)", got=str(array.shape)
        )
    if not np.isfinite(array).all():
        raise NonFiniteError("filters", expected="finite numbers", got="NaN or infinity")
    plain = position_projector(shape, positions, boundary=boundary)
    reason = plain.reason
    if array.shape[2] > 1 and count > 1:
        reason = (
            "filters that vary from position to position, so that shifts of the weights do not keep the filters' norm"
        )
    return FilterNormProjector(plain.group, tuple(shape), axes, bank % len(shape), array, reason)


class FilterNormProjector(ClosedFormProjector):
    """The nearest constant weights in the norm of the filters that they compose; an oblique map of coefficients."""

    has_own_norm = True
    acts_by_axes = False

    def __init__(
        self,
        group: Group,
        shape: tuple[int | None, ...],
        positions: tuple[int, ...],
        bank: int,
        filters: Array,
        reason: str,
    ) -> None:
        super().__init__(group, tuple(None for _ in shape), tuple((n,) for n in shape), "block", reason=reason)
        self._sides = tuple(int(shape[axis] or 1) for axis in positions)
        self._count = int(np.prod(self._sides))
        others = [axis for axis in range(len(shape)) if axis != bank and axis not in positions]
        self._order = (*others, bank, *positions)
        self._rest = tuple(shape[axis] for axis in others)
        grams = np.einsum("bfx,cfx->xbc", filters, filters)
        grams = np.broadcast_to(grams, (self._count, *grams.shape[1:]))
        total = grams.sum(0)
        values, vectors = np.linalg.eigh(total)
        kept = values > 1e-10 * max(float(values[-1]), 1e-300)
        inverse = (vectors[:, kept] / values[kept]) @ vectors[:, kept].T
        # |psi^T w| = |R w| with psi^T = Q R: the norm of filters in as few numbers as there are banks.
        roots = np.stack([np.linalg.qr(filters[:, :, x].T, mode="r") for x in range(filters.shape[2])])
        roots = np.broadcast_to(roots, (self._count, *roots.shape[1:]))
        self._kept = int(kept.sum())
        self._basis = (vectors[:, kept] / np.sqrt(values[kept])).T
        self._chance = float(
            np.sqrt(max(0.0, 1 - np.einsum("bc,xcd,xdb->", inverse, grams, grams) / max(np.trace(total), 1e-300)))
        )
        squares, turns = np.linalg.eigh(grams)
        self._constants = Constants(
            means=np.einsum("bc,xcd->xbd", inverse, grams),
            roots=roots,
            squares=np.where(squares > NO_FILTER * squares.max(initial=0.0), squares, 0.0),
            turns=turns,
            span=vectors[:, kept],
        )

    @property
    def rank(self) -> int:
        """Dimension of the space of equivariant filters; a None axis counts as one."""
        return self._kept * int(np.prod([1 if n is None else n for n in self._rest], dtype=np.int64))

    @property
    def chance(self) -> float:
        """Relative residual of the filters to expect of i.i.d. Gaussian weights."""
        return self._chance

    @property
    def constant_bytes(self) -> int:
        """Memory of the constants, in bytes as built."""
        return self._constants.nbytes

    def _image(self, W: torch.Tensor, *, projected: bool) -> torch.Tensor:
        if projected:
            return linear(W, self._project, self._project_adjoint)
        return linear(W, self._residual, lambda V: V - self._project_adjoint(V))

    def _squared_norm(self, W: torch.Tensor, *, projected: bool) -> torch.Tensor:
        image = self.coordinates(self._image(W, projected=projected))
        parts = torch.view_as_real(image) if image.is_complex() else image
        return (parts * parts).sum()

    def coordinates(self, W: torch.Tensor) -> torch.Tensor:
        """Weights in orthonormal coordinates of the filters at each position, shape (rest, positions, banks)."""
        roots, shape = self._constants.get("roots", W), W.shape
        composed: Map = lambda V: torch.einsum("xbc,...cx->...xb", roots, self._matrix(V))  # noqa: E731
        adjoint: Map = lambda Y: self._restored(torch.einsum("xbc,...xb->...cx", roots, Y), shape)  # noqa: E731
        return linear(W, composed, adjoint)

    def basis(self) -> torch.Tensor:
        """Basis of the constant weights, float64, shape (rank, *shape), orthonormal in the filters' norm.

        Raises:
            ArgumentError: an axis has no length.
        """
        if None in self.shape:
            raise ArgumentError("shape", expected="lengths of all axes", got=str(self.shape))
        rest = [int(n or 0) for n in self._rest]
        eye = torch.eye(int(np.prod(rest)), dtype=torch.float64)
        rows = torch.einsum("ae,rb->areb", eye, torch.from_numpy(self._basis)).unsqueeze(-1)
        rows = rows.expand(*rows.shape[:-1], self._count).flatten(0, 1)
        out = rows.new_zeros(len(rows), *(int(n or 0) for n in self.shape))
        for vector, row in zip(out, rows, strict=True):
            vector.copy_(self._restored(row, self.shape))
        return out

    def _formula(self, W: torch.Tensor) -> torch.Tensor:
        weights = self._matrix(W)
        constant = torch.einsum("xbc,...cx->...b", self._constants.get("means", W), weights)
        return self._restored(constant.unsqueeze(-1).expand(weights.shape).contiguous(), W.shape)

    def _project_adjoint(self, V: torch.Tensor) -> torch.Tensor:
        wide = V.to(accumulation_dtype(V.dtype))
        total = self._matrix(wide).sum(-1)
        spread = torch.einsum("xbc,...b->...cx", self._constants.get("means", wide), total)
        return self._restored(spread, V.shape).to(V.dtype)

    def _shrink_(self, W: torch.Tensor, factor: float | torch.Tensor) -> None:
        # As in other norms (see there), the metric being a matrix G at each position, here by its eigenvectors.
        wide = W.to(accumulation_dtype(W.dtype))
        on_device = isinstance(factor, torch.Tensor) and factor.device.type != "cpu"
        kind = torch.float32 if W.device.type == "mps" and on_device else torch.float64
        like = torch.empty(0, dtype=kind, device=W.device if on_device else "cpu")
        squares, turns, span = (self._constants.get(name, like) for name in ("squares", "turns", "span"))
        shrinkage = 1 - factor
        metric = (squares / (1 + shrinkage * (squares - 1))).nan_to_num(0.0)  # 0 / 0 where there is no filter
        weighing = (turns * metric.unsqueeze(1)) @ turns.mT
        nearest = span @ torch.linalg.solve(span.T @ weighing.sum(0) @ span, span.T @ weighing)
        matrices = (matrix.to(W.device, wide.dtype) for matrix in (nearest, weighing * shrinkage))
        weights, (means, steps) = self._matrix(wide), matrices
        constant = torch.einsum("xbc,...cx->...b", means, weights).unsqueeze(-1)
        taken = torch.einsum("xbc,...cx->...bx", steps, weights - constant)
        W.copy_(wide - self._restored(taken, W.shape))

    def _matrix(self, W: torch.Tensor) -> torch.Tensor:
        """The weights as (rest, banks, positions)."""
        turned = W.permute(self._order)
        keep = len(self._order) - len(self._sides)
        return turned.reshape(-1, *turned.shape[keep - 1 : keep], self._count)

    def _restored(self, matrix: torch.Tensor, shape: Sequence[int | None]) -> torch.Tensor:
        sizes = [int(shape[axis] or 0) for axis in self._order]
        return matrix.reshape(sizes).permute(*np.argsort(self._order).tolist())
