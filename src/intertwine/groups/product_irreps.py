"""Irreps of direct products: their names, and how a product of two irreps splits over the reals."""

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from intertwine._numerics import Array
from intertwine.groups.subspaces import eigenspaces, ordered_basis
from intertwine.representations.intertwiners import commutant
from intertwine.representations.irrep_field import IrrepField


class PairLabel(NamedTuple):
    """``"first*second"`` or ``"first*second:part"``."""

    first: str
    second: str
    part: int | None


def split_label(text: str) -> list[PairLabel]:
    """The readings of ``"a*b"``, ``"a*b:0"``, ``"(a*b:0)*c"``: one a star outside of parentheses, with and without a part.

    Example:
        >>> split_label("1*2:0")
        [PairLabel(first='1', second='2:0', part=None), PairLabel(first='1', second='2', part=0)]
    """
    readings: list[tuple[str, int | None]] = [(text, None)]
    body, colon, part = text.rpartition(":")
    if colon and part.isdecimal() and part.isascii():
        readings.append((body, int(part)))
    pairs = []
    for reading, number in readings:
        depth = 0
        for i, character in enumerate(reading):
            depth += (character == "(") - (character == ")")
            if character == "*" and depth == 0:
                pairs.append(PairLabel(_bare(reading[:i]), _bare(reading[i + 1 :]), number))
    return pairs


def _bare(label: str) -> str:
    label = label.strip()
    return label[1:-1].strip() if label.startswith("(") and label.endswith(")") else label


@lru_cache(maxsize=256)
def part_bases(first: IrrepField, second: IrrepField) -> tuple[Array, ...]:
    """Orthonormal bases (dim_1 * dim_2, dim) of the unlike irreps in the outer product of two irreps, neither of real type.

    With commutants spanned by 1, J_a and 1, K_b (skew), the symmetric part of the product's commutant is spanned by 1
    and the ``J_a (x) K_b``; a generic element of it has one copy of an irrep as each eigenspace. Two complex types
    give two unlike irreps (of J (x) K = 1 and -1, the sum and the difference of frequencies); otherwise all
    eigenspaces are alike.
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
