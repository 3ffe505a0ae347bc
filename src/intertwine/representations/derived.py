"""Fields built from others: duals, tensor products, sums taken as one field, restrictions to a subgroup."""

from dataclasses import dataclass

import numpy as np

from intertwine._numerics import Array
from intertwine.representations.abstract_group import AbstractGroup
from intertwine.representations.embedding import Embedding
from intertwine.representations.field import Field
from intertwine.representations.irrep_field import named_irrep
from intertwine.representations.segment import Segment, block_matrices, block_permutations


def dual_field(field: Field) -> Field:
    """The field with matrices ``rho(g^-1)^T``: the field itself if it is real and orthogonal."""
    if isinstance(field, DualField):
        return field.field
    return field if field.is_orthogonal and not field.is_complex else DualField(field)


class WrappedField(Field):
    """A field of the size and kind of another, ``field``."""

    field: Field

    @property
    def dim(self) -> int:
        return self.field.dim

    @property
    def is_complex(self) -> bool:
        return self.field.is_complex

    @property
    def is_orthogonal(self) -> bool:
        return self.field.is_orthogonal


@dataclass(frozen=True)
class DualField(WrappedField):
    """``g -> rho(g^-1)^T``, on which ``W -> W rho_in(g)^-1`` makes the columns of a weight live."""

    field: Field

    @property
    def group(self) -> AbstractGroup:
        return self.field.group

    @property
    def name(self) -> str:
        return f"{self.field.name}*"

    def matrices(self, elements: Array) -> Array:
        return np.swapaxes(np.linalg.inv(self.field.matrices(elements)), -1, -2)

    def generator_images(self) -> Array:
        return np.swapaxes(np.linalg.inv(self.field.generator_images()), -1, -2)

    def algebra(self) -> Array:
        return -np.swapaxes(self.field.algebra(), -1, -2)


@dataclass(frozen=True)
class SumField(Field):
    """A direct sum ``m_1 F_1 + m_2 F_2 + ...`` taken as one field."""

    segments: tuple[Segment, ...]

    @property
    def group(self) -> AbstractGroup:
        return self.segments[0].field.group

    @property
    def dim(self) -> int:
        return sum(segment.dim for segment in self.segments)

    @property
    def name(self) -> str:
        return "(" + " + ".join(segment.name for segment in self.segments) + ")"

    @property
    def is_complex(self) -> bool:
        return any(segment.field.is_complex for segment in self.segments)

    @property
    def is_orthogonal(self) -> bool:
        return all(segment.field.is_orthogonal for segment in self.segments)

    def matrices(self, elements: Array) -> Array:
        return self._blocks([segment.field.matrices(elements) for segment in self.segments])

    def generator_images(self) -> Array:
        return self._blocks([segment.field.generator_images() for segment in self.segments])

    def algebra(self) -> Array:
        return self._blocks([segment.field.algebra() for segment in self.segments])

    def _blocks(self, blocks: list[Array]) -> Array:
        return block_matrices(self.segments, blocks, len(blocks[0]))

    def signed_permutations(self, elements: Array) -> tuple[Array, Array] | None:
        tables = [segment.field.signed_permutations(elements) for segment in self.segments]
        return block_permutations(self.segments, tables, len(elements))


@dataclass(frozen=True)
class TensorField(Field):
    """``rho_1(g) (x) rho_2(g)``; index ``i * dim_2 + j``, the Kronecker order."""

    first: Field
    second: Field

    @property
    def group(self) -> AbstractGroup:
        return self.first.group

    @property
    def dim(self) -> int:
        return self.first.dim * self.second.dim

    @property
    def name(self) -> str:
        return f"({self.first.name} x {self.second.name})"

    @property
    def is_complex(self) -> bool:
        return self.first.is_complex or self.second.is_complex

    @property
    def is_orthogonal(self) -> bool:
        return self.first.is_orthogonal and self.second.is_orthogonal

    def matrices(self, elements: Array) -> Array:
        return kron(self.first.matrices(elements), self.second.matrices(elements))

    def generator_images(self) -> Array:
        return kron(self.first.generator_images(), self.second.generator_images())

    def algebra(self) -> Array:
        first, second = self.first.algebra(), self.second.algebra()
        left = kron(first, np.broadcast_to(np.eye(self.second.dim), second.shape))
        return left + kron(np.broadcast_to(np.eye(self.first.dim), first.shape), second)

    def signed_permutations(self, elements: Array) -> tuple[Array, Array] | None:
        first, second = self.first.signed_permutations(elements), self.second.signed_permutations(elements)
        if first is None or second is None:
            return None
        images = first[0][:, :, None] * self.second.dim + second[0][:, None, :]
        signs = first[1][:, :, None] * second[1][:, None, :]
        return images.reshape(len(elements), self.dim), signs.reshape(len(elements), self.dim)


@dataclass(frozen=True)
class RestrictedField(WrappedField):
    """A field of a group, seen by a subgroup."""

    field: Field
    embedding: Embedding

    @property
    def group(self) -> AbstractGroup:
        return self.embedding.subgroup

    @property
    def name(self) -> str:
        return f"{self.field.group}:{self.field.name}"

    def matrices(self, elements: Array) -> Array:
        return self.field.matrices(self.embedding.elements(elements))

    def algebra(self) -> Array:
        return np.einsum("kj,jab->kab", self.embedding.algebra_coefficients(), self.field.algebra())

    def signed_permutations(self, elements: Array) -> tuple[Array, Array] | None:
        return self.field.signed_permutations(self.embedding.elements(elements))


def restricted_field(field: Field, embedding: Embedding) -> Field:
    """``field`` seen by the subgroup: by its own name where the restriction is an irrep in the same basis."""
    restricted = RestrictedField(field, embedding)
    return named_irrep(restricted) or restricted


def kron(a: Array, b: Array) -> Array:
    """Kronecker products of matrices (n, i, j) and (n, k, l), shape (n, ik, jl)."""
    n, p, q = len(a), a.shape[1] * b.shape[1], a.shape[2] * b.shape[2]
    return np.einsum("nij,nkl->nikjl", a, b).reshape(n, p, q)
