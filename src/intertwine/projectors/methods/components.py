"""How P falls apart: sets of entries that it mixes with each other alone, such as the orbits of a permutation."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from intertwine._numerics import Array

# Of an orthonormal basis in float64: smaller entries are rounding.
ROUNDING = 1e-12


@dataclass(frozen=True, eq=False)
class Components:
    """Sets of entries of one tuple of fields on which P is one and the same matrix ``B B^*``.

    Attributes:
        entries: flat indices into the tuple, shape (size, count), a set a column; no entry is in two sets.
        basis: B, shape (size, rank), orthonormal columns; rank 0 where P is zero.
    """

    entries: Array
    basis: Array

    @property
    def is_identity(self) -> bool:
        """Whether P leaves these entries as they are."""
        return self.basis.shape[0] == self.basis.shape[1]


def basis_components(basis: Array) -> Iterator[Components]:
    """The components of ``P = basis^T conj(basis)``; entries on which P is zero belong to none.

    Args:
        basis: orthonormal rows, shape (rank, size).
    """
    from scipy.sparse import bmat, csr_matrix  # scipy loads slowly; `import intertwine` does without
    from scipy.sparse.csgraph import connected_components

    support = csr_matrix(np.abs(basis) > ROUNDING)
    # Rows and entries are the two sides of a graph: what is connected is mixed.
    count, labels = connected_components(bmat([[None, support], [support.T, None]]), directed=False)
    rows, entries = labels[: len(basis)], labels[len(basis) :]
    for label in range(count):
        row, entry = np.flatnonzero(rows == label), np.flatnonzero(entries == label)
        if len(row):
            yield Components(entry[:, None], basis[np.ix_(row, entry)].T)


def orbit_components(labels: Array, signs: Array) -> Iterator[Components]:
    """The components of the mean over signed orbits; orbits that meet their negative belong to none.

    Args:
        labels: which orbit each entry is in, shape (size,).
        signs: +1 or -1 against the orbit's first entry; 0 in orbits on which P is zero.
    """
    alive = np.flatnonzero(signs)
    order = alive[np.argsort(labels[alive], kind="stable")]
    if not len(order):
        return
    _, starts, lengths = np.unique(labels[order], return_index=True, return_counts=True)
    for length in np.unique(lengths):
        columns = order[starts[lengths == length][None, :] + np.arange(length)[:, None]]
        patterns, which = np.unique(signs[columns] * signs[columns[0]], axis=1, return_inverse=True)
        for number, pattern in enumerate(patterns.T):
            chosen = columns[:, which.reshape(-1) == number]
            yield Components(chosen, (pattern / np.sqrt(length))[:, None])
