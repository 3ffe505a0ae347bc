"""The real bases in which packages write spherical harmonics, as matrices against e3nn's."""

from typing import Literal

import numpy as np

from intertwine._cache import cached
from intertwine._numerics import Array
from intertwine.errors import ArgumentError
from intertwine.groups.irreps.wigner import wigner_matrices
from intertwine.representations.changed_basis import changed_basis, snapped
from intertwine.representations.field import Field

Basis = Literal["e3nn", "z-axis", "e3x"]
BASES = ("e3nn", "z-axis", "e3x")
# (x, y, z) -> (y, z, x): takes the polar axis z to y, so that Y_z-axis(v) = Y_e3nn(CYCLE v).
CYCLE = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 0.0]])


@cached(256)
def harmonic_basis(basis: str, l: int) -> Array:
    """Q with ``Y(v) = Q Y_e3nn(v)`` for harmonics of degree l in another basis, orthogonal, shape (2l+1, 2l+1).

    ``"z-axis"`` is the order m = -l, ..., l about the polar axis z without Condon-Shortley signs (SchNetPack,
    sphericart, featomic, e3x with ``cartesian_order=False``): Q = D_l(C) with the turn C = (x, y, z) -> (y, z, x).
    ``"e3x"`` is e3x's default, the same harmonics in the order m = l, -l, l - 1, -(l - 1), ..., 0, which no turn gives.

    Raises:
        ArgumentError: an unknown name.
    """
    Q = np.eye(2 * l + 1) if basis == "e3nn" else snapped(wigner_matrices(l, CYCLE[None])[0])
    if basis == "e3x":
        Q = Q[[l + sign * m for m in range(l, 0, -1) for sign in (1, -1)] + [l]]
    return Q


def harmonic_field(irrep: Field, l: int, basis: object) -> Field:
    """The irrep of degree l in the basis of that name; the irrep itself where its matrices stay the same.

    Raises:
        ArgumentError: an unknown name.
    """
    if not isinstance(basis, str) or basis not in BASES:
        raise ArgumentError("basis", expected=" or ".join(map(repr, BASES)), got=repr(basis)[:80])
    if basis == "e3nn":
        return irrep
    return changed_basis(irrep, harmonic_basis(basis, l), f"{irrep.name} ({basis})")
