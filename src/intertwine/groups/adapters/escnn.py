"""escnn's field types and representations as ours: the same matrices, of the group that the fibre group stands for."""

from typing import Any

import numpy as np

from intertwine._numerics import Array, relative_distance
from intertwine.errors import NotARepresentationError, NotOrthogonalError
from intertwine.groups.adapters.escnn_groups import Counterpart, counterpart, probes
from intertwine.groups.group import Group
from intertwine.groups.o2 import O2
from intertwine.groups.o3 import O3
from intertwine.representations import Field, Representation, Segment
from intertwine.representations.abstract_group import orthogonality_defect
from intertwine.representations.changed_basis import VERIFIED, changed_basis, irreps_field, matching_basis, snapped
from intertwine.representations.field import block_permutation
from intertwine.representations.image_field import image_field
from intertwine.representations.irrep_field import IrrepField, named_irrep


def is_escnn(value: Any) -> bool:
    """Whether ``value`` looks like an escnn FieldType or Representation."""
    if hasattr(value, "representations") and (hasattr(value, "gspace") or hasattr(value, "fibergroup")):
        return True
    return all(hasattr(value, name) for name in ("group", "irreps", "change_of_basis", "size")) and callable(value)


def escnn_representation(value: Any, argument: str) -> Representation:
    """An escnn FieldType or Representation, matrix by matrix.

    Elements are matched by how they move the base space of the FieldType, so that a mirror of ours moves the pixels as
    escnn's does whatever axis its GSpace has; without a base space, or where it has another dimension than our group's
    matrices (plane groups in space), by escnn's standard matrices, those of both factors for a direct product. Finite
    groups are carried over by the images of our generators; on Lie groups a field is escnn's change of basis times
    ours times named irreps, checked to 1e-9.

    Raises:
        ArgumentError: a fibre group that has no counterpart here.
        NotOrthogonalError: escnn's change of basis is not orthogonal.
        NotARepresentationError: escnn's matrices are not what its irreps and change of basis say.
    """
    if hasattr(value, "representations"):
        space: Any = getattr(value, "gspace", None)
        fibre = value.fibergroup if hasattr(value, "fibergroup") else space.fibergroup
        pieces, base = list(value.representations), getattr(space, "basespace_action", None)
    else:
        fibre, pieces, base = value.group, [value], None
    ours = counterpart(fibre, base, argument)
    # A field type repeats few representations many times; each is read once, by id, as the list keeps them alive.
    read: dict[int, tuple[Segment, ...]] = {}
    segments: list[Segment] = []
    for piece in pieces:
        if id(piece) not in read:
            read[id(piece)] = tuple(Segment(1, field) for field in _fields(ours, fibre, piece, argument))
            _verify(Representation(ours.group, read[id(piece)]), ours, piece, argument)
        segments.extend(read[id(piece)])
    return Representation(ours.group, tuple(segments))


def _fields(ours: Counterpart, fibre: Any, piece: Any, argument: str) -> tuple[Field, ...]:
    """An escnn representation as fields of our group, one after the other."""
    name, basis = str(getattr(piece, "name", "a representation")), _dense(piece.change_of_basis)
    ids = [tuple(i) if isinstance(i, tuple | list) else (i,) for i in piece.irreps]
    if orthogonality_defect(basis[None]) > VERIFIED:
        raise NotOrthogonalError(
            argument,
            expected="an orthogonal change of basis",
            got=f"|Q^T Q - 1| = {orthogonality_defect(basis[None]):.1e} in {name}",
            advice="Build the representation in an orthonormal basis.",
        )
    if len(ids) > 1 and np.array_equal(basis, np.eye(len(basis))):
        # A plain direct sum: one field an irrep, so that Schur's lemma applies to each.
        cut = {i: _fields(ours, fibre, fibre.irrep(*i), argument) for i in dict.fromkeys(ids)}
        return tuple(field for i in ids for field in cut[i])
    if ours.group.is_finite:
        return _finite_fields(ours, piece)
    return _lie_fields(ours, fibre, piece, ids, basis, argument)


def _dense(matrix: Any) -> Array:
    return np.asarray(matrix.todense() if hasattr(matrix, "todense") else matrix, dtype=np.float64)


def _finite_fields(ours: Counterpart, piece: Any) -> tuple[Field, ...]:
    """The field with escnn's matrices at our generators: a named irrep, a permutation, or the images themselves."""
    group = ours.group
    generators = group.generator_matrices()
    images = np.array([np.asarray(piece(ours.locate(g)), dtype=np.float64) for g in generators])
    images = snapped(images.reshape(len(generators), piece.size, piece.size))
    if not len(generators):
        return (IrrepField(group, group.trivial_label),) * piece.size
    label = str(getattr(piece, "name", "escnn"))
    field: Field = image_field(group, images, np.zeros((0, piece.size, piece.size)), label)
    irrep = named_irrep(field)
    if irrep is not None:
        return (irrep,)
    permuted = block_permutation(images)
    if permuted is None:
        return (field,)
    signs = None if (permuted[1] == 1).all() else permuted[1]
    renamed = group.permutation(permuted[0], signs=signs).segments[0].field
    regular = group.regular().segments[0].field if piece.size == group.order else renamed
    return (regular if np.array_equal(regular.generator_images(), images) else renamed,)


def _lie_fields(
    ours: Counterpart, fibre: Any, piece: Any, ids: list[tuple[int, ...]], basis: Array, argument: str
) -> tuple[Field, ...]:
    """Our named irreps where the matrices are theirs; else one field: escnn's change of basis, ours, the irreps."""
    group = ours.group
    matrices = probes(group)
    located = [ours.locate(m) for m in matrices]
    irreps: dict[tuple[int, ...], tuple[Field, Array]] = {}
    for i in dict.fromkeys(ids):
        irrep = IrrepField(group, _lie_label(group, i))
        theirs = np.array([np.asarray(fibre.irrep(*i)(g), dtype=np.float64) for g in located])
        irreps[i] = irrep, matching_basis(irrep.matrices(matrices), theirs, f"{argument}: irrep {i} of {fibre.name}")
    fields = tuple(irreps[i][0] for i in ids)
    named = Representation(group, tuple(Segment(1, field) for field in fields))
    theirs = np.array([np.asarray(piece(g), dtype=np.float64) for g in located])
    if relative_distance(np.asarray(named.matrix(matrices)), theirs) < VERIFIED:
        return fields
    from scipy.linalg import block_diag  # scipy loads slowly; `import intertwine` does without

    Q = basis @ block_diag(*(irreps[i][1] for i in ids))
    return (changed_basis(irreps_field(fields), Q, f"{getattr(piece, 'name', 'field')}[{piece.size}]"),)


def _verify(rep: Representation, ours: Counterpart, piece: Any, argument: str) -> None:
    """Refuse an escnn representation whose matrices are not those of ``rep``, which was read from its attributes."""
    elements = probes(ours.group)
    if not len(elements):
        return
    theirs = np.array([np.asarray(piece(ours.locate(g)), dtype=np.float64) for g in elements])
    defect = relative_distance(np.asarray(rep.matrix(elements)), theirs) if theirs.shape[-1] == rep.dim else np.inf
    if defect > VERIFIED:
        raise NotARepresentationError(
            argument,
            expected="matrices that are the change of basis times the irreps",
            got=f"{getattr(piece, 'name', 'a representation')} of {ours.group}, off by {defect:.1e}",
            advice="Give the matrices by hand: G.representation(...).",
        )


def _lie_label(group: Group, i: tuple[int, ...]) -> str:
    """Our name of escnn's irrep ``i``: (frequency), (mirror sign, frequency), (degree), (inversion sign, degree)."""
    if isinstance(group, O2):
        return f"0{'-' if i[0] else '+'}" if i[1] == 0 else str(i[1])
    if isinstance(group, O3):
        return f"{i[1]}{'o' if i[0] else 'e'}"
    return str(i[0])
