"""Irreps of direct products: their names, and how a product of two irreps splits over the reals."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from intertwine._cache import cached
from intertwine._numerics import Array
from intertwine.errors import UnknownNameError
from intertwine.groups.irreps.subspaces import eigenspaces, ordered_basis
from intertwine.representations.abstract_group import AbstractGroup
from intertwine.representations.derived import kron
from intertwine.representations.intertwiners import commutant
from intertwine.representations.irrep_field import IrrepField


@dataclass(frozen=True)
class PairIrrep:
    """The outer product of irreps of two groups, ``rho_1(g) (x) rho_2(h)``, or one irreducible part of it.

    Args:
        first: an irrep of the first group.
        second: an irrep of the second group.
        part: which part of the product, if that is reducible over the reals; None if it is irreducible.
    """

    first: IrrepField
    second: IrrepField
    part: int | None

    @property
    def label(self) -> str:
        """``"a*b"`` or ``"a*b:part"``; labels that have a star themselves stand in parentheses."""
        both = "*".join(f"({label})" if "*" in label else label for label in (self.first.label, self.second.label))
        return both if self.part is None else f"{both}:{self.part}"

    @property
    def types(self) -> tuple[int, int]:
        """Dimensions of the commutants of both irreps."""
        first, second = (irrep.group.commutant_dim(irrep.label) for irrep in (self.first, self.second))
        return first, second

    @property
    def part_count(self) -> int:
        """Into how many unlike irreps the product splits; 0 if it is irreducible."""
        return 0 if 1 in self.types else 2 if self.types == (2, 2) else 1

    @property
    def commutant_dim(self) -> int:
        """1, 2 or 4: R x D = D, C x C = C + C, C x H = 2 x 2 matrices over C, H x H = 4 x 4 matrices over R."""
        return max(self.types) if self.part is None else 1 if self.types == (4, 4) else 2

    @property
    def basis(self) -> Array | None:
        """Orthonormal basis of the part, shape (dim_1 * dim_2, dim); None for the whole product."""
        return None if self.part is None else part_bases(self.first, self.second)[self.part]

    @property
    def dim(self) -> int:
        """Dimension of the irrep."""
        return self.first.dim * self.second.dim if self.basis is None else int(self.basis.shape[1])

    def matrices(self, left: Array, right: Array) -> Array:
        """Matrices at pairs of elements, shape (n, dim, dim)."""
        return self._cut(kron(self.first.matrices(left), self.second.matrices(right)))

    def algebra(self) -> Array:
        """Images of both Lie algebra bases, the first group's first, shape (k, dim, dim)."""
        left, right = self.first.algebra(), self.second.algebra()
        d1, d2 = self.first.dim, self.second.dim
        first = kron(left, np.broadcast_to(np.eye(d2), (len(left), d2, d2)))
        second = kron(np.broadcast_to(np.eye(d1), (len(right), d1, d1)), right)
        return self._cut(np.concatenate([first, second]))

    def _cut(self, matrices: Array) -> Array:
        return matrices if self.basis is None else np.asarray(self.basis.T @ matrices @ self.basis)


def pairs_of(first: IrrepField, second: IrrepField) -> list[PairIrrep]:
    """The unlike irreps in the outer product of two irreps."""
    whole = PairIrrep(first, second, None)
    return [whole] if whole.part_count == 0 else [PairIrrep(first, second, part) for part in range(whole.part_count)]


@lru_cache(maxsize=1024)
def find_pair(product: AbstractGroup, first: AbstractGroup, second: AbstractGroup, name: str) -> PairIrrep:
    """The irrep ``name`` of ``product``, the direct product of ``first`` and ``second``.

    Raises:
        UnknownNameError: there is none of that name.
    """
    for a, b, part in split_label(name):
        try:
            pair = PairIrrep(IrrepField(first, first.irrep_label(a)), IrrepField(second, second.irrep_label(b)), part)
        except UnknownNameError:
            continue
        if (part is None and pair.part_count == 0) or (part is not None and part < pair.part_count):
            return pair
        if part is None:
            raise UnknownNameError(
                "label",
                expected=f"an irrep of {product}, such as '{pair.label}:0'",
                got=repr(name),
                advice="The product of two irreps of complex or quaternionic type is reducible over the reals.",
            )
    example = f"{first.trivial_label}*{second.trivial_label}"
    raise UnknownNameError(
        "label",
        expected=f"an irrep of {product}, 'a*b' with a of {first} and b of {second}, such as '{example}'",
        got=repr(name),
    )


def split_label(text: str) -> list[tuple[str, str, int | None]]:
    """The readings of ``"a*b"``, ``"a*b:0"``, ``"(a*b:0)*c"`` as (a, b, part), cut at each star outside of parentheses.

    Examples:
        >>> split_label("1*2:0")
        [('1', '2:0', None), ('1', '2', 0)]
    """
    readings: list[tuple[str, int | None]] = [(text, None)]
    body, colon, part = text.rpartition(":")
    if colon and part in ("0", "1"):
        readings.append((body, int(part)))
    pairs = []
    for reading, number in readings:
        depth = 0
        for i, character in enumerate(reading):
            depth += (character == "(") - (character == ")")
            if character == "*" and depth == 0:
                pairs.append((_bare(reading[:i]), _bare(reading[i + 1 :]), number))
    return pairs


def _bare(label: str) -> str:
    label = label.strip()
    return label[1:-1].strip() if label.startswith("(") and label.endswith(")") else label


@cached(256)
def part_bases(first: IrrepField, second: IrrepField) -> tuple[Array, ...]:
    """Orthonormal bases (dim_1 * dim_2, dim) of the unlike irreps in the outer product of irreps that are not real.

    With commutants spanned by 1, J_a and 1, K_b (skew), the symmetric part of the product's commutant is spanned by 1
    and the ``J_a (x) K_b``; a generic element of it has one copy of an irrep as each eigenspace. Two complex types give
    two unlike irreps (of J (x) K = 1 and -1: the difference and the sum of frequencies); else all are alike.
    """
    left, right = (_oriented(commutant(field)[1:]) for field in (first, second))
    # Any weights of unlike singular values will do.
    weights = 1.0 / np.arange(1, 1 + len(left) * len(right)).reshape(len(left), len(right)) ** 2
    mixed = sum(weights[a, b] * np.kron(left[a], right[b]) for a in range(len(left)) for b in range(len(right)))
    spaces = eigenspaces(np.asarray(mixed + np.transpose(mixed)) / 2)
    kept = spaces if len(left) == len(right) == 1 else spaces[:1]
    return tuple(ordered_basis(space @ space.T, space.shape[1]) for space in kept)


def _oriented(skew: Array) -> Array:
    """Each matrix with the sign that makes its first non-zero entry positive."""
    flat = skew.reshape(len(skew), -1)
    first = flat[np.arange(len(flat)), (np.abs(flat) > 1e-6).argmax(axis=1)]
    return skew * np.sign(first)[:, None, None]
