"""Orthogonal matrices that multiply as a group does: the best ones for given scores, by averaging."""

import numpy as np

from intertwine._numerics import Array
from intertwine.groups import Group
from intertwine.groups.enumeration import multiplication_table
from intertwine.representations import Representation

# Directions of lower singular values, relative to the largest, say nothing; they stay as they are.
SILENT = 1e-6
ROUNDS = 60
MULTIPLIES = 1e-12


def orthogonal_action(scores: Array, group: Group, *, fixes_ones: bool = False) -> Array | None:
    """Matrices rho(g) near those that maximise ``tr(rho(g)^T scores[g])``, multiplying as the group does.

    The polar factor of each score is the best orthogonal matrix for its element; then
    ``rho(g) <- polar(mean_h rho(gh) rho(h)^-1)`` until ``rho(g) rho(h) = rho(gh)``, which converges quadratically from
    matrices that nearly multiply.

    Args:
        scores: shape (order, n, n).
        group: finite.
        fixes_ones: whether each rho(g) must fix the vector of ones, as a mean over channels asks.

    Returns:
        Shape (order, n, n); None if the averages do not converge, as for scores that are noise.

    Source:
        Grove, Karcher and Ruh 1974, "Group actions and curvature" (almost homomorphisms are near homomorphisms).

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Cyclic(4)
        >>> noise = 0.1 * np.random.default_rng(0).standard_normal((4, 4, 4))
        >>> rho = orthogonal_action(G.regular().matrix(G.elements()).numpy() + noise, G)
        >>> homomorphism_defect(rho, G) < 1e-12
        True
    """
    basis = _complement_of_ones(scores.shape[1]) if fixes_ones else None
    inner = scores if basis is None else basis.T @ scores @ basis
    table = multiplication_table(group)
    inverse = np.argmax(table == 0, axis=1)
    inner = (inner + inner[inverse].transpose(0, 2, 1)) / 2  # rho(g^-1) = rho(g)^T
    rho = np.stack([_polar(matrix) for matrix in inner])
    rho[0] = np.eye(rho.shape[1])
    last = np.inf
    for _ in range(ROUNDS):
        defect = homomorphism_defect(rho, group)
        if defect < MULTIPLIES or (defect < 1e-10 and defect > last / 2):
            return rho if basis is None else basis @ rho @ basis.T + 1 / scores.shape[1]
        last = defect
        means = np.zeros_like(rho)
        for h in range(len(rho)):
            means += rho[table[:, h]] @ rho[h].T
        rho = np.stack([_polar(matrix / len(rho)) for matrix in means])
    return None


def homomorphism_defect(rho: Array, group: Group) -> float:
    """The largest ``|rho(g) rho(h) - rho(gh)|`` over all products, Frobenius over sqrt(n)."""
    table = multiplication_table(group)
    worst = max(float(np.linalg.norm(rho[g] @ rho - rho[table[g]], axis=(1, 2)).max()) for g in range(len(rho)))
    return worst / max(rho.shape[1], 1) ** 0.5


def matrices_representation(rho: Array, group: Group) -> Representation:
    """The representation with these matrices of all elements."""
    generators = group.generator_matrices()
    if not len(generators):
        return rho.shape[1] * group.trivial()
    return group.representation(rho[group.element_indices(generators)])


def _polar(matrix: Array) -> Array:
    """The nearest orthogonal matrix; where the matrix says nothing, the one nearest to the identity."""
    left, values, right = np.linalg.svd(matrix)
    rank = int((values > SILENT * max(values[0], 1e-300)).sum()) if len(values) else 0
    found = left[:, :rank] @ right[:rank]
    if rank < len(values):
        rest_left, rest_right = left[:, rank:], right[rank:].T
        inner_left, _, inner_right = np.linalg.svd(rest_left.T @ rest_right)
        found = found + rest_left @ inner_left @ inner_right @ rest_right.T
    result: Array = found
    return result


def _complement_of_ones(size: int) -> Array:
    """An orthonormal basis of the vectors whose entries sum to zero, shape (size, size - 1)."""
    from scipy.linalg import helmert  # scipy takes half a second to load

    basis: Array = helmert(size).T
    return basis
