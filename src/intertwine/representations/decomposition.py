"""Any representation of a compact group as a sum of named irreps, with the change of basis."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from intertwine._cache import cached
from intertwine._numerics import NONZERO_EIGENVALUE, ZERO_EIGENVALUE, Array, relative_distance
from intertwine.errors import ArgumentError, DtypeError, SeparationError, SizeLimitError
from intertwine.representations.changed_basis import ChangedBasisField
from intertwine.representations.field import Field
from intertwine.representations.intertwiners import commutant
from intertwine.representations.irrep_field import IrrepField
from intertwine.representations.orbits import Piece, field_pieces
from intertwine.representations.representation import Representation
from intertwine.representations.segment import Segment

MAX_DIM = 2000
# Elements x dim^2 that are held at once while a finite group is averaged over.
CHUNK = 8_000_000


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
        maps = _by_average(field, irrep) if group.is_finite else _by_constraints(field, irrep)
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
