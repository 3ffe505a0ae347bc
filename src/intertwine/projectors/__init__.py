"""P, the orthogonal projector on equivariant tensors: one method a file, and the dispatch."""

from intertwine.projectors.entrance import projector
from intertwine.projectors.projector import Projector

__all__ = ["Projector", "projector"]
