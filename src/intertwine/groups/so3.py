"""Turns of space."""

from dataclasses import dataclass

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.groups.bases import CompactLieGroupBase
from intertwine.groups.irreps.frequencies import frequency, spectrum, unknown_irrep
from intertwine.groups.irreps.harmonic_bases import harmonic_field
from intertwine.groups.irreps.wigner import check_degree, rotation_algebra, wigner_matrices
from intertwine.representations.abstract_group import orthogonal_membership
from intertwine.representations.field import Field
from intertwine.representations.irrep_field import IrrepField
from intertwine.representations.representation import Representation


@dataclass(frozen=True, repr=False)
class SO3(CompactLieGroupBase):
    """SO(3): all turns of space; the Lie algebra basis is the right-handed turns about x, y and z.

    Irreps are degrees ``"0"``, ``"1"``, ... of dimension 2l+1 (real type), in e3nn's real basis: ``"1"`` is (x, y, z),
    and the polar axis is y.

    Source:
        Real Wigner matrices in e3nn's basis: Geiger and Smidt 2022, "e3nn: Euclidean neural networks", arXiv
        2207.09453.

    Examples:
        >>> import intertwine as iw
        >>> G = iw.SO(3)
        >>> g = G.sample(1)[0]
        >>> G.irrep(1).matrix(g).equal(g)
        True
    """

    spellings = ((r"SO(?:3|\(3\))", {}),)
    spelled = "SO(3)"

    @property
    def name(self) -> str:
        return "SO(3)"

    def generator_matrices(self) -> Array:
        return np.zeros((0, 3, 3))

    def algebra_matrices(self) -> Array:
        return rotation_algebra(1)

    def membership(self, elements: Array) -> tuple[bool, str]:
        return orthogonal_membership(elements, 1.0, self.name)

    def sample_matrices(self, n: int, generator: torch.Generator | None) -> Array:
        return random_rotations(n, generator)

    def coordinates(self, elements: Array) -> tuple[Array, list[tuple[int, ...]]]:
        return rotation_vectors(elements), [()] * len(elements)

    def standard(self) -> Representation:
        """(x, y, z): the irrep ``"1"``."""
        return self.irrep(1)

    @property
    def trivial_label(self) -> str:
        return "0"

    def irrep_labels(self, max_dim: int) -> tuple[str, ...]:
        return tuple(str(l) for l in range((max_dim + 1) // 2))

    def irrep_candidates(self, max_dim: int, algebra: Array) -> tuple[str, ...]:
        return tuple(str(l) for l in degrees(algebra) if 2 * l + 1 <= max_dim)

    def irrep_label(self, name: object) -> str:
        l = frequency(name)
        if l is None:
            raise unknown_irrep(self, name, "the degrees '0', '1', '2', ...")
        return str(check_degree(l))

    def irrep_dim(self, label: str) -> int:
        return 2 * int(label) + 1

    def commutant_dim(self, label: str) -> int:
        return 1

    def irrep_matrices(self, label: str, elements: Array) -> Array:
        return wigner_matrices(int(label), elements)

    def _named_field(self, label: str, basis: str | None) -> Field:
        return harmonic_field(IrrepField(self, label), int(label), "e3nn" if basis is None else basis)

    def irrep_algebra(self, label: str) -> Array:
        return rotation_algebra(int(label))


def random_rotations(n: int, generator: torch.Generator | None) -> Array:
    """``n`` rotations from the Haar measure, shape (n, 3, 3): uniform unit quaternions (Shoemake 1992)."""
    if n == 0:
        return np.zeros((0, 3, 3))
    quaternions = torch.randn(n, 4, generator=generator, dtype=torch.float64).numpy()
    from scipy.spatial.transform import Rotation  # scipy loads slowly; `import intertwine` does without

    return np.asarray(Rotation.from_quat(quaternions).as_matrix())


def rotation_vectors(rotations: Array) -> Array:
    """Axis times angle of rotations (n, 3, 3), shape (n, 3); through quaternions, hence stable at angle pi."""
    from scipy.spatial.transform import Rotation  # scipy loads slowly; `import intertwine` does without

    return np.asarray(Rotation.from_matrix(rotations).as_rotvec()) if len(rotations) else np.zeros((0, 3))


def degrees(algebra: Array) -> list[int]:
    """The degrees l that occur in a representation with these images (3, dim, dim) of the turns about x, y, z.

    Weight m occurs once in every degree l >= m, so degree l occurs as often as weight l exceeds weight l + 1.
    """
    counts = spectrum(algebra[1])
    return [l for l, count in counts.items() if count > counts.get(l + 1, 0)]
