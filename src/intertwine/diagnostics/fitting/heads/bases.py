"""What heads carry, and the bases in which they all carry the same: from responses, then from weights."""

from collections.abc import Iterator

import numpy as np

from intertwine._numerics import Array
from intertwine.diagnostics.fitting.actions import Action, admissible_share
from intertwine.diagnostics.fitting.best_action import best_action
from intertwine.diagnostics.fitting.found import Found
from intertwine.diagnostics.fitting.heads.irreps_in_bases import admissible_turns, irreps_in_bases, polar
from intertwine.diagnostics.fitting.heads.runs import Heads
from intertwine.diagnostics.fitting.orthogonal import homomorphism_defect
from intertwine.groups import Group

STEPS = 20
RISEN = 1e-9


def fitted_heads(scores: Array, heads: Heads, group: Group, start: Action | None = None) -> Iterator[Found]:
    """What fits scores well: features of heads that carry irreps, or heads that are permuted.

    Args:
        scores: as ``head_weight_scores`` gives them.
        heads: that they are of.
        group: finite.
        start: permuted heads: an action that is tried too.
    """
    if heads.inside:
        blocks = scores.reshape(-1, *scores.shape[2:])
        found = irreps_in_bases(blocks, group)
        defect = homomorphism_defect(found.representation.matrix(group.elements()).numpy(), group)
        bases = found.bases.reshape(*scores.shape[:2], heads.size, heads.size)
        yield Found(found.representation, "orthogonal", admissible_turns(blocks, group), defect, {}, bases=bases)
        return
    alike = _alike(scores)
    share = admissible_share(alike, group)
    actions = [best_action(alike, group, start=start), *([] if start is None else [start])]
    for action in actions:
        bases = np.stack([_aligned(own, action) for own in scores])
        defect = action.homomorphism_defect()
        yield Found(action.representation(), "permutation", share, defect, action.orbit_sizes(), bases=bases)


def _alike(scores: Array) -> Array:
    """``[g, h', h]``: how alike heads are in any bases, ``|S_h'h(g)| / sqrt(|S_hh(1)| |S_h'h'(1)|)``, over sides."""
    sizes = np.linalg.norm(scores, axis=(-1, -2))  # (sides, heads, heads, order)
    own = np.sqrt(np.diagonal(sizes[..., 0], axis1=1, axis2=2))
    floor = np.finfo(np.float64).tiny
    alike: Array = (sizes / np.maximum(own[:, :, None] * own[:, None], floor)[..., None]).sum(0).transpose(2, 0, 1)
    return alike


def _aligned(scores: Array, action: Action) -> Array:
    """A basis for each head such that g takes the features of h, in order, to those of g h, shape (heads, n, n)."""
    count = len(scores)
    moved = action.images
    products = scores[moved, np.arange(count), np.arange(len(moved))[:, None]]  # (order, heads, n, n): g h with h
    bases = np.tile(np.eye(scores.shape[-1]), (count, 1, 1))
    for first in np.unique(moved.min(0)).tolist():
        for head in np.unique(moved[:, first]).tolist():
            if head != first:
                bases[head] = polar(products[moved[:, first] == head, first].sum(0).T)
    value, kept = -np.inf, bases
    for _ in range(STEPS):
        image = np.zeros_like(bases)
        for g, images in enumerate(moved):
            image += bases[images] @ products[g]
        gained = float((bases * image).sum())
        if gained <= value + RISEN * abs(value):
            break
        value, kept = gained, bases
        bases = polar(image)
    return kept
