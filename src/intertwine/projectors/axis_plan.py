"""How one axis of a parameter is cut into copies of fields, like fields gathered: work per field, never per weight."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.errors import ArgumentError
from intertwine.representations import Field, Representation
from intertwine.representations.permutation_field import PermutationField

# Matching like orbits tries every base point; beyond this size an orbit is simply its own field.
MATCHED_ORBIT_SIZE = 256
# So few segments stay where they lie, even if a field comes back: a few more views cost less than sorting features.
SEPARATE_SEGMENTS = 6


@dataclass(frozen=True)
class AxisBlock:
    """``mul`` copies of ``field`` from ``start`` on the (reordered) axis; ``mul`` None: the whole axis, no action.

    ``pixels`` is the length of an axis of pixels that carries no action of its own (steerable kernels), else 0.
    """

    start: int
    mul: int | None
    field: Field | None
    copies_innermost: bool = False
    pixels: int = 0

    @property
    def dim(self) -> int:
        """Dimension of one copy; 1 on an axis without action."""
        return self.pixels or (1 if self.field is None else self.field.dim)

    def view(self, tensor: torch.Tensor, axis: int) -> torch.Tensor:
        """``tensor`` with its ``axis`` cut down to this block and split into (copies, field), step by step."""
        if self.mul is None:
            return tensor.unsqueeze(axis + 1)
        part = tensor.narrow(axis, self.start, self.mul * self.dim)
        if self.copies_innermost:
            return part.unflatten(axis, (self.dim, self.mul)).transpose(axis, axis + 1)
        return part.unflatten(axis, (self.mul, self.dim))

    def cut(self, size: int, stride: int) -> tuple[tuple[int, int], tuple[int, int]]:
        """Sizes and strides of the axis cut to this block and split into (copies, field)."""
        if self.mul is None:
            return (size, 1), (stride, stride)
        strides = (stride, self.mul * stride) if self.copies_innermost else (self.dim * stride, stride)
        return (self.mul, self.dim), strides


@dataclass(frozen=True)
class AxisPlan:
    """The blocks of one axis, after taking its features in ``order`` (None: as they are)."""

    blocks: tuple[AxisBlock, ...]
    order: Array | None = None


def free_axis() -> AxisPlan:
    """An axis on which the group does not act and whose length is the tensor's own."""
    return AxisPlan((AxisBlock(0, None, None),))


def plan_axis(rep: Representation) -> AxisPlan:
    """Blocks of ``rep``: its segments, or, where fields keep coming back, its features sorted by field."""
    starts = [where.start for where in rep.slices]
    if len(rep.segments) <= max(SEPARATE_SEGMENTS, len({segment.field for segment in rep.segments})):
        return AxisPlan(
            tuple(
                AxisBlock(start, segment.mul, segment.field, segment.layout == "ir_mul")
                for start, segment in zip(starts, rep.segments, strict=True)
            )
        )
    positions: dict[Field, list[Array]] = {}
    for start, segment in zip(starts, rep.segments, strict=True):
        index = start + np.arange(segment.dim)
        if segment.layout == "ir_mul":
            index = index.reshape(segment.field.dim, segment.mul).T.reshape(-1)
        positions.setdefault(segment.field, []).append(index)
    return _gathered({field: np.concatenate(index) for field, index in positions.items()})


def plan_orbits(rep: Representation) -> AxisPlan:
    """Blocks of ``rep`` with every permutation cut into its orbits; orbits that permute alike are copies of one field.

    Fields that permute no basis stay whole.
    """
    positions: dict[Field, list[Array]] = {}
    for segment, where in zip(rep.segments, rep.slices, strict=True):
        index = where.start + np.arange(segment.dim)
        shape = (segment.mul, segment.field.dim)
        copies = index.reshape(shape) if segment.layout == "mul_ir" else index.reshape(shape[::-1]).T
        for orbit, field in orbit_fields(segment.field):
            positions.setdefault(field, []).append(copies[:, orbit].reshape(-1))
    return _gathered({field: np.concatenate(index) for field, index in positions.items()})


def _gathered(positions: dict[Field, Array]) -> AxisPlan:
    blocks, start = [], 0
    for field, index in positions.items():
        blocks.append(AxisBlock(start, len(index) // field.dim, field))
        start += len(index)
    order = np.concatenate(list(positions.values())) if positions else np.zeros(0, dtype=np.int64)
    return AxisPlan(tuple(blocks), None if (order == np.arange(len(order))).all() else order)


def is_transitive(field: Field) -> bool:
    """Whether the field permutes a basis, up to signs, in a single orbit."""
    return field.generator_permutations() is not None and _orbit_labels(field)[0] == 1


def permutation_table(field: Field) -> tuple[Array, Array]:
    """Images and signs of the discrete generators, shape (m, dim) each, of a field known to permute a basis.

    Raises:
        ArgumentError: it does not.
    """
    table = field.generator_permutations()
    if table is None:
        raise ArgumentError("field", expected="a field that permutes a basis up to signs", got=field.name)
    return table


def _orbit_labels(field: Field) -> tuple[int, Array]:
    images = permutation_table(field)[0]
    return connected(field.dim, np.tile(np.arange(field.dim), len(images)), images.reshape(-1))


def connected(size: int, sources: Array, targets: Array) -> tuple[int, Array]:
    """Number of connected components of the graph on ``size`` nodes with the given edges, and each node's component."""
    from scipy.sparse import csr_array  # scipy takes half a second to load; `import intertwine` does without
    from scipy.sparse.csgraph import connected_components

    edges = csr_array((np.ones(sources.size, dtype=np.int8), (sources, targets)), shape=(size, size))
    count, labels = connected_components(edges, directed=False)
    return int(count), labels


def orbit_fields(field: Field) -> list[tuple[Array, Field]]:
    """The orbits of a permutation field: ``(indices, transitive field)`` each, indices in that field's order."""
    if field.generator_permutations() is None:
        return [(np.arange(field.dim), field)]
    count, labels = _orbit_labels(field)
    if count == 1:
        return [(np.arange(field.dim), field)]
    images, signs = permutation_table(field)
    by_label = np.argsort(labels, kind="stable")
    bounds = np.searchsorted(labels[by_label], np.arange(count + 1))
    out: list[tuple[Array, Field]] = []
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
    return out


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
