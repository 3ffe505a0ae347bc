"""The equivariant maps from an irrep into a field, as isometries with orthogonal images."""

import numpy as np

from intertwine._numerics import NONZERO_EIGENVALUE, ZERO_EIGENVALUE, Array
from intertwine.errors import SeparationError, SizeLimitError
from intertwine.representations.field import Field
from intertwine.representations.intertwiners import commutant
from intertwine.representations.irrep_field import IrrepField

MAX_DIM = 2000
# Elements x dim^2 that are held at once while a finite group is averaged over.
CHUNK = 8_000_000


def isometries(field: Field, irrep: IrrepField) -> Array:
    """One isometry a copy of ``irrep`` in ``field``, with orthogonal images, shape (copies, field.dim, irrep.dim).

    Raises:
        SizeLimitError, SeparationError: as ``decompose``.
    """
    return _by_average(field, irrep) if field.group.is_finite else _by_constraints(field, irrep)


def _by_constraints(field: Field, irrep: IrrepField) -> Array:
    """Isometries from the generators of an infinite group: ``rho(h) T = T irrep(h)``, ``drho(X) T = T dirrep(X)``.

    One generic Lie algebra element first: T maps eigenspaces of its square (symmetric, as it is skew) to those of the
    same eigenvalue, which leaves a few numbers a pair of eigenspaces; the other constraints are solved for those.
    """
    weights = 1 / np.sqrt(np.arange(2, 2 + len(field.algebra())))
    spaces = []
    for part in (field, irrep):
        generic = np.einsum("k,kij->ij", weights, part.algebra())
        spaces.append(np.linalg.eigh(generic @ generic.T))
    (values, vectors), (irrep_values, irrep_vectors) = spaces
    close = np.abs(values[:, None] - irrep_values) < 1e-6 * max(1.0, float(np.abs(values).max(initial=0.0)))
    left, right = np.nonzero(close)
    unknowns = len(left)
    if unknowns > MAX_DIM:
        raise SizeLimitError(
            "rep",
            expected=f"at most {MAX_DIM} unknowns",
            got=f"{unknowns} for {field.name} and {irrep.name}",
            advice="Decompose the summands one by one.",
        )
    if unknowns == 0:
        return np.zeros((0, field.dim, irrep.dim))
    basis = vectors.T[left][:, :, None] * irrep_vectors.T[right][:, None, :]
    gram = np.zeros((unknowns, unknowns))
    pairs = [
        *zip(field.generator_images(), irrep.generator_images(), strict=True),
        *zip(field.algebra(), irrep.algebra(), strict=True),
    ]
    for image, irrep_image in pairs:
        rows = (image @ basis - basis @ irrep_image).reshape(unknowns, -1)
        gram += rows @ rows.T
    eigenvalues, solutions = np.linalg.eigh(gram)
    scale = max(float(eigenvalues[-1]), 1.0)
    null = eigenvalues < ZERO_EIGENVALUE * scale
    if (~null & (eigenvalues < NONZERO_EIGENVALUE * scale)).any():
        raise SeparationError(
            "rep",
            expected="constraints that are clearly zero or clearly not",
            got=f"{field.name} and {irrep.name}",
            advice="Give the images in float64 to full precision.",
        )
    maps = np.tensordot(solutions[:, null].T, basis, axes=1)
    # The projections of the maps e_i e_0^T onto the solutions: they depend on the space alone, not on the eigensolver.
    spanning = maps[:, :, 0].T @ maps.reshape(len(maps), field.dim * irrep.dim)
    return _isometries(spanning, irrep, field.dim, len(maps) // len(commutant(irrep)))


def _by_average(field: Field, irrep: IrrepField) -> Array:
    """Isometries of a finite group: the maps ``mean_g rho(g) e_i (irrep(g) e_0)^T`` span the equivariant ones."""
    group = field.group
    elements = group.element_matrices()
    chunk = max(1, CHUNK // field.dim**2)
    averages = np.zeros((field.dim, field.dim * irrep.dim))
    norm = inner = 0.0
    for start in range(0, len(elements), chunk):
        part = elements[start : start + chunk]
        images, columns = field.matrices(part), irrep.matrices(part)
        characters = np.trace(columns, axis1=1, axis2=2)
        norm += float((characters**2).sum())
        inner += float((characters * np.trace(images, axis1=1, axis2=2)).sum())
        averages += (images.transpose(2, 1, 0).reshape(-1, len(part)) @ columns[:, :, 0]).reshape(field.dim, -1)
    multiplicity = inner / norm
    if abs(multiplicity - round(multiplicity)) > 1e-4:
        raise SeparationError(
            "rep",
            expected=f"a whole multiplicity of {irrep.name} in {field.name}",
            got=f"{multiplicity:.6f}",
            advice="Give the images in float64 to full precision.",
        )
    if round(multiplicity) == 0:
        return np.zeros((0, field.dim, irrep.dim))
    return _isometries(averages, irrep, field.dim, round(multiplicity))


def _isometries(spanning: Array, irrep: IrrepField, dim: int, multiplicity: int | None = None) -> Array:
    """Isometries T_1, T_2, ... with orthogonal images from maps that span Hom(irrep, field), shape (m, dim, irrep.dim).

    By Schur's lemma every equivariant map from an irrep is an isometry up to scale, and T_i composed with the
    commutant spans all maps onto the same copy. Rows are taken by falling size, in order among equals.
    """
    rest = spanning.copy()
    found: list[Array] = []
    scale = float(np.linalg.norm(rest, axis=1).max(initial=0.0))
    algebra = commutant(irrep)
    while len(rest):
        norms = np.linalg.norm(rest, axis=1)
        best = int(np.argmax(norms > norms.max() * (1 - 1e-6)))
        if len(found) == multiplicity or norms[best] < 1e-6 * scale or norms[best] == 0.0:
            break
        isometry = rest[best].reshape(dim, irrep.dim)
        for earlier in found:  # once more, against rounding
            for element in algebra:
                onto = earlier @ element
                isometry = isometry - (onto * isometry).sum() / irrep.dim * onto
        isometry = isometry * np.sqrt(irrep.dim) / np.linalg.norm(isometry)
        found.append(isometry)
        copies = (isometry @ algebra).reshape(len(algebra), -1)
        rest = rest - (rest @ copies.T) @ copies / irrep.dim
    return np.array(found).reshape(-1, dim, irrep.dim)
