"""The projector of one parameter: what it projects on, and the measurements that follow from it."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import prod
from numbers import Real

import numpy as np
import torch

from intertwine._arguments import check_dense
from intertwine._numerics import accumulation_dtype, divided, in_own_precision, norm, scale_of
from intertwine.errors import ArgumentError, DtypeError, ShapeError, SizeLimitError
from intertwine.groups import Group
from intertwine.projectors.autograd import Map, self_adjoint, squared_norm_of_image
from intertwine.projectors.axes.plan import AxisBlock, AxisPlan
from intertwine.projectors.constants import Constants
from intertwine.projectors.methods.components import Components
from intertwine.projectors.methods.method import TupleProjector
from intertwine.representations import Representation

# basis() is for looking at small cases; a layer's full basis is what this library exists to avoid.
BASIS_LIMIT = 2**26
# Two indices an entry of a larger weight would be memory to speak of.
JOINT_LIMIT = 2**18
# A smaller one is computed with others whatever its parts.
JOINT_LEAST = 2**13
# Entries that a step in place works on at a time on a processor: what it reads is still there when it writes.
CACHED = 2**20


@dataclass(frozen=True)
class Part:
    """One tuple of blocks, an axis each, and the projector that applies to it (None: it projects to zero)."""

    blocks: tuple[AxisBlock, ...]
    projector: TupleProjector

    def view(self, tensor: torch.Tensor) -> torch.Tensor:
        """The part of ``tensor`` as a view (m_1, d_1, ..., m_k, d_k)."""
        if torch.compiler.is_compiling():
            for axis, block in enumerate(self.blocks):
                tensor = block.view(tensor, 2 * axis)
            return tensor
        sizes: list[int] = []
        strides: list[int] = []
        offset = tensor.storage_offset()
        # One call in place of three an axis, which of a small weight would cost as much as the arithmetic; a compiler
        # has no such costs, and cannot follow writes through strides.
        for block, size, stride in zip(self.blocks, tensor.shape, tensor.stride(), strict=True):
            split, steps = block.cut(size, stride)
            sizes += split
            strides += steps
            offset += block.start * stride
        return tensor.as_strided(sizes, strides, offset)


class Projector:
    """The orthogonal projector P on the tensors that the group leaves fixed; made by ``intertwine.projector``.

    ``(g.W) = rho_1(g) (x) ... (x) rho_k(g) W``, and P W is the mean of g.W over the group (the Reynolds operator),
    computed without elements of the group. P is a plain object: it holds small constants, never anything of the size
    of the weights times something, and moves to whatever device and dtype the weights have.

    Attributes:
        axes: one representation an axis, in the order of the tensor's axes; None where the group does not act.
        method: ``"orbit"``, ``"schur"``, ``"block"`` or ``"nullspace"``.
        exact: True where P is the projector on the fixed space of a true action.
        reason: why not, if not exact.

    Source:
        The Reynolds operator on weights: Berndt and Stuehmer, arXiv 2601.05028.

    Examples:
        >>> import intertwine as iw, torch
        >>> V = iw.Cyclic(4).regular()
        >>> P, W = iw.projector(V, V), torch.randn(4, 4)
        >>> P.rank, P.method, P.exact
        (4, 'orbit', True)
        >>> torch.allclose(P.project(W) + P.residual(W), W)
        True
    """

    def __init__(
        self,
        group: Group,
        axes: tuple[Representation | None, ...],
        plans: tuple[AxisPlan, ...],
        parts: tuple[Part, ...],
        method: str,
        *,
        folds: tuple[tuple[int | None, ...], ...] | None = None,
        reason: str = "",
    ) -> None:
        self.group, self.axes, self.method = group, axes, method
        self.exact, self.reason = not reason, reason
        # The tensor's own axes that each representation spans: pixels of a kernel are two or three axes of the weight.
        self._folds = tuple((None if rep is None else rep.dim,) for rep in axes) if folds is None else folds
        self._one_axis_each = all(len(fold) == 1 for fold in self._folds)
        self._plans, self._parts = plans, parts
        # One tuple of blocks that is the whole tensor, axis by axis in its own layout, spares the copy that views
        # write into.
        self._single = len(parts) == 1 and all(
            len(plan.blocks) == 1 and not plan.blocks[0].copies_innermost for plan in plans
        )
        orders = {str(axis): plan.order for axis, plan in enumerate(plans) if plan.order is not None}
        self._orders = Constants(**orders, **{f"{axis} back": np.argsort(order) for axis, order in orders.items()})
        self._sorted_axes = tuple(int(axis) for axis in orders)

    # -- what P is --------------------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int | None, ...]:
        """Shape of the tensors that P applies to; None on an axis of any length."""
        return tuple(n for fold in self._folds for n in fold)

    @property
    def numel(self) -> int:
        """Number of entries of the tensor, an axis without action counted as one."""
        return int(np.prod([1 if n is None else n for n in self.shape], dtype=np.int64))

    @property
    def ambient_dim(self) -> int:
        """Dimension of the space in which ``rank`` counts: ``numel``; twice that for real-linear P on complex W."""
        return self.numel

    @property
    def rank(self) -> int:
        """Dimension of the equivariant subspace, the mean of the product of characters; a None axis counts as one."""
        return sum(
            part.projector.rank * int(np.prod([1 if b.mul is None else b.mul for b in part.blocks], dtype=np.int64))
            for part in self._parts
        )

    @property
    def chance(self) -> float:
        """Relative residual to expect of random weights, ``sqrt(1 - rank / numel)``."""
        return float(np.sqrt(max(0.0, 1 - self.rank / self.numel))) if self.numel else 0.0

    @property
    def constant_bytes(self) -> int:
        """Memory of the constants, in bytes as built (float64)."""
        seen = {id(part.projector): part.projector.constants.nbytes for part in self._parts}
        return sum(seen.values()) + self._orders.nbytes

    @cached_property
    def components(self) -> tuple[tuple[Components, ...], ...] | None:
        """By part, how P falls apart on one tuple of copies; None where that would take too long to find out."""
        found = {id(part.projector): part.projector for part in self._parts}
        components = {key: projector.components() for key, projector in found.items()}
        by_part = [components[id(part.projector)] for part in self._parts]
        return None if None in by_part else tuple(part for part in by_part if part is not None)

    @cached_property
    def joint_entries(self) -> int:
        """Up to so many entries a weight is best computed together with others; 0 without ``components``."""
        found = max(JOINT_LEAST, sum(part.projector.joint_entries for part in self._parts))
        return 0 if self.numel > JOINT_LIMIT or self.components is None else min(JOINT_LIMIT, found)

    def part_indices(self, shape: Sequence[int]) -> list[torch.Tensor]:
        """Where the entries of each part lie in a flattened weight, shapes (m_1, d_1, ..., m_k, d_k), int64."""
        wide = self._reordered(self.folded(torch.arange(prod(shape)).reshape(tuple(shape))))
        return [part.view(wide) for part in self._parts]

    # -- what P does ------------------------------------------------------------------------------

    @in_own_precision
    def project(self, W: torch.Tensor) -> torch.Tensor:
        """``P W``, the equivariant tensor nearest to W; same shape and dtype, differentiable.

        Raises:
            ShapeError: W does not have the shape that the representations give.
            DtypeError: integers, or real weights under a complex representation.
        """
        self._check(W)
        return self_adjoint(W, self._project)

    @in_own_precision
    def residual(self, W: torch.Tensor) -> torch.Tensor:
        """``W - P W``; same shape and dtype, differentiable. Raises as ``project``."""
        self._check(W)
        return self_adjoint(W, self._residual)

    @in_own_precision
    def squared_residual(self, W: torch.Tensor) -> torch.Tensor:
        """``|W - P W|^2`` (Frobenius, not halved), a scalar, twice differentiable; float32 for half precision.

        The residual is formed first, as ``|W|^2 - |PW|^2`` would cancel. Its gradient is ``2 (W - P W)``.
        """
        self._check(W)
        return squared_norm_of_image(W.to(accumulation_dtype(W.dtype)), self._residual)

    @in_own_precision
    def squared_projection(self, W: torch.Tensor) -> torch.Tensor:
        """``|P W|^2``, a scalar, twice differentiable; float32 for half precision."""
        self._check(W)
        return squared_norm_of_image(W.to(accumulation_dtype(W.dtype)), self._project)

    def checked_map(self, W: torch.Tensor, *, projected: bool = False) -> Map:
        """``W -> W - P W`` (``W -> P W`` if ``projected``) without autograd, after checking that W fits.

        Raises as ``project``.
        """
        self._check(W)
        return self._project if projected else self._residual

    @in_own_precision
    def relative_residual(self, W: torch.Tensor) -> torch.Tensor:
        """``|W - P W| / |W|`` in [0, 1], a scalar without gradient, 0 for W = 0; read it beside ``chance``.

        In the norm of P, and the same for ``c W`` at every scale c that leaves W finite and not subnormal.
        """
        self._check(W)
        W = W.detach().to(accumulation_dtype(W.dtype))
        W = divided(W, scale_of(W))
        whole, rest = norm(self.coordinates(W)), norm(self.coordinates(self.residual(W)))
        # Rounding can leave the ratio of a weight without any equivariant part an ulp above one.
        return torch.where(whole == 0, torch.zeros_like(whole), (rest / whole).clamp(max=1.0))

    def coordinates(self, W: torch.Tensor) -> torch.Tensor:
        """W in coordinates in which the norm of P is the plain one: W itself but where P has a norm of its own."""
        return W

    @property
    def has_own_norm(self) -> bool:
        """Whether P is orthogonal, and residuals are measured, in another norm than that of the stored numbers."""
        return False

    @in_own_precision
    @torch.no_grad()
    def shrink_(self, W: torch.Tensor, factor: float | torch.Tensor) -> None:
        """The proximal step of the penalty in place, without gradient: ``W <- P W + factor (W - P W)``.

        That is ``argmin over X of |X - W|^2 / 2 + c/2 |X - P X|^2`` with ``factor = 1 / (1 + c)``. Where P has a norm
        of its own, the second norm is that one, and the step the argmin: at factor 0 the equivariant tensor nearest to
        W as stored, which is then not ``P W``. With Schur's lemma it costs little more than ``W.mul_(factor)``.

        Args:
            W: as ``project`` takes it, in memory of its own: no ``expand``.
            factor: in [0, 1], a number or a scalar tensor on the device of W (whose value is then not looked at); 0
                makes W equivariant, 1 does nothing.

        Raises:
            ShapeError: as ``project``, or entries of W share memory.
            DtypeError: as ``project``.
            ArgumentError: a factor that is no number in [0, 1].
        """
        self._check(W)
        _check_factor(factor)
        if any(step == 0 and n > 1 for step, n in zip(W.stride(), W.shape, strict=True)):
            raise ShapeError(
                "W",
                expected="entries with memory of their own, to write to",
                got="an expanded tensor",
                advice="Use W.clone().",
            )
        self._shrink_(W, factor)

    def _shrink_(self, W: torch.Tensor, factor: float | torch.Tensor) -> None:
        copied = not self._one_axis_each and not W.is_contiguous()
        if copied or self._sorted_axes or accumulation_dtype(W.dtype) != W.dtype:
            wide = W.to(accumulation_dtype(W.dtype))
            W.copy_(torch.lerp(wide, self._project(wide), 1 - factor))
            return
        if self._single:
            self._parts[0].projector.shrink_(self._parts[0].view(self.folded(W)), factor)
            return
        wide = self.folded(W)
        for rows, blocks in self._by_rows(wide):
            # What P keeps is set aside and written back, not scaled and restored: rounding does not make it drift.
            entries = [projector.shrunk(block, factor) for projector, block in blocks]
            rows.mul_(factor)
            for (projector, block), part in zip(blocks, entries, strict=True):
                projector.write_(block, part)

    def _by_rows(self, wide: torch.Tensor) -> Iterator[tuple[torch.Tensor, list[tuple[TupleProjector, torch.Tensor]]]]:
        """The whole in pieces along its first axis, each with the blocks in it: what a processor's cache holds."""
        views = [(part.projector, part.view(wide), part.blocks[0]) for part in self._parts]
        if wide.device.type != "cpu" or wide.numel() <= CACHED or torch.compiler.is_compiling():
            yield wide, [(projector, view) for projector, view, _ in views]
            return
        width = wide.numel() // len(wide)
        for block in self._plans[0].blocks:
            mine = [(projector, view) for projector, view, first in views if first == block]
            if block.mul is None or block.copies_innermost:
                length = len(wide) if block.mul is None else block.mul * block.dim
                yield wide.narrow(0, block.start, length), mine
                continue
            step = max(1, CACHED // (block.dim * width))
            for first in range(0, block.mul, step):
                copies = min(step, block.mul - first)
                rows = wide.narrow(0, block.start + first * block.dim, copies * block.dim)
                yield rows, [(projector, view.narrow(0, first, copies)) for projector, view in mine]

    def basis(self) -> torch.Tensor:
        """Orthonormal basis of the equivariant subspace, float64 (complex128), shape (rank, *shape); for small cases.

        Raises:
            SizeLimitError: it would hold more than 2^26 numbers.
            ArgumentError: an axis has no representation, so its length is not known.
        """
        self._check_basis(self.rank)
        return self._rows(self.rank)

    def _check_basis(self, rank: int) -> None:
        if None in self.shape:
            raise ArgumentError(
                "axes", expected="a representation on every axis", got="None on one", advice="Use n * G.trivial()."
            )
        if rank * self.numel > BASIS_LIMIT:
            raise SizeLimitError(
                "basis",
                expected=f"rank x numel <= {BASIS_LIMIT}",
                got=f"{rank} x {self.numel}",
                advice="Use project() instead.",
            )

    def _rows(self, rank: int) -> torch.Tensor:
        """The bases of all parts, copy by copy, shape (rank, *shape)."""
        kind = torch.complex128 if any(rep is not None and rep.is_complex for rep in self.axes) else torch.float64
        flat = [prod(n for n in fold if n is not None) for fold in self._folds]
        out = torch.zeros(rank, *flat, dtype=kind)
        row = 0
        for part in self._parts:
            tuples = torch.from_numpy(part.projector.basis()).to(kind)
            for copies in itertools.product(*(range(block.mul or 0) for block in part.blocks)):
                index = tuple(axis for copy in copies for axis in (copy, slice(None)))
                for vector in tuples:
                    part.view(out[row])[index] = vector
                    row += 1
        shape = [n for n in self.shape if n is not None]
        return self._reordered(out, inverse=True, offset=1).reshape(rank, *shape)

    # -- how --------------------------------------------------------------------------------------

    def _project(self, W: torch.Tensor) -> torch.Tensor:
        wide = self._reordered(self.folded(W.to(accumulation_dtype(W.dtype))))
        out = torch.zeros_like(wide, memory_format=torch.contiguous_format)
        for part in self._parts:
            part.view(out).copy_(part.projector.project(part.view(wide)))
        return self._reordered(out, inverse=True).to(W.dtype).reshape(W.shape)

    def _residual(self, W: torch.Tensor) -> torch.Tensor:
        wide = self._reordered(self.folded(W.to(accumulation_dtype(W.dtype))))
        if self._single:
            part = self._parts[0]
            out = part.projector.residual(part.view(wide))
            if not self._sorted_axes and W.dtype == out.dtype:
                return out.reshape(W.shape)
            out = out.reshape(wide.shape)
        else:
            out = wide.clone(memory_format=torch.contiguous_format)
            for part in self._parts:
                part.projector.residual_(part.view(out))
        return self._reordered(out, inverse=True).to(W.dtype).reshape(W.shape)

    def folded(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor with one axis per representation, a kernel's pixels flattened; a view where strides allow."""
        if self._one_axis_each:
            return tensor
        sizes, axis = [], 0
        for fold in self._folds:
            sizes.append(prod(tensor.shape[axis : axis + len(fold)]))
            axis += len(fold)
        return tensor.reshape(sizes)

    def _reordered(self, tensor: torch.Tensor, *, inverse: bool = False, offset: int = 0) -> torch.Tensor:
        for axis in self._sorted_axes:
            index = self._orders.get(f"{axis} back" if inverse else str(axis), tensor)
            tensor = tensor.index_select(axis + offset, index)
        return tensor

    def _check(self, W: object) -> None:
        if not isinstance(W, torch.Tensor):
            raise ShapeError("W", expected=f"a torch tensor of shape {self._shape_text()}", got=type(W).__name__)
        check_dense("W", W)
        if W.ndim != len(self.shape) or any(n is not None and n != m for n, m in zip(self.shape, W.shape, strict=True)):
            raise ShapeError(
                "W",
                expected=f"shape {self._shape_text()}, from {self._axes_text()}",
                got=f"shape {tuple(W.shape)}",
                advice="A weight is (out, in) and a bias (out,); projector takes rep_in first, as nn.Linear does.",
            )
        if not (W.is_floating_point() or W.is_complex()):
            raise DtypeError("W", expected="a floating-point or complex tensor", got=str(W.dtype))
        if not W.is_complex() and any(rep is not None and rep.is_complex for rep in self.axes):
            raise DtypeError(
                "W",
                expected="complex weights, as a representation is complex",
                got=str(W.dtype),
                advice="Use W.to(torch.complex64).",
            )

    def _shape_text(self) -> str:
        inner = ", ".join("any" if n is None else str(n) for n in self.shape)
        return f"({inner},)" if len(self.shape) == 1 else f"({inner})"

    def _axes_text(self) -> str:
        return ", ".join("None" if rep is None else str(rep) for rep in self.axes)

    def __repr__(self) -> str:
        exact = "" if self.exact else f", exact=False ({self.reason})"
        rank = f"rank {self.rank} of {self.numel}"
        axes = f"axes ({self._axes_text()}), shape {self._shape_text()}"
        return f"Projector({self.group}, {axes}, {rank}, method={self.method!r}{exact})"


def _check_factor(factor: object) -> None:
    if isinstance(factor, torch.Tensor):
        check_dense("factor", factor)
        fits = factor.ndim == 0 and factor.is_floating_point()
        if fits and factor.device.type != "cpu":
            return  # its value would be waited for
        factor = factor.item() if fits else f"a tensor of shape {tuple(factor.shape)}, {factor.dtype}"
    if not isinstance(factor, Real) or isinstance(factor, bool) or not 0 <= float(factor) <= 1:
        raise ArgumentError("factor", expected="a number in [0, 1]", got=repr(factor)[:80])
