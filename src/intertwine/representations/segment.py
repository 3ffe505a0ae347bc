"""Copies of a field on a run of features, and runs one after the other: where each number lies is said here alone."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch

from intertwine._arguments import check_instance, is_integer
from intertwine._numerics import Array
from intertwine.errors import ArgumentError
from intertwine.representations.field import Field

Layout = Literal["mul_ir", "ir_mul"]


@dataclass(frozen=True)
class Segment:
    """``mul`` copies of ``field``. Layout ``mul_ir`` stores copy after copy, ``ir_mul`` the copies innermost.

    ``dim`` is the number of features; ``copies_innermost`` says whether the copies of one number are neighbours.

    Examples:
        >>> import intertwine as iw
        >>> rep = iw.SO(3).irreps("8x0 + 4x1")
        >>> [(segment.mul, segment.field.name, segment.layout) for segment in rep.segments]
        [(8, '0', 'mul_ir'), (4, '1', 'mul_ir')]
    """

    mul: int
    field: Field
    layout: Layout = "mul_ir"
    dim: int = dataclasses.field(init=False, repr=False, compare=False)
    copies_innermost: bool = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not is_integer(int(self.mul) if isinstance(self.mul, np.integer) else self.mul):
            raise ArgumentError(
                "mul", expected="how many copies, an integer from 0 to 2^31 - 1", got=repr(self.mul)[:80]
            )
        check_instance("field", self.field, Field, "a field, as rep.segments[0].field is")
        if not isinstance(self.layout, str) or self.layout not in ("mul_ir", "ir_mul"):
            raise ArgumentError("layout", expected="'mul_ir' or 'ir_mul'", got=repr(self.layout)[:80])
        object.__setattr__(self, "dim", self.mul * self.field.dim)
        object.__setattr__(self, "copies_innermost", self.layout == "ir_mul")

    @property
    def name(self) -> str:
        """As in ``"8x1o"``; the copy count is left out if it is one."""
        text = self.field.name if self.mul == 1 else f"{self.mul}x{self.field.name}"
        return text if self.layout == "mul_ir" or 1 in (self.mul, self.field.dim) else f"{text} (ir_mul)"

    @property
    def positions(self) -> Array:
        """Where the numbers of each copy lie among the segment's features, shape (mul, field.dim).

        Examples:
            >>> import intertwine as iw
            >>> vector = iw.SO(2).irrep(1).as_field()
            >>> Segment(3, vector).positions.tolist(), Segment(3, vector, "ir_mul").positions.tolist()
            ([[0, 1], [2, 3], [4, 5]], [[0, 3], [1, 4], [2, 5]])
        """
        index = np.arange(self.dim)
        if self.copies_innermost:
            return index.reshape(self.field.dim, self.mul).T
        return index.reshape(self.mul, self.field.dim)

    def split(self, x: torch.Tensor) -> torch.Tensor:
        """The last axis of ``x``, of ``dim`` features, as copies: a view (..., mul, field.dim)."""
        if self.copies_innermost:
            return x.unflatten(-1, (self.field.dim, self.mul)).transpose(-1, -2)
        return x.unflatten(-1, (self.mul, self.field.dim))

    def join(self, copies: torch.Tensor) -> torch.Tensor:
        """Inverse of ``split``: (..., mul, n) as features (..., mul * n) in the segment's layout."""
        return (copies.transpose(-1, -2) if self.copies_innermost else copies).flatten(-2)


def merged(segments: Sequence[Segment]) -> tuple[Segment, ...]:
    """The same features with adjacent copies of one field as one segment, so that equal sums are equal values."""
    out: list[Segment] = []
    for segment in segments:
        if segment.dim == 0:
            continue
        one_layout = segment.field.dim == 1 or segment.mul == 1
        plain = replace(segment, layout="mul_ir") if one_layout else segment
        last = out[-1] if out else None
        if last is not None and last.field == plain.field and last.layout == plain.layout == "mul_ir":
            out[-1] = replace(last, mul=last.mul + plain.mul)
        else:
            out.append(plain)
    return tuple(out)


def positions(segments: Sequence[Segment]) -> tuple[Array, ...]:
    """``Segment.positions`` of each among the features of all, one after the other."""
    starts = np.cumsum([0, *(segment.dim for segment in segments)])
    return tuple(start + segment.positions for start, segment in zip(starts[:-1], segments, strict=True))


def block_matrices(segments: Sequence[Segment], blocks: Sequence[Array], count: int) -> Array:
    """Matrices of a direct sum, shape (count, dim, dim), from those of each segment's field, (count, d, d)."""
    dim = sum(segment.dim for segment in segments)
    out = np.zeros((count, dim, dim), dtype=np.result_type(np.float64, *blocks))
    for where, block in zip(positions(segments), blocks, strict=True):
        out[:, where[:, :, None], where[:, None, :]] = block[:, None]
    return out


def block_permutations(
    segments: Sequence[Segment], tables: Sequence[tuple[Array, Array] | None], count: int
) -> tuple[Array, Array] | None:
    """``(images, signs)`` of a direct sum, (count, dim) each, from those of each segment's field; None if one is None.

    Args:
        segments: the summands.
        tables: ``(images, signs)`` of each field, shape (count, d) each.
        count: how many elements.
    """
    dim = sum(segment.dim for segment in segments)
    images, signs = np.zeros((count, dim), dtype=np.int64), np.ones((count, dim), dtype=np.int64)
    for where, table in zip(positions(segments), tables, strict=True):
        if table is None:
            return None
        images[:, where] = where.T[table[0]].swapaxes(1, 2)
        signs[:, where] = table[1][:, None]
    return images, signs
