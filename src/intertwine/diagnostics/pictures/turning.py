"""Where an element of a group stands in a picture: its angle in the plane, its axis and angle in space."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from intertwine._numerics import Array
from intertwine.groups import O2, O3, SO2, SO3, Cyclic, Dihedral, Group, Icosahedral, Octahedral, Tetrahedral

PLANE = (Cyclic, Dihedral, SO2, O2)
SPACE = (Tetrahedral, Octahedral, Icosahedral, SO3, O3)


@dataclass(frozen=True)
class Turning:
    """An element as a turn.

    Attributes:
        angle: of the turn, radians: in [0, 2 pi) in the plane, in [0, pi] in space; of a mirror in the plane, of its
            line, in [0, pi).
        axis: of a turn in space, of length 1; (0, 0, 0) where nothing is turned, and in the plane.
        proper: whether it keeps orientation; if not, it is a mirror in the plane, in space inversion times the turn.

    Examples:
        >>> import intertwine as iw, math
        >>> quarter, mirror = iw.Dihedral(4).elements()[[1, 4]]
        >>> round(math.degrees(turning(quarter.numpy()).angle)), turning(mirror.numpy()).proper
        (90, False)
    """

    angle: float
    axis: tuple[float, float, float]
    proper: bool


def picture_of(group: Group) -> str:
    """``"polar"`` for groups of the plane, ``"sphere"`` for those of space, ``"bars"`` for others.

    Examples:
        >>> import intertwine as iw
        >>> [picture_of(G) for G in (iw.Dihedral(4), iw.SO(3), iw.Symmetric(3))]
        ['polar', 'sphere', 'bars']
    """
    return "polar" if isinstance(group, PLANE) else "sphere" if isinstance(group, SPACE) else "bars"


def turning(matrix: Array | Sequence[Sequence[float]]) -> Turning:
    """An orthogonal matrix of two or three dimensions as a turn."""
    g = np.asarray(matrix, dtype=float)
    proper = bool(np.linalg.det(g) > 0)
    if len(g) == 2:
        angle = float(np.arctan2(g[1, 0], g[0, 0]))
        return Turning(angle % (2 * np.pi) if proper else angle / 2 % np.pi, (0.0, 0.0, 0.0), proper)
    turn = g if proper else -g
    angle = float(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1.0, 1.0)))
    if angle < 1e-6:
        return Turning(0.0, (0.0, 0.0, 0.0), proper)
    # The axis spans the image of turn + turn^T - (trace - 1); near a half turn the antisymmetric part is rounding.
    symmetric = turn + turn.T - (np.trace(turn) - 1) * np.eye(3)
    axis = symmetric[:, int(np.argmax(np.abs(np.diag(symmetric))))]
    axis = axis / np.linalg.norm(axis)
    sense = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]])
    if float(axis @ sense) < -1e-9 or (np.linalg.norm(sense) < 1e-9 and tuple(axis[::-1]) < (0.0, 0.0, 0.0)):
        axis = -axis
    x, y, z = (float(entry) + 0.0 for entry in axis)
    return Turning(angle, (x, y, z), proper)
