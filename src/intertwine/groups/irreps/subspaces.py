"""Bases that depend on a subspace alone, not on the order in which an eigensolver happened to list its vectors."""

import numpy as np

from intertwine._numerics import Array


def ordered_basis(projector: Array, dim: int) -> Array:
    """Orthonormal basis, shape (n, dim), of the image of an orthogonal projector (n, n).

    The coordinate vectors are projected in their order and orthonormalised; one is skipped if less than 1e-3 of it is
    new. The result is a function of the subspace, so that it is the same on every machine.

    Args:
        projector: an orthogonal projector of rank ``dim``.
        dim: its rank.
    """
    basis = np.zeros((len(projector), 0))
    for column in projector.T:
        if basis.shape[1] == dim:
            break
        # Twice is enough (Kahan, Parlett): the second pass removes what rounding left of the first.
        rest = column - basis @ (basis.T @ column)
        rest = rest - basis @ (basis.T @ rest)
        norm = np.linalg.norm(rest)
        if norm > 1e-3:
            basis = np.column_stack([basis, rest / norm])
    return basis


def eigenspaces(symmetric: Array, separation: float = 1e-7) -> list[Array]:
    """Orthonormal bases of the eigenspaces of a symmetric matrix, by falling eigenvalue.

    Eigenvalues closer than ``separation`` times the largest are one.
    """
    values, vectors = np.linalg.eigh(symmetric)
    scale = max(float(np.abs(values).max(initial=0.0)), 1e-300)
    cuts = np.flatnonzero(np.diff(values) > separation * scale) + 1
    return [np.ascontiguousarray(block) for block in np.split(vectors, cuts, axis=1)][::-1]
