"""What breaks the symmetry: functions of features, each with numbers of its own."""

from tests.tracing.planting.kinds import constants, hidden, order, parts, places, python, writes
from tests.tracing.planting.kinds.registry import KINDS

__all__ = ["KINDS", "constants", "hidden", "order", "parts", "places", "python", "writes"]
