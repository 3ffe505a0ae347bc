"""Young's orthogonal form: the irreps of the symmetric groups, from partitions and standard tableaux."""

from math import factorial, prod

import numpy as np

from intertwine._cache import cached
from intertwine._numerics import Array

Partition = tuple[int, ...]


def dimension(partition: Partition) -> int:
    """Number of standard tableaux, by the hook length formula (Frame, Robinson, Thrall 1954).

    Examples:
        >>> dimension((3, 2))
        5
    """
    columns = [sum(1 for row in partition if row > j) for j in range(partition[0])] if partition else []
    hooks = (row - j + columns[j] - i - 1 for i, row in enumerate(partition) for j in range(row))
    return factorial(sum(partition)) // prod(hooks)


def partitions_up_to(n: int, max_dim: int) -> list[Partition]:
    """Partitions of n whose irreps have dimension up to ``max_dim``, by rising dimension, longest rows first.

    An irrep of S_n restricts to irreps of S_{n-1}, none larger, so the search grows one box at a time and stays small.
    """
    found: set[Partition] = {()}
    for _ in range(n):
        found = {larger for smaller in found for larger in _one_box_more(smaller) if dimension(larger) <= max_dim}
    return sorted(found, key=lambda partition: (dimension(partition), tuple(-row for row in partition)))


def _one_box_more(partition: Partition) -> list[Partition]:
    rows = [*partition, 0]
    return [
        tuple(row for row in [*rows[:i], rows[i] + 1, *rows[i + 1 :]] if row)
        for i in range(len(rows))
        if i == 0 or rows[i - 1] > rows[i]
    ]


def tableaux(partition: Partition) -> list[tuple[tuple[int, int], ...]]:
    """Standard tableaux as the (row, column) of 1, 2, ..., n, in lexicographic order of the rows."""
    fillings: list[tuple[tuple[int, ...], tuple[tuple[int, int], ...]]] = [((0,) * len(partition), ())]
    for _ in range(sum(partition)):
        grown = []
        for rows, places in fillings:
            for i, (row, full) in enumerate(zip(rows, partition, strict=True)):
                if row < full and (i == 0 or rows[i - 1] > row):
                    grown.append(((*rows[:i], row + 1, *rows[i + 1 :]), (*places, (i, row))))
        fillings = grown
    return [places for _, places in fillings]


@cached(64)
def transposition_images(partition: Partition) -> tuple[Array, Array, Array]:
    """The images of the adjacent transpositions (i, i+1), as ``(diagonal, other, partner)``, each of shape (n-1, dim).

    ``rho(s_i) e_T = diagonal e_T + other e_partner``: with r the axial distance from i to i+1 in tableau T,
    the diagonal entry is 1/r and the other sqrt(1 - 1/r^2), partner being T with i and i+1 exchanged (Young 1932).
    """
    places = tableaux(partition)
    index = {place: t for t, place in enumerate(places)}
    n = sum(partition)
    diagonal, partner = np.empty((max(n - 1, 0), len(places))), np.empty((max(n - 1, 0), len(places)), dtype=np.int64)
    for i in range(n - 1):
        for t, place in enumerate(places):
            (row, column), (next_row, next_column) = place[i], place[i + 1]
            diagonal[i, t] = 1 / ((next_column - next_row) - (column - row))
            swapped = (*place[:i], place[i + 1], place[i], *place[i + 2 :])
            partner[i, t] = index.get(
                swapped, t
            )  # neighbours in a row or column cannot be exchanged: then 1/r is +1 or -1
    return diagonal, np.sqrt(np.maximum(1 - diagonal**2, 0.0)), partner


def young_matrices(partition: Partition, images: Array) -> Array:
    """Matrices of the irrep at permutations (k, n) given by their images, shape (k, dim, dim).

    Each permutation is sorted by adjacent exchanges (bubble sort), and their images are multiplied up.
    """
    diagonal, other, partner = transposition_images(partition)
    left = images.copy()
    count, n = images.shape
    out = np.broadcast_to(np.eye(diagonal.shape[1]), (count, diagonal.shape[1], diagonal.shape[1])).copy()
    for end in range(n - 1, 0, -1):
        for i in range(end):
            unsorted = np.flatnonzero(left[:, i] > left[:, i + 1])
            if not len(unsorted):
                continue
            left[unsorted, i], left[unsorted, i + 1] = left[unsorted, i + 1], left[unsorted, i]
            block = out[unsorted]
            out[unsorted] = diagonal[i, :, None] * block + other[i, :, None] * block[:, partner[i]]
    return out
