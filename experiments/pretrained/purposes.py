"""The random streams of this experiment; new purposes come last, so that the others keep their numbers."""

from functools import partial

from experiments.runs.stream import purpose_stream

PURPOSES = ("weights", "turns", "batches", "examples", "shuffles", "head", "tuning batches", "test turns")
stream = partial(purpose_stream, PURPOSES)
