"""Concrete groups: one family a file, each with its elements, generators and irreps."""

from intertwine.groups.cyclic import Cyclic
from intertwine.groups.dihedral import Dihedral
from intertwine.groups.finite_group import FiniteGroup
from intertwine.groups.group import DirectProduct, Group
from intertwine.groups.matrix_group import MatrixGroup
from intertwine.groups.mirror import Mirror
from intertwine.groups.o2 import O2
from intertwine.groups.o3 import O3
from intertwine.groups.orthogonal import SO, O
from intertwine.groups.polyhedral import Icosahedral, Octahedral, Tetrahedral
from intertwine.groups.so2 import SO2
from intertwine.groups.so3 import SO3
from intertwine.groups.symmetric import Symmetric
from intertwine.groups.trivial import Trivial

__all__ = [
    "O2",
    "O3",
    "SO",
    "SO2",
    "SO3",
    "Cyclic",
    "Dihedral",
    "DirectProduct",
    "FiniteGroup",
    "Group",
    "Icosahedral",
    "MatrixGroup",
    "Mirror",
    "O",
    "Octahedral",
    "Symmetric",
    "Tetrahedral",
    "Trivial",
]
