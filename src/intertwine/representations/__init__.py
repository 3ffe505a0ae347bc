"""What a representation is: the abstract group, fields, and their sums, as immutable values."""

from intertwine.representations.abstract_group import AbstractGroup
from intertwine.representations.field import Field
from intertwine.representations.representation import Representation
from intertwine.representations.segment import Segment

__all__ = ["AbstractGroup", "Field", "Representation", "Segment"]
