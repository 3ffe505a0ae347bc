"""The purposes that this task draws random numbers for."""

from functools import partial

from experiments.runs.stream import purpose_stream

STREAMS = ("split", "turns", "weights", "batches", "elements")
stream = partial(purpose_stream, STREAMS)
