"""A representation: an ordered direct sum of fields with multiplicities, as a frozen value."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from operator import is_
from typing import TYPE_CHECKING, cast

import numpy as np
import torch

from intertwine._arguments import check_dense
from intertwine._numerics import Array, accumulation_dtype, in_own_precision
from intertwine.errors import ArgumentError, DtypeError, GroupMismatchError, ShapeError
from intertwine.representations.abstract_group import AbstractGroup, as_elements
from intertwine.representations.derived import SumField, TensorField, dual_field, restricted_field
from intertwine.representations.embedding import embed
from intertwine.representations.field import Field
from intertwine.representations.segment import Segment, block_matrices, block_permutations, merged, positions

if TYPE_CHECKING:  # a representation's group makes representations, so the two know each other, in annotations alone
    from intertwine.groups.group import Group


@dataclass(frozen=True, repr=False)
class Representation:
    """How a group acts on a feature vector: a homomorphism ``rho(gh) = rho(g) rho(h)``.

    It is a sum ``rho = m_1 F_1 + m_2 F_2 + ...`` of fields F_i with multiplicities m_i.

    Made by a group (``G.regular()``, ``G.irreps("8x0 + 4x1")``) and combined with ``+`` and ``*``; sums keep their
    order and features are stored multiplicity-major (copy after copy), as in e3nn.

    Args:
        group: the group that acts.
        segments: the summands, in the order of the features.

    Attributes:
        dim: number of features.
        slices: where each segment's features lie.
        is_complex: whether some matrices are complex, so that features and weights must be.

    Source:
        The layout of features is that of e3nn: Geiger and Smidt 2022, arXiv 2207.09453.

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Cyclic(4)
        >>> rep = 2 * G.regular() + G.trivial()
        >>> rep, rep.dim
        (Representation(C4: 2xregular + 0), 9)
        >>> (rep.matrix(G.generators[0]) @ rep.matrix(G.generators[0])).equal(
        ...     rep.matrix(G.generators[0] @ G.generators[0])
        ... )
        True
    """

    group: "Group"
    segments: tuple[Segment, ...]
    dim: int = field(init=False, repr=False, compare=False)
    slices: tuple[slice, ...] = field(init=False, repr=False, compare=False)
    is_complex: bool = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # By what it has: a group that wraps another need not inherit.
        if isinstance(self.group, type) or not hasattr(self.group, "generator_matrices"):
            raise ArgumentError("group", expected="a group, such as Cyclic(4)", got=repr(self.group)[:80])
        if not isinstance(self.segments, tuple | list) or not all(isinstance(s, Segment) for s in self.segments):
            raise ArgumentError("segments", expected="a tuple of Segments", got=repr(self.segments)[:80])
        for segment in self.segments:
            if segment.field.group != self.group:
                raise GroupMismatchError(
                    "segments", expected=f"fields of {self.group}", got=f"{segment.field.name} of {segment.field.group}"
                )
        segments, start, slices, is_complex = merged(self.segments), 0, [], False
        for segment in segments:
            slices.append(slice(start, start + segment.dim))
            start += segment.dim
            is_complex = is_complex or segment.field.is_complex
        object.__setattr__(self, "segments", segments)
        # What every layer and projector asks for, again and again.
        object.__setattr__(self, "dim", start)
        object.__setattr__(self, "slices", tuple(slices))
        object.__setattr__(self, "is_complex", is_complex)

    @classmethod
    def of(cls, first: Field | Segment, *others: Field | Segment) -> "Representation":
        """The sum of fields, one copy each, and of segments.

        Examples:
            >>> import intertwine as iw
            >>> whole = iw.Cyclic(4).irreps("2x0 + 1").as_field()
            >>> iw.Representation.of(whole), iw.Representation.of(whole, iw.Segment(2, whole)).dim
            (Representation(C4: (2x0 + 1)), 12)
        """
        segments = tuple(part if isinstance(part, Segment) else Segment(1, part) for part in (first, *others))
        return cls(cast("Group", segments[0].field.group), segments)

    @property
    def is_permutation(self) -> bool:
        """Whether the group permutes the basis without signs, so that pointwise functions are equivariant."""
        tables = [segment.field.generator_permutations() for segment in self.segments]
        return all(table is not None and bool((table[1] == 1).all()) for table in tables)

    @property
    def positions(self) -> tuple[Array, ...]:
        """Where the numbers of each copy lie among the features, one array (mul, field.dim) a segment."""
        return positions(self.segments)

    def split(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Features (..., dim) as copies of fields: one view (..., mul, field.dim) a segment, whatever its layout."""
        parts = x.split([segment.dim for segment in self.segments], dim=-1)
        return [segment.split(part) for segment, part in zip(self.segments, parts, strict=True)]

    def join(self, parts: Sequence[torch.Tensor]) -> torch.Tensor:
        """Inverse of ``split``."""
        return torch.cat([segment.join(part) for segment, part in zip(self.segments, parts, strict=True)], dim=-1)

    # -- the action -------------------------------------------------------------------------------

    def matrix(self, g: object) -> torch.Tensor:
        """``rho(g)``.

        Args:
            g: an element, shape (d, d), or a batch of them, shape (n, d, d), as ``G.elements()`` and ``G.sample(n)``
                give.

        Returns:
            float64 (complex128), shape (dim, dim), or (n, dim, dim) for a batch.

        Raises:
            GroupMismatchError: not an element of the group.
        """
        elements, batched = as_elements(self.group, g)
        blocks = [segment.field.matrices(elements) for segment in self.segments]
        result = torch.from_numpy(block_matrices(self.segments, blocks, len(elements)))
        return result if batched else result[0]

    @in_own_precision
    def act(self, g: object, x: torch.Tensor) -> torch.Tensor:
        """``rho(g) x`` on the last axis of ``x``, without building the whole matrix; half precision in float32.

        Args:
            g: one element, shape (d, d).
            x: shape (..., dim), any floating dtype and device.

        Raises:
            ShapeError: the last axis is not ``dim`` long, or ``g`` is a batch.
            DtypeError: a complex representation acts on real features.
        """
        if not isinstance(x, torch.Tensor) or x.is_nested or x.ndim == 0 or x.shape[-1] != self.dim:
            dense = isinstance(x, torch.Tensor) and not x.is_nested
            got = f"shape {tuple(x.shape)}" if dense else type(x).__name__
            raise ShapeError("x", expected=f"a tensor of shape (..., {self.dim})", got=got)
        check_dense("x", x)
        if not (x.is_floating_point() or x.is_complex()) or (self.is_complex and not x.is_complex()):
            raise DtypeError(
                "x", expected="complex features" if self.is_complex else "floating-point features", got=str(x.dtype)
            )
        elements, batched = as_elements(self.group, g)
        if batched:
            raise ShapeError(
                "g",
                expected="one element",
                got=f"a batch of {len(elements)}",
                advice="Loop over the batch, or use matrix(g).",
            )
        # Half precision would round the matrix itself; in float32 the action is as exact as the features.
        wide = x.to(accumulation_dtype(x.dtype))
        parts = []
        for segment, copies in zip(self.segments, self.split(wide), strict=True):
            image = torch.from_numpy(np.ascontiguousarray(segment.field.matrices(elements)[0]))
            parts.append(copies @ image.to(wide.device, wide.dtype).T)
        return self.join(parts).to(x.dtype) if parts else x.clone()

    def signed_permutations(self, elements: Array) -> tuple[Array, Array] | None:
        """``(images, signs)``, (n, dim) each, at ``elements`` (n, d, d), as ``Field.signed_permutations`` has them."""
        tables = [segment.field.signed_permutations(elements) for segment in self.segments]
        return block_permutations(self.segments, tables, len(elements))

    def generator_permutations(self) -> tuple[Array, Array] | None:
        """Images and signs of the discrete generators, (m, dim) each; None if they permute no basis.

        Examples:
            >>> import intertwine as iw
            >>> iw.Cyclic(2).irreps("2x0 + 1").generator_permutations()
            (array([[0, 1, 2]]), array([[ 1,  1, -1]]))
        """
        tables = [segment.field.generator_permutations() for segment in self.segments]
        return block_permutations(self.segments, tables, len(self.group.generator_matrices()))

    def character(self, g: object) -> torch.Tensor:
        """``trace rho(g)``: a scalar for one element, shape (n,) for a batch."""
        elements, batched = as_elements(self.group, g)
        total = self.character_values(elements)
        result = torch.from_numpy(np.asarray(total))
        return result if batched else result[0]

    def character_values(self, elements: Array) -> Array:
        """Characters at ``elements`` (n, d, d), shape (n,)."""
        total = np.zeros(len(elements), dtype=complex if self.is_complex else float)
        for segment in self.segments:
            total = total + segment.mul * np.trace(segment.field.matrices(elements), axis1=-2, axis2=-1)
        return total

    # -- algebra ----------------------------------------------------------------------------------

    def direct_sum(self, other: "Representation") -> "Representation":
        """``self + other``: the features of ``other`` after those of ``self``."""
        self._same_group(other)
        return Representation(self.group, self.segments + other.segments)

    def __add__(self, other: object) -> "Representation":
        return self.direct_sum(other) if isinstance(other, Representation) else NotImplemented

    def __mul__(self, n: object) -> "Representation":
        if not isinstance(n, int) or isinstance(n, bool):
            return NotImplemented
        if n < 0:
            raise ArgumentError("n", expected="a multiplicity >= 0", got=n)
        if len(self.segments) == 1 and self.segments[0].layout == "mul_ir":
            return Representation(self.group, (replace(self.segments[0], mul=n * self.segments[0].mul),))
        return Representation(self.group, self.segments * n)

    __rmul__ = __mul__

    def tensor(self, other: "Representation") -> "Representation":
        """``rho_1(g) (x) rho_2(g)`` on features ``x_i y_j`` in Kronecker order, index ``i * other.dim + j``."""
        self._same_group(other)
        if self.dim == 0 or other.dim == 0:
            return Representation(self.group, ())
        second = other.as_field()
        if all(segment.layout == "mul_ir" for segment in self.segments):
            return Representation(
                self.group, tuple(Segment(s.mul, TensorField(s.field, second)) for s in self.segments)
            )
        return Representation(self.group, (Segment(1, TensorField(self.as_field(), second)),))

    def dual(self) -> "Representation":
        """``rho(g^-1)^T``; the same value if the matrices are real and orthogonal."""
        fields = [segment.field for segment in self.segments]
        duals = list(map(dual_field, fields))
        if all(map(is_, duals, fields)):
            return self
        return Representation(
            self.group, tuple(replace(s, field=dual) for s, dual in zip(self.segments, duals, strict=True))
        )

    def restrict(self, subgroup: "Group", *, axis: str | None = None) -> "Representation":
        """The same matrices, seen by a subgroup.

        Args:
            subgroup: a group whose elements lie in this one, as Cyclic(4) in SO(2) or Octahedral() in SO(3).
            axis: ``"x"``, ``"y"`` or ``"z"`` to restrict from three dimensions to plane rotations about that axis.

        Raises:
            GroupMismatchError: not a subgroup.
            ArgumentError: the axis is missing or out of place.

        Examples:
            >>> import intertwine as iw
            >>> iw.SO(2).irreps("2x0 + 1").restrict(iw.Cyclic(4))
            Representation(C4: 2x0 + 1)
        """
        if isinstance(subgroup, AbstractGroup) and subgroup == self.group and axis is None:
            return self
        embedding = embed(subgroup, self.group, axis)
        return Representation(
            subgroup, tuple(replace(s, field=restricted_field(s.field, embedding)) for s in self.segments)
        )

    def as_field(self) -> Field:
        """The whole representation as one field, for constructions that take it as a unit."""
        if len(self.segments) == 1 and self.segments[0].mul == 1:
            return self.segments[0].field
        return SumField(self.segments)

    def _same_group(self, other: object) -> None:
        if not isinstance(other, Representation):
            raise ArgumentError("other", expected="a Representation", got=type(other).__name__)
        if other.group != self.group:
            raise GroupMismatchError(
                "other",
                expected=f"a representation of {self.group}",
                got=f"one of {other.group}",
                advice="Use restrict(H) to bring both to a common subgroup.",
            )

    def __str__(self) -> str:
        return " + ".join(segment.name for segment in self.segments) or "0-dimensional"

    def __repr__(self) -> str:
        return f"Representation({self.group}: {self})"
