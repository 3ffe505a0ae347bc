"""What a projector is and measures, whatever it is computed by."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import chain
from math import prod
from operator import attrgetter
from typing import final

import numpy as np
import torch

from intertwine._numerics import accumulation_dtype, divided, in_own_precision, norm, scale_of
from intertwine.groups import Group
from intertwine.projectors.autograd import Map, self_adjoint, squared_norm_of_image
from intertwine.projectors.methods.components import Components
from intertwine.projectors.weights import check_factor, check_own_memory, check_weight, folded, shape_text
from intertwine.representations import Representation


class Projector(ABC):
    """The orthogonal projector P on the tensors that the group leaves fixed; made by ``intertwine.projector``.

    ``(g.W) = rho_1(g) (x) ... (x) rho_k(g) W``, and P W is the mean of g.W over the group (the Reynolds operator),
    computed without elements of the group. P is a plain object: it holds small constants, never anything of the size
    of the weights times something, and moves to whatever device and dtype the weights have.

    What users call is written here, once. A kind of projector says how P W and W - P W are computed (``_project``,
    ``_residual``, without autograd) and, where it is orthogonal in another norm than that of the stored numbers, what
    that norm is (``coordinates``, ``_image``, ``_squared_norm``).

    Attributes:
        axes: one representation an axis, in the order of the tensor's axes; None where the group does not act.
        shape: of the tensors that P applies to; None on an axis of any length.
        numel: number of entries of the tensor, an axis without action counted as one.
        is_complex: whether a representation is complex, so that W must be.
        method: ``"orbit"``, ``"schur"``, ``"block"`` or ``"nullspace"``.
        exact: True where P is the projector on the fixed space of a true action.
        reason: why not, if not exact.
        has_own_norm: whether P is orthogonal, and residuals are measured, in another norm than that of the stored
            numbers.
        acts_by_axes: whether ``axes`` say all of how the group acts on the tensor.

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

    has_own_norm = False
    acts_by_axes = True

    def __init__(
        self,
        group: Group,
        axes: tuple[Representation | None, ...],
        folds: tuple[tuple[int | None, ...], ...],
        method: str,
        *,
        reason: str = "",
        exact: bool | None = None,
    ) -> None:
        self.group, self.axes, self.method = group, axes, method
        self.exact, self.reason = not reason if exact is None else exact, reason
        # The tensor's own axes that each representation spans: pixels of a kernel are two or three axes of the weight.
        self.folds = folds
        self.shape = tuple(chain.from_iterable(folds))
        self.numel = prod([1 if n is None else n for n in self.shape])
        self.is_complex = any(map(attrgetter("is_complex"), filter(None, axes)))
        self._one_axis_each = set(map(len, folds)) <= {1}

    @property
    @abstractmethod
    def rank(self) -> int:
        """Dimension of the equivariant subspace; a None axis counts as one."""

    @property
    def ambient_dim(self) -> int:
        """Dimension of the space in which ``rank`` counts: ``numel``; twice that for real-linear P on complex W."""
        return self.numel

    @property
    def chance(self) -> float:
        """Relative residual to expect of random weights, ``sqrt(1 - rank / numel)``."""
        return float(np.sqrt(max(0.0, 1 - self.rank / self.numel))) if self.numel else 0.0

    @property
    @abstractmethod
    def constant_bytes(self) -> int:
        """Memory of the constants, in bytes as built."""

    @property
    @abstractmethod
    def components(self) -> tuple[tuple[Components, ...], ...] | None:
        """By part, how P falls apart on one tuple of copies; None where P is not computed by parts that do."""

    @property
    @abstractmethod
    def joint_entries(self) -> int:
        """Up to so many entries a weight is best computed together with others; 0 without ``components``."""

    @abstractmethod
    def part_indices(self, shape: Sequence[int]) -> list[torch.Tensor]:
        """Where the entries of each part lie in a flattened weight, shapes (m_1, d_1, ..., m_k, d_k), int64."""

    @abstractmethod
    def basis(self) -> torch.Tensor:
        """Basis of the equivariant subspace, float64 (complex128), shape (rank, *shape); for small cases.

        Orthonormal in the norm of P.

        Raises:
            SizeLimitError: it would hold more than 2^26 numbers.
            ArgumentError: an axis has no representation, so its length is not known.
        """

    @final
    @in_own_precision
    def project(self, W: torch.Tensor) -> torch.Tensor:
        """``P W``, the equivariant tensor nearest to W; same shape and dtype, differentiable.

        Raises:
            ShapeError: W does not have the shape that the representations give.
            DtypeError: integers, or real weights under a complex representation.
        """
        self.check(W)
        return self._image(W, projected=True)

    @final
    @in_own_precision
    def residual(self, W: torch.Tensor) -> torch.Tensor:
        """``W - P W``; same shape and dtype, differentiable. Raises as ``project``."""
        self.check(W)
        return self._image(W, projected=False)

    @final
    @in_own_precision
    def squared_residual(self, W: torch.Tensor) -> torch.Tensor:
        """``|W - P W|^2`` (not halved), a scalar, twice differentiable; float32 for half precision.

        The residual is formed first, as ``|W|^2 - |PW|^2`` would cancel. Its gradient is ``2 (W - P W)`` in Frobenius's
        norm, ``2 D (W - P W)`` in one with the Gram operator D.
        """
        self.check(W)
        return self._squared_norm(W.to(accumulation_dtype(W.dtype)), projected=False)

    @final
    @in_own_precision
    def squared_projection(self, W: torch.Tensor) -> torch.Tensor:
        """``|P W|^2``, a scalar, twice differentiable; float32 for half precision."""
        self.check(W)
        return self._squared_norm(W.to(accumulation_dtype(W.dtype)), projected=True)

    @final
    def checked_map(self, W: torch.Tensor, *, projected: bool = False) -> Map:
        """``W -> W - P W`` (``W -> P W`` if ``projected``) without autograd, after checking that W fits.

        Where P has a norm of its own the map is that of ``coordinates``. Raises as ``project``.
        """
        self.check(W)
        return self._project if projected else self._residual

    @final
    @in_own_precision
    def relative_residual(self, W: torch.Tensor) -> torch.Tensor:
        """``|W - P W| / |W|`` in [0, 1], a scalar without gradient, 0 for W = 0; read it beside ``chance``.

        In the norm of P, and the same for ``c W`` at every scale c that leaves W finite and not subnormal.
        """
        self.check(W)
        W = W.detach().to(accumulation_dtype(W.dtype))
        W = divided(W, scale_of(W))
        whole, rest = norm(self.coordinates(W)), norm(self.coordinates(self.residual(W)))
        # Rounding can leave the ratio of a weight without any equivariant part an ulp above one.
        return torch.where(whole == 0, torch.zeros_like(whole), (rest / whole).clamp(max=1.0))

    @final
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
        self.check(W)
        check_own_memory(W)
        check_factor(factor)
        self._shrink_(W, factor)

    @abstractmethod
    def _project(self, W: torch.Tensor) -> torch.Tensor:
        """``P W`` in the dtype of W; W is left alone."""

    @abstractmethod
    def _residual(self, W: torch.Tensor) -> torch.Tensor:
        """``W - P W``, likewise, in memory of its own."""

    @abstractmethod
    def _shrink_(self, W: torch.Tensor, factor: float | torch.Tensor) -> None:
        """The step of ``shrink_``."""

    # -- the norm: that of the stored numbers, unless a kind of projector has its own ---------------

    def coordinates(self, W: torch.Tensor) -> torch.Tensor:
        """W in coordinates in which the norm of P is the plain one: W itself but where P has a norm of its own."""
        return W

    def _image(self, W: torch.Tensor, *, projected: bool) -> torch.Tensor:
        """``P W`` or ``W - P W``, differentiable."""
        return self_adjoint(W, self._project if projected else self._residual)

    def _squared_norm(self, W: torch.Tensor, *, projected: bool) -> torch.Tensor:
        """Of the image, twice differentiable."""
        return squared_norm_of_image(W, self._project if projected else self._residual)

    @final
    def folded(self, tensor: torch.Tensor) -> torch.Tensor:
        """The tensor with one axis per representation, a kernel's pixels flattened; a view where strides allow."""
        return tensor if self._one_axis_each else folded(tensor, self.folds)

    def check(self, W: torch.Tensor) -> None:
        """Whether P applies to W; raises as ``project``."""
        check_weight(W, self.shape, self.axes, is_complex=self.is_complex)

    def __deepcopy__(self, memo: object) -> "Projector":
        # Constants alone, which a copied binding shares: whoever goes by identity goes on as the original does.
        return self

    def __repr__(self) -> str:
        exact = "" if self.exact else f", exact=False ({self.reason})"
        rank = f"rank {self.rank} of {self.numel}"
        axes = f"axes ({', '.join(map(str, self.axes))}), shape {shape_text(self.shape)}"
        return f"Projector({self.group}, {axes}, {rank}, method={self.method!r}{exact})"
