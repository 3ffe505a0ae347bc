"""Which group of ours an escnn fibre group is, and where our elements lie in it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from intertwine._numerics import Array
from intertwine.errors import ArgumentError, GroupMismatchError
from intertwine.groups.cyclic import Cyclic
from intertwine.groups.dihedral import Dihedral
from intertwine.groups.finite_group import FiniteGroup
from intertwine.groups.group import DirectProduct, Group
from intertwine.groups.irreps.plane import MIRROR, angles, turns
from intertwine.groups.o2 import O2
from intertwine.groups.o3 import O3, determinants
from intertwine.groups.polyhedral import Icosahedral, Octahedral
from intertwine.groups.product import block_diagonal
from intertwine.groups.so2 import SO2
from intertwine.groups.so3 import SO3
from intertwine.representations.changed_basis import matching_basis, snapped

KNOWN = (
    "C_n, D_n, SO(2), O(2), SO(3), O(3), the octahedral and icosahedral groups with and without reflections, direct "
    "products of finite ones"
)
# Bases of Lie group irreps are found from these elements, and checked on them: turns by angles, by rotation vectors.
PROBE_ANGLES = (0.7, 2.1, -1.3)
PROBE_VECTORS = ((0.7, 0.0, 0.0), (0.0, -1.1, 0.0), (0.4, 0.9, -1.7))


@dataclass(frozen=True)
class Counterpart:
    """Our group for an escnn fibre group, and our elements as escnn's."""

    group: Group
    locate: Callable[[Array], Any]  # one defining matrix -> escnn's GroupElement


def counterpart(fibre: Any, base: Any, argument: str) -> Counterpart:
    """Our group for the escnn group ``fibre``, acting on the base space by the escnn representation ``base`` (or None).

    Raises:
        ArgumentError: a fibre group that has no counterpart here.
    """
    return _lie(fibre, base, argument) if getattr(fibre, "continuous", False) else _finite(fibre, base, argument)


def _finite(fibre: Any, base: Any, argument: str) -> Counterpart:
    """The finite group by name, or by its action on the base space where that is another group of matrices."""
    elements = list(fibre.elements)
    group = _named_finite(str(fibre.name))
    moved = _moved(base, elements)
    if moved is not None and (group is None or moved.shape[-1] == group.matrix_dim):
        matrices = moved
    else:
        group = group or _product(fibre)
        if group is None:
            raise _unknown_group(fibre, argument)
        matrices = _standard_finite(fibre, elements)
    if group is None or not group.membership(matrices)[0]:
        group = FiniteGroup(matrices[[elements.index(e) for e in fibre.generators]], name=f"escnn {fibre.name}")
    found = group.element_indices(matrices)
    position = {int(index): element for index, element in zip(found, elements, strict=True)}
    if not len(position) == len(elements) == group.order:
        got = f"{fibre.name}, of {len(elements)}"
        raise GroupMismatchError(argument, expected=f"a group of the {group.order} elements of {group}", got=got)
    return Counterpart(group, lambda matrix: position[int(group.element_indices(matrix[None])[0])])


def _moved(base: Any, elements: Sequence[Any]) -> Array | None:
    """Matrices by which the elements move the base space; None if there is none, or if some elements move it alike."""
    if base is None or not base.size:
        return None
    matrices = snapped(np.array([np.asarray(base(e), dtype=np.float64) for e in elements]))
    faithful = len(np.unique(np.round(matrices, 6) + 0.0, axis=0)) == len(matrices)
    return matrices if faithful else None


def _named_finite(name: str) -> Group | None:
    polyhedra: dict[str, Group] = {
        "Octahedral": Octahedral(),
        "FullOctahedral": Octahedral(reflections=True),
        "Icosahedral": Icosahedral(),
        "FullIcosahedral": Icosahedral(reflections=True),
    }
    if name in polyhedra:
        return polyhedra[name]
    match = re.fullmatch(r"([CD])(\d+)", name)
    if match is None:
        return None
    return Cyclic(int(match[2])) if match[1] == "C" else Dihedral(int(match[2]))


def _product(fibre: Any) -> DirectProduct | None:
    """Our direct product for one of escnn's (the Klein group is C2 X C2), if we have both factors."""
    if not (hasattr(fibre, "G1") and hasattr(fibre, "G2") and hasattr(fibre, "split_element")):
        return None
    first, second = (_named_finite(str(factor.name)) or _product(factor) for factor in (fibre.G1, fibre.G2))
    return None if first is None or second is None else DirectProduct(first, second)


def _standard_finite(fibre: Any, elements: Sequence[Any]) -> Array:
    """Standard matrices of escnn's elements, shape (n, d, d); of a direct product those of both factors."""
    name = str(fibre.name)
    if _named_finite(name) is None:
        firsts, seconds = zip(*(fibre.split_element(e) for e in elements), strict=True)
        return block_diagonal(_standard_finite(fibre.G1, firsts), _standard_finite(fibre.G2, seconds))
    if name[0] in "CD":
        steps = [e.to("int") for e in elements]
        mirrored = np.array([name[0] == "D" and s[0] for s in steps], dtype=bool)
        out = turns(2 * np.pi * np.array([s[1] if name[0] == "D" else s for s in steps], dtype=float) / int(name[1:]))
        out[mirrored] = out[mirrored] @ MIRROR
        return out
    if name.startswith("Full"):
        return np.array([_inverted(*e.to("[int | MAT]")) for e in elements])
    return np.array([np.asarray(e.to("MAT")) for e in elements])


def _inverted(parity: int, rotation: Any) -> Array:
    return np.asarray(rotation) * (1.0 - 2.0 * parity)


def _lie(fibre: Any, base: Any, argument: str) -> Counterpart:
    """SO(2), O(2), SO(3), O(3), turned so that an element moves the base space as its matrix says."""
    known: dict[str, tuple[Group, Callable[[Array], Any]]] = {
        "SO(2)": (SO2(), lambda m: fibre.element(_angle(m), "radians")),
        "O(2)": (O2(), lambda m: fibre.element(_mirror_and_angle(m), "radians")),
        "SO(3)": (SO3(), lambda m: fibre.element(m, "MAT")),
        "O(3)": (O3(), lambda m: fibre.element((int(np.linalg.det(m) < 0), m * determinants(m[None])[0]), "MAT")),
    }
    if str(fibre.name) not in known:
        raise _unknown_group(fibre, argument)
    group, locate = known[str(fibre.name)]
    if base is None or base.size != group.matrix_dim:
        return Counterpart(group, locate)
    matrices = probes(group)
    moved = np.array([np.asarray(base(locate(m)), dtype=np.float64) for m in matrices])
    turn = matching_basis(matrices, moved, f"{argument}: the base space")
    return Counterpart(group, lambda matrix: locate(turn.T @ matrix @ turn))


def _angle(matrix: Array) -> float:
    return float(angles(matrix[None])[0])


def _mirror_and_angle(matrix: Array) -> tuple[int, float]:
    mirrored = np.linalg.det(matrix) < 0
    return int(mirrored), _angle(matrix @ MIRROR if mirrored else matrix)


def probes(group: Group) -> Array:
    """The generators of a finite group; turns that generate a Lie group densely, and their products with its mirror."""
    if group.is_finite:
        return group.generator_matrices()
    plane = group.matrix_dim == 2
    from scipy.spatial.transform import Rotation  # scipy loads slowly; `import intertwine` does without

    out = turns(np.array(PROBE_ANGLES)) if plane else Rotation.from_rotvec(np.array(PROBE_VECTORS)).as_matrix()
    discrete = group.generator_matrices()
    return np.concatenate([out, *(out @ generator for generator in discrete)])


def _unknown_group(fibre: Any, argument: str) -> ArgumentError:
    return ArgumentError(
        argument,
        expected=f"an escnn representation of {KNOWN}, or of a finite group that acts faithfully on a base space",
        got=f"one of the group {fibre.name}",
        advice="Give the matrices by hand: G.representation(images).",
    )
