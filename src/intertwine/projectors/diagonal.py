"""Diagonal maps: the affine weights of norm layers, LayerScale, running variances."""

import numpy as np

from intertwine._numerics import Array
from intertwine.groups.adapters.notation import as_representation
from intertwine.projectors.axes.folds import fold_axes
from intertwine.projectors.axes.plan import Part, plan_orbits
from intertwine.projectors.blocks_projector import BlocksProjector
from intertwine.projectors.methods.block import BasisProjector
from intertwine.projectors.projector import Projector
from intertwine.representations import Field
from intertwine.representations.orbits import connected, is_transitive


def diagonal_projector(rep: object, *, shape: tuple[int, ...] | None = None) -> Projector:
    """The orthogonal projector on the vectors d, shape (rep.dim,), for which ``x -> d * x`` is equivariant.

    ``diag(d) rho(g) = rho(g) diag(d)`` holds for all g iff ``d_i = d_j`` wherever a matrix of the representation, or of
    its generators, has an entry ``i, j``: one number per orbit of a permutation (with signs or without), one per copy
    of an irrep. So ``P d`` is the mean over each of these.

    A norm layer's weight, its running variance and LayerScale are such vectors, not fixed ones: on an irrep l > 0 the
    only fixed vector is zero, while every multiple of the identity is equivariant.

    Args:
        rep: how the group acts on what is multiplied.
        shape: shape of the parameter where it is not (rep.dim,), such as (1, rep.dim, 1, 1).

    Returns:
        A projector. ``exact`` where the representation permutes without signs; elsewhere diagonals are no invariant
        subspace of all maps and carry no action, which ``reason`` says. ``P d = d`` means exact equivariance always.

    Source:
        Own.

    Examples:
        >>> import intertwine as iw, torch
        >>> P = diagonal_projector(iw.SO(3).irreps("2x0 + 1"))
        >>> P.project(torch.tensor([1.0, 2.0, 3.0, 4.0, 8.0])).tolist()
        [1.0, 2.0, 5.0, 5.0, 5.0]
    """
    checked = as_representation(rep, "rep")
    plan = plan_orbits(checked)
    parts = []
    for block in plan.blocks:
        if block.field is not None:
            basis = _constants(block.field)
            parts.append(Part((block,), BasisProjector(basis, (block.field.dim,))))
    folds = None if shape is None else fold_axes((checked,), shape)
    reason = (
        ""
        if checked.is_permutation
        else "a diagonal map, and under signs or irreps the diagonal maps carry no action of their own; those that P "
        "keeps are equivariant all the same"
    )
    return BlocksProjector(checked.group, (checked,), (plan,), tuple(parts), "block", folds=folds, reason=reason)


def _constants(field: Field) -> Array:
    """Orthonormal basis (dim, n) of the diagonals that commute with a field: indicators of its coupled entries."""
    if is_transitive(field) or field.irreducible is not None:
        return np.full((field.dim, 1), field.dim**-0.5)
    matrices = np.concatenate([field.generator_images(), field.algebra()])
    _, rows, columns = np.nonzero(np.abs(matrices) > 1e-12)
    count, labels = connected(field.dim, rows, columns)
    indicators = (labels[:, None] == np.arange(count)).astype(np.float64)
    return indicators / np.sqrt(indicators.sum(0))
