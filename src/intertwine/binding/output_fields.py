"""Projection that keeps the norm of every output field, so that deep nets do not starve."""

from functools import lru_cache

import numpy as np
import torch

from intertwine._numerics import TOLERANCES, Array, accumulation_dtype
from intertwine.projectors import Projector
from intertwine.representations import Representation


@lru_cache(maxsize=256)
def copy_index(rep: Representation) -> Array:
    """Number of the copy that each feature belongs to, shape (dim,): copies counted segment by segment.

    Examples:
        >>> import intertwine as iw
        >>> copy_index(iw.SO(3).irreps("2x0 + 2x1")).tolist()
        [0, 1, 2, 2, 2, 3, 3, 3]
    """
    index, start = [np.zeros(0, dtype=np.int64)], 0
    for segment in rep.segments:
        copies = start + np.arange(segment.mul)
        dim = segment.field.dim
        index.append(np.repeat(copies, dim) if segment.layout == "mul_ir" else np.tile(copies, dim))
        start += segment.mul
    return np.concatenate(index)


def project_keeping_norms(P: Projector, W: torch.Tensor) -> torch.Tensor:
    """``P W``, the rows of each copy of each output field (axis 0) rescaled to the norm they had in W.

    Rows whose projection vanishes stay zero: there is nothing to scale up but rounding. One scale per copy of an
    output field commutes with the group, so the result is still a fixed point of P. On an axis 0 without a
    representation every row counts for itself.
    """
    wide = W.to(accumulation_dtype(W.dtype))
    projected = P.project(wide)
    rep = P.axes[0]
    rows = np.arange(W.shape[0]) if rep is None else copy_index(rep)
    index = torch.from_numpy(rows).to(W.device)
    before, after = _copy_norms(wide, index), _copy_norms(projected, index)
    alive = after > TOLERANCES[W.dtype] * before
    scale = torch.where(alive, before / torch.where(alive, after, 1.0), 1.0)
    return (projected * scale[index].reshape(-1, *(1,) * (W.ndim - 1))).to(W.dtype)


def _copy_norms(W: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    rows = torch.linalg.vector_norm(W.flatten(1), dim=1).square() if W.ndim > 1 else W.abs().square()
    count = int(index.max()) + 1 if index.numel() else 0
    return rows.new_zeros(count).index_add_(0, index, rows).sqrt()
