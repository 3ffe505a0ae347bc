"""Families of networks of equal blocks in plain torch, by name: functions of (random, depth, what fills the slots)."""

from tests.tracing.planting.grids import images, vectors_of_features, volumes, waves
from tests.tracing.planting.points import molecules, vectors
from tests.tracing.planting.tokens import recurrent, sequences, vision, windows

FAMILIES = {
    f.__name__: f
    for f in (images, volumes, vectors_of_features, sequences, vision, windows, recurrent, vectors, molecules, waves)
}
DEEP = ("vectors_of_features", "sequences", "vectors")  # small enough for nine blocks
