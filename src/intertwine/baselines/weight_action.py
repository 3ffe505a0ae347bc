"""An element of the group applied to a weight, axis by axis."""

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.projectors import Projector
from intertwine.representations import Representation


def act_on_weight(P: Projector, g: torch.Tensor, W: torch.Tensor) -> torch.Tensor:
    """``g.W = (rho_1(g) (x) ... (x) rho_k(g)) W`` with the representations on the axes of W that P has.

    Permutations move entries, without arithmetic; other fields multiply by their blocks.

    Args:
        P: the projector of W; pixels of a kernel are one axis to it.
        g: an element, shape (d, d).
        W: as ``P.project`` takes it.

    Returns:
        Of the shape of W, differentiable.

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Cyclic(3)
        >>> P, W = iw.projector(G.regular(), G.trivial()), torch.tensor([[1.0, 2.0, 3.0]])
        >>> act_on_weight(P, G.generators[0], W).tolist()
        [[3.0, 1.0, 2.0]]
    """
    moved = P.folded(W)
    element = g.detach().cpu().numpy()[None]
    for axis, rep in enumerate(P.axes):
        if rep is not None and not is_trivial(rep):
            moved = _act_on_axis(rep, g, element, moved, axis)
    return moved.reshape(W.shape)


def is_trivial(rep: Representation) -> bool:
    """Whether every element acts as the identity, by name."""
    return all(segment.field.irrep == rep.group.trivial_label for segment in rep.segments)


def _act_on_axis(rep: Representation, g: torch.Tensor, element: Array, W: torch.Tensor, axis: int) -> torch.Tensor:
    table = _sources(rep, element)
    if table is None:
        return rep.act(g, W.movedim(axis, -1)).movedim(-1, axis)
    sources, signs = table
    moved = W.index_select(axis, torch.from_numpy(sources).to(W.device))
    if (signs == 1).all():
        return moved
    shape = [-1 if other == axis else 1 for other in range(W.ndim)]
    return moved * torch.from_numpy(signs).to(W.device, W.dtype).reshape(shape)


def _sources(rep: Representation, element: Array) -> tuple[Array, Array] | None:
    """``(sources, signs)``, shape (dim,) each: ``(rho(g) x)_j = signs[j] x_sources[j]``; None if not a permutation."""
    table = rep.signed_permutations(element)
    if table is None:
        return None
    images, signs = table[0][0], table[1][0]
    sources = np.argsort(images)
    return sources, signs[sources]
