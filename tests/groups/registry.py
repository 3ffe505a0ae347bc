"""The groups that the laws are tested on, and a few of their representations."""

import numpy as np

import intertwine as iw

I_UNIT = [[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]]
J_UNIT = [[0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]]
QUATERNION = iw.FiniteGroup([I_UNIT, J_UNIT], name="Q8")


def turn(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def dicyclic(n):
    """The binary dihedral group of order 4n in two complex, four real dimensions; quaternionic type."""
    a = np.zeros((4, 4))
    a[:2, :2], a[2:, 2:] = turn(np.pi / n), turn(-np.pi / n)
    x = np.zeros((4, 4))
    x[:2, 2:], x[2:, :2] = -np.eye(2), np.eye(2)
    return iw.FiniteGroup([a, x], name=f"Dic{n}")


# name -> (group, order)
FINITE = {
    "Trivial": (iw.Trivial(), 1),
    **{f"C{n}": (iw.Cyclic(n), n) for n in (1, 2, 3, 4, 5, 8)},
    **{f"D{n}": (iw.Dihedral(n), 2 * n) for n in (1, 2, 3, 4, 5, 6)},
    "Mirror(x)": (iw.Mirror("x"), 2),
    "Mirror(z, 3)": (iw.Mirror("z", dim=3), 2),
    "S1": (iw.Symmetric(1), 1),
    "S2": (iw.Symmetric(2), 2),
    "S3": (iw.Symmetric(3), 6),
    "S4": (iw.Symmetric(4), 24),
    "S5": (iw.Symmetric(5), 120),
    "T": (iw.Tetrahedral(), 12),
    "Th": (iw.Tetrahedral(reflections=True), 24),
    "O": (iw.Octahedral(), 24),
    "Oh": (iw.Octahedral(reflections=True), 48),
    "I": (iw.Icosahedral(), 60),
    "Ih": (iw.Icosahedral(reflections=True), 120),
    "A4 by permutations": (iw.FiniteGroup([[1, 2, 0, 3], [1, 0, 3, 2]]), 12),
    "Q8": (QUATERNION, 8),
    "Dic3": (dicyclic(3), 12),
    "C7 in float32": (iw.FiniteGroup([turn(2 * np.pi / 7).astype(np.float32)]), 7),
    "C3 * C4": (iw.Cyclic(3) * iw.Cyclic(4), 12),
    "D3 * S3": (iw.Dihedral(3) * iw.Symmetric(3), 36),
    "C3 * Q8": (iw.Cyclic(3) * QUATERNION, 24),
    "Q8 * Q8": (QUATERNION * QUATERNION, 64),
    "Mirror(x) * S3": (iw.Mirror() * iw.Symmetric(3), 12),
    "(C3 * C3) * C3": (iw.Cyclic(3) * iw.Cyclic(3) * iw.Cyclic(3), 27),
}
LIE = {
    "SO(2)": iw.SO(2),
    "O(2)": iw.O(2),
    "SO(3)": iw.SO(3),
    "O(3)": iw.O(3),
    "SO(2) * SO(2)": iw.SO(2) * iw.SO(2),
    "SO(3) * S3": iw.SO(3) * iw.Symmetric(3),
    "O(2) * C4": iw.O(2) * iw.Cyclic(4),
}
COMPACT = {name: group for name, (group, _) in FINITE.items()} | LIE
SMALL = {name: group for name, (group, order) in FINITE.items() if order <= 64}
