"""A small space that holds every tensor that a Lie group fixes: the tensors of weight zero."""

from collections.abc import Sequence
from functools import reduce

import numpy as np

from intertwine._numerics import Array, nullspace
from intertwine.representations.field import Field

# Weights that add up to less than this, relative to the largest, count as zero; taking in too many does no harm, as
# the constraints are solved afterwards.
SAME_WEIGHT = 1e-6


def zero_weight_tensors(fields: Sequence[Field]) -> Array:
    """Orthonormal basis, shape (d_1, ..., d_k, m), of tensors killed by one generic Lie algebra element X.

    ``i drho(X)`` is Hermitian in an orthogonal or unitary field; products of its eigenvectors have the sum of their
    eigenvalues (weights), so those that add up to zero span the space. For irreps of SO(3) it is smaller than the
    whole by a factor of about the largest degree.
    """
    coefficients = 1 / np.sqrt(np.arange(2, 2 + len(fields[0].algebra())))
    spectra = [np.linalg.eigh(1j * np.einsum("k,kij->ij", coefficients, field.algebra())) for field in fields]
    total = reduce(np.add.outer, (weights for weights, _ in spectra))
    largest = max(1.0, *(float(np.abs(weights).max(initial=0.0)) for weights, _ in spectra))
    index = np.nonzero(np.abs(total) < SAME_WEIGHT * largest)
    columns = [vectors[:, chosen] for (_, vectors), chosen in zip(spectra, index, strict=True)]
    return reduce(lambda a, b: np.einsum("...m,bm->...bm", a, b), columns)


def fixed_by_lie_group(fields: Sequence[Field]) -> Array:
    """Orthonormal basis, shape (d_1 ... d_k, rank), of the tensors that a compact Lie group fixes.

    All constraints, one a generator, are solved within the tensors of weight zero. Real where the fields are.

    Raises:
        SeparationError: a singular value is neither clearly zero nor clearly not.
    """
    tensors = zero_weight_tensors(fields)
    unknowns = tensors.shape[-1]
    if unknowns == 0:
        return np.zeros((int(np.prod(tensors.shape[:-1])), 0))
    rows = []
    for images in zip(*(field.generator_images() for field in fields), strict=True):
        moved = tensors
        for axis, image in enumerate(images):
            moved = _along(image, moved, axis)
        rows.append((moved - tensors).reshape(-1, unknowns))
    for images in zip(*(field.algebra() for field in fields), strict=True):
        turned = np.sum([_along(image, tensors, axis) for axis, image in enumerate(images)], axis=0)
        rows.append(turned.reshape(-1, unknowns))
    fixed = tensors.reshape(-1, unknowns) @ nullspace(np.concatenate(rows), "representation")
    if any(field.is_complex for field in fields):
        return fixed
    # The space is its own conjugate: real and imaginary parts span it, with singular values 1 and 0.
    vectors = np.linalg.svd(np.concatenate([fixed.real, fixed.imag], axis=1), full_matrices=False)[0]
    return np.ascontiguousarray(vectors[:, : fixed.shape[1]])


def _along(matrix: Array, tensors: Array, axis: int) -> Array:
    """``matrix`` applied to one axis."""
    return np.moveaxis(np.tensordot(matrix, tensors, axes=(1, axis)), 0, axis)
