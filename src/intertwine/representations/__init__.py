"""What a representation is: the abstract group, fields, and their sums, as immutable values."""

from intertwine.representations.field import Field
from intertwine.representations.group import Group
from intertwine.representations.representation import Representation, Segment

__all__ = ["Field", "Group", "Representation", "Segment"]
