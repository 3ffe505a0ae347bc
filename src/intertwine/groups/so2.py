"""Turns of the plane."""

from dataclasses import dataclass

import numpy as np
import torch

from intertwine._numerics import Array
from intertwine.groups.bases import CompactLieGroupBase
from intertwine.groups.irreps.frequencies import check_frequency, frequency, spectrum, unknown_irrep
from intertwine.groups.irreps.plane import angles, turns
from intertwine.representations.abstract_group import orthogonal_membership
from intertwine.representations.representation import Representation

TURN = np.array([[[0.0, -1.0], [1.0, 0.0]]])


@dataclass(frozen=True, repr=False)
class SO2(CompactLieGroupBase):
    """SO(2): all turns of the plane; the Lie algebra is spanned by ``[[0, -1], [1, 0]]``.

    Irreps are frequencies: ``"0"`` is trivial, ``"f"`` turns by f times the angle (dimension 2, complex type).

    Source:
        Irreps by frequency, as in escnn: Weiler and Cesa 2019, arXiv 1911.08251.

    Examples:
        >>> import intertwine as iw
        >>> iw.SO(2).irreps("4x0 + 2x1").dim
        8
    """

    spellings = ((r"SO(?:2|\(2\))", {}),)
    spelled = "SO(2)"

    @property
    def name(self) -> str:
        return "SO(2)"

    def generator_matrices(self) -> Array:
        return np.zeros((0, 2, 2))

    def algebra_matrices(self) -> Array:
        return TURN.copy()

    def membership(self, elements: Array) -> tuple[bool, str]:
        return orthogonal_membership(elements, 1.0, self.name)

    def sample_matrices(self, n: int, generator: torch.Generator | None) -> Array:
        return random_turns(n, generator)

    def coordinates(self, elements: Array) -> tuple[Array, list[tuple[int, ...]]]:
        return angles(elements)[:, None], [()] * len(elements)

    def standard(self) -> Representation:
        """(x, y): the irrep ``"1"``."""
        return self.irrep(1)

    @property
    def trivial_label(self) -> str:
        return "0"

    def irrep_labels(self, max_dim: int) -> tuple[str, ...]:
        """The frequencies up to ``max_dim``: there are infinitely many irreps of dimension 2."""
        return tuple(str(f) for f in range(max_dim + 1 if max_dim >= 2 else max_dim))

    def irrep_candidates(self, max_dim: int, algebra: Array) -> tuple[str, ...]:
        return tuple(str(f) for f in spectrum(algebra[0]) if f == 0 or max_dim >= 2)

    def irrep_label(self, name: object) -> str:
        f = frequency(name)
        if f is None:
            raise unknown_irrep(self, name, "the frequencies '0', '1', '2', ...")
        return str(check_frequency(f))

    def irrep_dim(self, label: str) -> int:
        return 1 if label == "0" else 2

    def commutant_dim(self, label: str) -> int:
        return self.irrep_dim(label)

    def irrep_matrices(self, label: str, elements: Array) -> Array:
        if label == "0":
            return np.ones((len(elements), 1, 1))
        if label == "1":
            return elements.copy()
        return turns(int(label) * angles(elements))

    def irrep_algebra(self, label: str) -> Array:
        return np.zeros((1, 1, 1)) if label == "0" else int(label) * TURN


def random_turns(n: int, generator: torch.Generator | None) -> Array:
    """``n`` turns by uniform angles, shape (n, 2, 2)."""
    return turns(2 * np.pi * torch.rand(n, generator=generator, dtype=torch.float64).numpy())
