"""How a subgroup sits inside a group."""

from dataclasses import dataclass

import numpy as np

from intertwine._numerics import Array, relative_distance
from intertwine.errors import ArgumentError, GroupMismatchError
from intertwine.representations.abstract_group import AbstractGroup

# Right-handed turns: about z in the (x, y) plane, about y in (z, x), about x in (y, z).
PLANES = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}


@dataclass(frozen=True)
class Embedding:
    """An injective homomorphism from ``subgroup`` into ``group``.

    With equal sizes of the defining matrices it is the inclusion. A group of plane matrices enters a group of 3 x 3
    matrices as turns about ``axis``; a mirror of the plane fixes the axis if the group has reflections (C_nv), and
    reverses it otherwise (the dihedral rotation group). The trivial group enters any group.
    """

    subgroup: AbstractGroup
    group: AbstractGroup
    axis: str | None = None

    def elements(self, matrices: Array) -> Array:
        """Images in ``group`` of ``matrices`` (n, d, d) of ``subgroup``."""
        size = self.group.matrix_dim
        if self.axis is None:
            if self.subgroup.matrix_dim == size:
                return matrices
            return np.broadcast_to(np.eye(size), (len(matrices), size, size)).copy()
        i, j = PLANES[self.axis]
        k = 3 - i - j
        out = np.zeros((len(matrices), 3, 3))
        out[:, [[i], [j]], [i, j]] = matrices
        mirrors = self.group.membership(-np.eye(3)[None])[0]
        out[:, k, k] = 1.0 if mirrors else np.sign(np.linalg.det(matrices))
        return out

    def algebra_coefficients(self) -> Array:
        """The subgroup's Lie algebra basis in the group's, shape (k_sub, k_group)."""
        source, target = self.subgroup.algebra_matrices(), self.group.algebra_matrices()
        if not len(source):
            return np.zeros((0, len(target)))
        if self.axis is not None:
            i, j = PLANES[self.axis]
            lifted = np.zeros((len(source), 3, 3))
            lifted[:, [[i], [j]], [i, j]] = source
            source = lifted
        flat = target.reshape(len(target), self.group.matrix_dim**2)
        coefficients = np.linalg.lstsq(flat.T, source.reshape(len(source), -1).T, rcond=None)[0].T
        if relative_distance(coefficients @ flat, source.reshape(len(source), -1)) > 1e-9:
            raise GroupMismatchError("subgroup", expected=f"a subgroup of {self.group}", got=str(self.subgroup))
        return coefficients


def embed(subgroup: AbstractGroup, group: AbstractGroup, axis: str | None = None) -> Embedding:
    """The embedding of ``subgroup`` into ``group``, checked on generators.

    Args:
        subgroup, group: the groups; their defining matrices decide.
        axis: ``"x"``, ``"y"`` or ``"z"``, to embed plane rotations into three dimensions.

    Raises:
        ArgumentError: an axis is missing, unknown or out of place.
        GroupMismatchError: the generators do not lie in the group.
    """
    if not isinstance(subgroup, AbstractGroup):
        raise ArgumentError("subgroup", expected=f"a subgroup of {group}, such as iw.Cyclic(2)", got=repr(subgroup))
    if axis is not None and not isinstance(axis, str):
        raise ArgumentError("axis", expected="'x', 'y' or 'z', or None", got=repr(axis)[:80])
    small, large = subgroup.matrix_dim, group.matrix_dim
    trivial = subgroup.is_finite and subgroup.order == 1
    if (small, large) == (2, 3):
        if axis not in PLANES and not (trivial and axis is None):
            mirrored = getattr(subgroup, "axis", None)  # of a Mirror
            raise ArgumentError(
                "axis",
                expected=f"'x', 'y' or 'z', the axis in {group} about which {subgroup} turns"
                if mirrored is None
                else f"'x', 'y' or 'z', the axis in {group} that stands on the plane of {subgroup}",
                got=repr(axis),
                advice="e3nn's polar axis is y; images and volumes usually turn about z."
                if mirrored is None
                else f"iw.Mirror({mirrored!r}, dim=3) is a mirror of space and needs no axis.",
            )
    elif axis is not None:
        raise ArgumentError(
            "axis",
            expected=f"None, as {subgroup} and {group} act on spaces of {small} and {large} dimensions",
            got=repr(axis),
        )
    elif small != large and not trivial:
        raise GroupMismatchError(
            "subgroup",
            expected=f"a subgroup of {group}, of {large} x {large} matrices",
            got=f"{subgroup}, of {small} x {small} matrices",
        )
    embedding = Embedding(subgroup, group, axis)
    ok, reason = group.membership(embedding.elements(subgroup.generator_matrices()))
    if not ok:
        raise GroupMismatchError("subgroup", expected=f"a subgroup of {group}", got=f"{subgroup}, with {reason}")
    embedding.algebra_coefficients()
    return embedding
