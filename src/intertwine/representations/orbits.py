"""Fields cut into pieces that the group does not mix: orbits of permutations, summands, products of pieces."""

from itertools import pairwise

import numpy as np

from intertwine._cache import cached
from intertwine._numerics import Array
from intertwine.errors import ArgumentError
from intertwine.representations.derived import SumField, TensorField
from intertwine.representations.field import Field
from intertwine.representations.permutation_field import PermutationField
from intertwine.representations.segment import positions

# Matching like orbits tries every base point; beyond this size an orbit is simply its own field.
MATCHED_ORBIT_SIZE = 256

# Where a piece lies in the field, and the field that it is in that order.
Piece = tuple[Array, Field]


def field_pieces(field: Field) -> tuple[Piece, ...]:
    """The field as a sum of smaller ones on disjoint coordinates; like pieces are equal fields.

    Permutations fall into their orbits, sums into their summands, tensor products into the products of their factors'
    pieces.

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Cyclic(3)
        >>> vectors = G.irrep(1).tensor(G.trivial() + G.regular()).as_field()
        >>> [(indices.tolist(), piece.name) for indices, piece in field_pieces(vectors)]
        [([0, 4], '(1 x 0)'), ([1, 2, 3, 5, 6, 7], '(1 x regular)')]
    """
    if isinstance(field, SumField):
        return tuple(
            (copy[where], piece)
            for segment, copies in zip(field.segments, positions(field.segments), strict=True)
            for copy in copies
            for where, piece in field_pieces(segment.field)
        )
    if field.generator_permutations() is None and isinstance(field, TensorField):
        second = field_pieces(field.second)
        return tuple(
            ((rows[:, None] * field.second.dim + columns).reshape(rows.size * columns.size), TensorField(one, two))
            for rows, one in field_pieces(field.first)
            for columns, two in second
        )
    return orbit_fields(field)


def is_transitive(field: Field) -> bool:
    """Whether the field permutes a basis, up to signs, in a single orbit."""
    return field.generator_permutations() is not None and _orbit_labels(field)[0] == 1


def basis_permutations(field: Field) -> tuple[Array, Array]:
    """Images and signs of the discrete generators, shape (m, dim) each, of a field known to permute a basis.

    Raises:
        ArgumentError: it does not.
    """
    table = field.generator_permutations()
    if table is None:
        raise ArgumentError("field", expected="a field that permutes a basis up to signs", got=field.name)
    return table


def _orbit_labels(field: Field) -> tuple[int, Array]:
    images = basis_permutations(field)[0]
    return connected(field.dim, np.tile(np.arange(field.dim), len(images)), images.reshape(-1))


def connected(size: int, sources: Array, targets: Array) -> tuple[int, Array]:
    """Number of connected components of the graph on ``size`` nodes with the given edges, and each node's component."""
    from scipy.sparse import csr_array  # scipy takes half a second to load; `import intertwine` does without
    from scipy.sparse.csgraph import connected_components

    edges = csr_array((np.ones(sources.size, dtype=np.int8), (sources, targets)), shape=(size, size))
    count, labels = connected_components(edges, directed=False)
    return int(count), labels


@cached(256)
def orbit_fields(field: Field) -> tuple[Piece, ...]:
    """The orbits of a permutation field: ``(indices, transitive field)`` each, indices in that field's order.

    A field that permutes no basis is its own only piece.
    """
    if field.generator_permutations() is None:
        return ((np.arange(field.dim), field),)
    count, labels = _orbit_labels(field)
    if count == 1:
        return ((np.arange(field.dim), field),)
    images, signs = basis_permutations(field)
    by_label = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[by_label], np.arange(count + 1))
    out: list[Piece] = []
    for first, last in pairwise(bounds):
        members = by_label[first:last]
        bases = members if len(members) <= MATCHED_ORBIT_SIZE else members[:1]
        # The breadth-first walk from a base point names the points by words, hence equally in like orbits; the smallest
        # table over all base points is a canonical form.
        candidates = [_walk(images, signs, int(base)) for base in bases]
        walk, table_images, table_signs = min(candidates, key=lambda c: (c[1], c[2]))
        signed = any(s < 0 for row in table_signs for s in row)
        label = f"orbit{len(members)}"
        out.append(
            (walk, PermutationField(field.group, label, table_images, table_signs if signed else None, len(members)))
        )
    return tuple(out)


def _walk(
    images: Array, signs: Array, base: int
) -> tuple[Array, tuple[tuple[int, ...], ...], tuple[tuple[int, ...], ...]]:
    """Breadth-first order of the orbit of ``base`` and the generators' images and signs in that order."""
    order, rank = [base], {base: 0}
    for point in order:
        for row in images:
            image = int(row[point])
            if image not in rank:
                rank[image] = len(order)
                order.append(image)
    renamed = tuple(tuple(rank[int(row[point])] for point in order) for row in images)
    return np.array(order), renamed, tuple(tuple(int(row[point]) for point in order) for row in signs)
