"""The group of one element."""

from dataclasses import dataclass

import numpy as np

from intertwine._numerics import Array
from intertwine.errors import UnknownNameError
from intertwine.groups.bases import FiniteGroupBase


@dataclass(frozen=True, repr=False)
class Trivial(FiniteGroupBase):
    """The trivial group {1}: every tensor is equivariant. Its one irrep is ``"0"``.

    Source:
        Serre 1977, "Linear representations of finite groups", 1.2.

    Examples:
        >>> import intertwine as iw
        >>> iw.Trivial().order
        1
    """

    spellings = (("Trivial", {}),)
    spelled = "Trivial"

    @property
    def name(self) -> str:
        return "Trivial"

    def generator_matrices(self) -> Array:
        return np.zeros((0, 1, 1))

    @property
    def trivial_label(self) -> str:
        return "0"

    def irrep_labels(self, max_dim: int) -> tuple[str, ...]:
        return ("0",) if max_dim >= 1 else ()

    def irrep_label(self, name: object) -> str:
        if str(name) != "0" or isinstance(name, bool):
            raise UnknownNameError("label", expected="'0', the only irrep of Trivial", got=repr(name))
        return "0"

    def irrep_dim(self, label: str) -> int:
        return 1

    def commutant_dim(self, label: str) -> int:
        return 1

    def irrep_matrices(self, label: str, elements: Array) -> Array:
        return np.ones((len(elements), 1, 1))
