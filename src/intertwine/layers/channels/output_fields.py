"""Projection that keeps the norm of every output field, so that deep nets do not starve."""

from dataclasses import dataclass
from math import prod

import numpy as np
import torch

from intertwine._cache import cached
from intertwine._numerics import TOLERANCES, Array, accumulation_dtype, divided, scale_of, widest
from intertwine.projectors import Projector
from intertwine.representations import Representation


@dataclass(frozen=True)
class OutputFields:
    """Which copy of which output field each entry of a weight feeds.

    Attributes:
        rep: how the group acts on the outputs; None: every row of axis 0 counts for itself.
        axis: 0 where the outputs lead, (out, in, ...); 1 where the inputs do, as in a transposed convolution.
        groups: for ``axis=1``: axis 1 has the outputs of one of so many groups, the one of the entry's input.

    Examples:
        >>> import intertwine as iw
        >>> OutputFields(iw.SO(3).irreps("2x0 + 1x1")).index((5, 7)).tolist()
        [0, 1, 2, 2, 2]
    """

    rep: Representation | None
    axis: int = 0
    groups: int = 1

    def index(self, shape: tuple[int, ...]) -> Array:
        """Number of the copy for each entry of a weight, shape equal to the leading axes of ``shape``.

        Examples:
            >>> import intertwine as iw
            >>> two = OutputFields(2 * iw.Cyclic(2).regular(), axis=1, groups=2)
            >>> two.index((2, 2, 3, 3)).tolist()
            [[0, 0], [1, 1]]
        """
        if self.rep is None:
            return np.arange(shape[0])
        copies = copy_index(self.rep)
        if self.axis == 1:
            return copies.reshape(self.groups, -1)[np.arange(shape[0]) * self.groups // max(1, shape[0])]
        # A representation may span several leading axes, as a grid spans those of a table (H, W, D).
        leading = next(k for k in range(1, len(shape) + 1) if np.prod(shape[:k], dtype=np.int64) == len(copies))
        return copies.reshape(shape[:leading])


@cached(256)
def copy_index(rep: Representation) -> Array:
    """Number of the copy that each feature belongs to, shape (dim,): copies counted segment by segment.

    Examples:
        >>> import intertwine as iw
        >>> copy_index(iw.SO(3).irreps("2x0 + 2x1")).tolist()
        [0, 1, 2, 2, 2, 3, 3, 3]
    """
    index = np.zeros(rep.dim, dtype=np.int64)
    start = 0
    for copies in rep.positions:
        index[copies] = start + np.arange(len(copies))[:, None]
        start += len(copies)
    return index


def project_at_scale(P: Projector, W: torch.Tensor) -> torch.Tensor:
    """``P W``, of weights near the limits of their dtype too: a sum within a mean could leave its range."""
    wide = W.to(accumulation_dtype(W.dtype))
    scale = scale_of(wide)
    return (P.project(divided(wide, scale)) * scale).to(W.dtype)


def project_keeping_norms(P: Projector, W: torch.Tensor, output: OutputFields) -> torch.Tensor:
    """``P W``, what feeds each copy of each output field rescaled to the norm it had in W.

    Copies whose projection vanishes stay zero: there is nothing to scale up but rounding. One scale per copy of an
    output field commutes with the group, so the result is still a fixed point of P.
    """
    wide = W.to(accumulation_dtype(W.dtype))
    scale = scale_of(wide)
    unit = divided(wide, scale)
    projected = P.project(unit)
    index = torch.from_numpy(output.index(tuple(W.shape)).copy()).to(W.device)
    before, after = _copy_norms(unit, index), _copy_norms(projected, index)
    alive = after > TOLERANCES[W.dtype] * before
    factors = torch.where(alive, before / torch.where(alive, after, 1.0), 1.0) * scale
    return (projected * factors[index].reshape(*index.shape, *(1,) * (W.ndim - index.ndim))).to(W.dtype)


def _copy_norms(W: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """The norm of all entries with the same number, for W with entries of about 1."""
    parts = widest(torch.view_as_real(W.resolve_conj()) if W.is_complex() else W)
    squares = parts.reshape(index.numel(), prod(parts.shape[index.ndim :])).square().sum(1)
    count = int(index.max()) + 1 if index.numel() else 0
    return squares.new_zeros(count).index_add_(0, index.reshape(-1), squares).sqrt().to(W.dtype.to_real())
