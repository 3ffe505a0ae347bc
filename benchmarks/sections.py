"""The sections of the table by name, in the order in which they are printed."""

from collections.abc import Callable, Iterator

from benchmarks import (
    constants,
    decay,
    import_time,
    penalty,
    regular,
    report,
    sampled,
    training_step,
    whole_models,
)
from benchmarks.growing import layers, weights
from benchmarks.optimizers import split_step
from benchmarks.peers import comparison
from benchmarks.row import Row
from benchmarks.settings import Settings

SECTIONS: dict[str, Callable[[Settings], Iterator[Row]]] = {
    "penalty": penalty.rows,
    "decay": decay.rows,
    "regular": regular.rows,
    "growth": weights.rows,
    "layers": layers.rows,
    "constants": constants.rows,
    "sampled": sampled.rows,
    "step": training_step.rows,
    "split": split_step.rows,
    "report": report.rows,
    "whole": whole_models.rows,
    "import": import_time.rows,
    "peers": comparison.rows,
}
