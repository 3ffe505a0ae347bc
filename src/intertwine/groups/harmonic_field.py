"""Harmonic polynomials on the space where a group acts: the angular part of steerable kernels."""

from dataclasses import dataclass

import numpy as np

from intertwine._numerics import Array
from intertwine.groups.irreps.wigner import pole_columns
from intertwine.groups.o2 import O2
from intertwine.groups.o3 import O3
from intertwine.representations import AbstractGroup, Field, Representation


@dataclass(frozen=True)
class HarmonicField(Field):
    """Harmonics of one degree on the plane or in space: ``Y(g^-1 x)``, g acting on x through ``space``.

    The irrep of that degree of O(2) or O(3) (its natural parity in space), restricted along ``space``.

    Args:
        space: an orthogonal representation of dimension 2 or 3, how the group turns the points.
        degree: frequency in the plane, l in space.
    """

    space: Representation
    degree: int

    @property
    def group(self) -> AbstractGroup:
        return self.space.group

    @property
    def rotations(self) -> O2 | O3:
        """The full rotation group of the space."""
        return O2() if self.space.dim == 2 else O3()

    @property
    def label(self) -> str:
        """The irrep of the full rotation group."""
        if self.space.dim == 3:
            return f"{self.degree}{'eo'[self.degree % 2]}"
        return str(self.degree) if self.degree else "0+"

    @property
    def dim(self) -> int:
        return self.rotations.irrep_dim(self.label)

    @property
    def name(self) -> str:
        return f"harmonics[{self.degree}]"

    def matrices(self, elements: Array) -> Array:
        return self.rotations.irrep_matrices(self.label, self.space.matrix(elements).numpy())

    def algebra(self) -> Array:
        own = self.rotations.algebra_matrices()
        images = self.space.as_field().algebra()
        flat = own.reshape(len(own), -1)
        coefficients = images.reshape(len(images), self.space.dim**2) @ np.linalg.pinv(flat)
        return np.einsum("kj,jab->kab", coefficients, self.rotations.irrep_algebra(self.label))

    def values(self, points: Array) -> Array:
        """The harmonics at directions ``points`` (n, space.dim), shape (n, dim); zero at the origin for degree > 0.

        ``Y(x) = D(R) Y(pole)`` with R any rotation that takes the pole to x, in the irrep's own basis, so that
        ``Y(g x) = D(g) Y(x)`` to rounding.
        """
        radius = np.linalg.norm(points, axis=1)
        out = np.zeros((len(points), self.dim))
        if self.degree == 0:
            return out + 1.0
        inside = radius > 1e-12
        directions = points[inside] / radius[inside, None]
        if self.space.dim == 2:  # the pole is the x axis
            out[inside] = self.rotations.irrep_matrices(self.label, _turns_in_plane(directions))[:, :, 0]
        else:  # the y axis, e3nn's polar one
            out[inside] = pole_columns(self.degree, _turns_of_pole(directions))
        return out


def _turns_in_plane(directions: Array) -> Array:
    """Rotations that take the x axis to each direction (n, 2)."""
    x, y = directions.T
    return np.stack([np.stack([x, -y], -1), np.stack([y, x], -1)], -2)


def _turns_of_pole(directions: Array) -> Array:
    """Rotations that take the y axis to each direction (n, 3): frames with the direction as second column."""
    helper = np.where(np.abs(directions[:, :1]) < 0.9, np.array([[1.0, 0.0, 0.0]]), np.array([[0.0, 0.0, 1.0]]))
    third = np.cross(helper, directions)
    third /= np.linalg.norm(third, axis=1, keepdims=True)
    first = np.cross(directions, third)
    return np.stack([first, directions, third], -1)
