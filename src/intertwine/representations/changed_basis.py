"""A field seen in another orthonormal basis, as other libraries choose theirs."""

from dataclasses import dataclass

import numpy as np

from intertwine._numerics import INPUT_TOLERANCE, Array, nullspace, relative_distance
from intertwine.errors import NotARepresentationError, NotOrthogonalError, ShapeError
from intertwine.representations.abstract_group import AbstractGroup, orthogonality_defect
from intertwine.representations.derived import SumField, WrappedField
from intertwine.representations.field import Field, block_permutation
from intertwine.representations.frozen_array import FrozenArray
from intertwine.representations.segment import Segment, merged

# A change of basis that was found in floating point is believed when it reproduces the matrices this well.
VERIFIED = 1e-9


@dataclass(frozen=True)
class ChangedBasisField(WrappedField):
    """``g -> Q rho(g) Q^T`` for an orthogonal Q, the field ``rho`` in another basis; build it with ``changed_basis``.

    Args:
        field: the field rho.
        basis: Q, shape (dim, dim).
        label: how the field prints.
    """

    field: Field
    basis: FrozenArray
    label: str

    @property
    def group(self) -> AbstractGroup:
        return self.field.group

    @property
    def name(self) -> str:
        return self.label

    @property
    def irreducible(self) -> str | None:
        return self.field.irreducible

    def matrices(self, elements: Array) -> Array:
        return self._turned(self.field.matrices(elements))

    def generator_images(self) -> Array:
        return self._turned(self.field.generator_images())

    def algebra(self) -> Array:
        return self._turned(self.field.algebra())

    def _turned(self, matrices: Array) -> Array:
        Q = self.basis.array
        return Q @ matrices @ Q.T

    def signed_permutations(self, elements: Array) -> tuple[Array, Array] | None:
        # Turned back, entries of a permutation are integers only to rounding, which block_permutation allows for.
        return block_permutation(self.matrices(elements))


def changed_basis(field: Field, Q: Array, label: str) -> Field:
    """``Q rho Q^T``; the field itself where Q commutes with it, so that equal matrices are one field.

    Args:
        field: the field rho.
        Q: orthogonal matrix, shape (dim, dim).
        label: how the result prints.

    Raises:
        ShapeError: Q does not fit the field.
        NotOrthogonalError: Q is not orthogonal.
    """
    if Q.shape != (field.dim, field.dim):
        raise ShapeError("Q", expected=f"shape ({field.dim}, {field.dim}), as {field.name} has", got=f"shape {Q.shape}")
    defect = orthogonality_defect(Q[None])
    if defect > INPUT_TOLERANCE:
        raise NotOrthogonalError("Q", expected="an orthogonal matrix", got=f"|Q^T Q - 1| = {defect:.1e}")
    turned = ChangedBasisField(field, FrozenArray.of(Q), label)
    images = np.concatenate([field.generator_images(), field.algebra()])
    same = np.abs(np.concatenate([turned.generator_images(), turned.algebra()]) - images).max(initial=0.0) < 1e-12
    return field if same else turned


def irreps_field(fields: tuple[Field, ...]) -> Field:
    """The direct sum of ``fields`` taken as one, like neighbours counted."""
    if len(fields) == 1:
        return fields[0]
    return SumField(merged([Segment(1, field) for field in fields]))


def matching_basis(ours: Array, theirs: Array, what: str) -> Array:
    """The orthogonal Q with ``theirs = Q ours Q^T`` for an irrep given twice, the nearest to 1 where there is a choice.

    Args:
        ours, theirs: matrices at the same elements, which generate the group, shape (n, dim, dim) each.
        what: what to call theirs in an error.

    Raises:
        NotARepresentationError: there is none to 1e-9.
    """
    Q = _candidate(ours, theirs, what) if theirs.shape == ours.shape else np.zeros_like(ours[0])
    if orthogonality_defect(Q[None]) > VERIFIED or relative_distance(Q @ ours, theirs @ Q) > VERIFIED:
        raise NotARepresentationError(
            what,
            expected=f"a change of basis to our irrep of dimension {ours.shape[-1]}, to {VERIFIED:g}",
            got="none",
            advice="Give the matrices by hand: G.representation(images, lie_images).",
        )
    return Q


def _candidate(ours: Array, theirs: Array, what: str) -> Array:
    """A solution of ``Q ours = theirs Q`` of norm sqrt(dim): orthogonal if the two are one irrep."""
    dim = ours.shape[-1]
    # Row-major vec(Q): Q A = B Q is (1 (x) A^T - B (x) 1) vec(Q) = 0.
    rows = [np.kron(np.eye(dim), a.T) - np.kron(b, np.eye(dim)) for a, b in zip(ours, theirs, strict=True)]
    space = nullspace(np.concatenate(rows), what)
    # The component of the identity, if any: for irreps of complex type the solutions are a plane.
    vector = space @ (space.T @ np.eye(dim).reshape(-1))
    if np.linalg.norm(vector) < 1e-6 and space.shape[1]:
        vector = space[:, 0] * np.sign(space[int(np.abs(space[:, 0]).argmax()), 0])
    return snapped(vector.reshape(dim, dim) / max(float(np.linalg.norm(vector)), 1e-300) * np.sqrt(dim))


def snapped(matrices: Array) -> Array:
    """Exact integers where rounding missed them (a cosine of 6e-17), so that equal fields are equal values."""
    nearest = np.rint(matrices)
    return np.where(np.abs(matrices - nearest) < 1e-12, nearest, matrices)
