"""What a search found for one unknown."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from intertwine._numerics import Array
from intertwine.representations import Representation

Kind = Literal["permutation", "signed permutation", "orthogonal"]


@dataclass(frozen=True, eq=False)
class Found:
    """What the search found for one unknown.

    Attributes:
        representation: that its features carry.
        kind: what was allowed.
        admissible: of the best assignments by responses, the share of channels on cycles that an action may have.
        defect: of ``rho(g) rho(h) = rho(gh)``.
        orbits: how many orbits of each size; none for orthogonal matrices.
        converged: whether orthogonal matrices were found where they were asked for.
        bases: by which the features of each head are multiplied, shape (sides, heads, size, size); None without heads.
    """

    representation: Representation
    kind: Kind
    admissible: float
    defect: float
    orbits: Mapping[int, int]
    converged: bool = True
    bases: Array | None = None
