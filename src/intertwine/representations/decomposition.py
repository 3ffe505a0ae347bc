"""Any representation of a compact group as a sum of named irreps, with the change of basis."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from intertwine._cache import cached
from intertwine._numerics import Array, relative_distance
from intertwine.errors import ArgumentError, DtypeError, SeparationError, SizeLimitError
from intertwine.representations.changed_basis import ChangedBasisField
from intertwine.representations.field import Field
from intertwine.representations.irrep_field import IrrepField
from intertwine.representations.isometries import MAX_DIM, isometries
from intertwine.representations.orbits import Piece, field_pieces
from intertwine.representations.representation import Representation
from intertwine.representations.segment import Segment


@dataclass(frozen=True, eq=False, repr=False)
class Decomposition:
    """``rho(g) = Q rho_irreps(g) Q^T``, Q orthogonal.

    Attributes:
        rep: the representation that was decomposed.
        rep_irreps: the sum of named irreps, in the order of ``rep``'s segments.
        basis: Q, float64, shape (dim, dim); ``Q.T @ x`` are the features by irreps.

    Examples:
        >>> import intertwine as iw
        >>> split = iw.decompose(iw.Cyclic(4).regular())
        >>> split.rep_irreps, split.basis.shape
        (Representation(C4: 0 + 1 + 2), torch.Size([4, 4]))
    """

    rep: Representation
    rep_irreps: Representation
    basis: torch.Tensor

    @property
    def multiplicities(self) -> dict[str, int]:
        """How often each irrep occurs, over all segments."""
        total: dict[str, int] = {}
        for segment in self.rep_irreps.segments:
            total[segment.field.name] = total.get(segment.field.name, 0) + segment.mul
        return total

    def __repr__(self) -> str:
        return f"Decomposition({self.rep.group}: {self.rep} = {self.rep_irreps})"


def decompose(rep: Representation) -> Decomposition:
    """Write a representation as a sum of named irreps in another basis.

    Each distinct field F is decomposed once: its equivariant maps from each irrep are found (finite groups: by
    averaging over the group, with multiplicities from characters; others: as a null space of generator constraints),
    each scaled to an isometry T, and what commutes with the irrep is removed, so that the columns of all T are the
    basis Q.

    Args:
        rep: a real representation of a compact group, in any layout.

    Returns:
        ``rep.matrix(g) = basis @ rep_irreps.matrix(g) @ basis.T`` for every g.

    Raises:
        ArgumentError: not a representation, or of a group that is not compact.
        DtypeError: complex matrices.
        SizeLimitError: a field of more than 2000 dimensions, or too large a finite group.
        SeparationError: rounding hides which irreps occur, or some of them have no name.

    Source:
        Isotypic parts: Serre 1977, "Linear representations of finite groups", 2.6 and 2.7; real commutants, 13.2.

    Examples:
        >>> import intertwine as iw
        >>> iw.decompose(iw.Octahedral().grid(3, 3, 3)).multiplicities
        {'A1': 4, 'A2': 1, 'E': 2, 'T1': 3, 'T2': 3}
        >>> rep = iw.SO(3).irrep(1).tensor(iw.SO(3).irrep(1))
        >>> split = iw.decompose(rep)
        >>> split.rep_irreps, split.basis.shape
        (Representation(SO(3): 0 + 1 + 2), torch.Size([9, 9]))
    """
    if not isinstance(rep, Representation):
        raise ArgumentError("rep", expected="a Representation", got=repr(rep))
    if not rep.group.is_compact:
        raise ArgumentError(
            "rep",
            expected="a representation of a compact group",
            got=f"one of {rep.group}",
            advice="Representations of other groups need not split into irreps.",
        )
    if rep.is_complex:
        raise DtypeError(
            "rep",
            expected="a real representation",
            got="complex matrices",
            advice="Take real and imaginary parts as two real copies.",
        )
    segments: list[Segment] = []
    basis = np.zeros((rep.dim, rep.dim))
    column = 0
    for segment, rows in zip(rep.segments, rep.positions, strict=True):
        for label, maps in field_decomposition(segment.field):
            segments.append(Segment(segment.mul * len(maps), IrrepField(rep.group, label)))
            for copy in range(segment.mul):
                for isometry in maps:
                    basis[rows[copy], column : column + isometry.shape[1]] = isometry
                    column += isometry.shape[1]
    return Decomposition(rep, Representation(rep.group, tuple(segments)), torch.from_numpy(basis))


@cached(64)
def field_decomposition(field: Field) -> tuple[tuple[str, Array], ...]:
    """``(label, isometries)`` for each irrep in a field, the isometries of shape (multiplicity, field.dim, irrep.dim).

    Raises:
        SizeLimitError, SeparationError: as ``decompose``.
    """
    if field.irrep is not None:
        return ((field.irrep, np.eye(field.dim)[None]),)
    if isinstance(field, ChangedBasisField) and field.field.irrep is not None:
        return ((field.field.irrep, field.basis.array[None]),)
    if field.dim > MAX_DIM:
        raise SizeLimitError(
            "rep", expected=f"fields of at most {MAX_DIM} dimensions", got=f"{field.name} of {field.dim}"
        )
    pieces = field_pieces(field)
    if len(pieces) > 1:
        return _joined(field, pieces)
    group = field.group
    found: list[tuple[str, Array]] = []
    missing = field.dim
    for label in group.irrep_candidates(field.dim, field.algebra()):
        if group.irrep_dim(label) > missing:
            continue
        irrep = IrrepField(group, label)
        maps = isometries(field, irrep)
        if len(maps):
            found.append((label, maps))
            missing -= maps.shape[0] * maps.shape[2]
        if missing == 0:
            break
    basis = (
        np.concatenate([isometry for _, maps in found for isometry in maps], axis=1)
        if found
        else np.zeros((field.dim, 0))
    )
    defect = relative_distance(basis.T @ basis, np.eye(basis.shape[1]))
    if missing or defect > 1e-6:
        names = ", ".join(f"{len(maps)}x{label}" for label, maps in found) or "none"
        raise SeparationError(
            "rep",
            expected=f"irreps of {group} that fill the {field.dim} dimensions of {field.name}",
            got=f"{names}, {missing} dimensions short" if missing else f"{names}, orthogonal only to {defect:.1e}",
            advice="Give the images in float64 to full precision."
            if not missing
            else "The rest has no named irreps, or images are too imprecise.",
        )
    return tuple(found)


def _joined(field: Field, pieces: Sequence[Piece]) -> tuple[tuple[str, Array], ...]:
    """The decomposition of a field from those of its pieces, of which many are equal."""
    found: dict[str, list[Array]] = {}
    for where, piece in pieces:
        for label, maps in field_decomposition(piece):
            placed = np.zeros((len(maps), field.dim, maps.shape[2]))
            placed[:, where] = maps
            found.setdefault(label, []).append(placed)
    order = [*field.group.irrep_candidates(field.dim, field.algebra()), *found]
    return tuple((label, np.concatenate(found[label])) for label in dict.fromkeys(order) if label in found)
