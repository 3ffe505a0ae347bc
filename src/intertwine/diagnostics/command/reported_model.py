"""What ``intertwine report`` does: the report on a named model with a file of types."""

from pathlib import Path

from intertwine.binding import bind
from intertwine.binding.types_file import read_types
from intertwine.binding.words_of_files import in_words_of
from intertwine.diagnostics.command.named_model import load_checkpoint_, named_model
from intertwine.diagnostics.reports.measure_report import report
from intertwine.diagnostics.reports.report import Report
from intertwine.errors import IntertwineError


def report_of(spec: str, types: Path, checkpoint: Path | None = None) -> Report:
    """The report on the model that ``spec`` names, typed by a file.

    Args:
        spec: ``"module:factory"``, as in ``named_model``.
        types: the types, as in ``read_types``.
        checkpoint: a state dict to load first; None: the weights that the factory gives.

    Raises:
        ArgumentError: no such model, no such file, or one that does not fit.
    """
    # The file is cheap to check and often wrong: before the model, which may take a while to build.
    wanted = read_types(types)
    model = named_model(spec)
    if checkpoint is not None:
        load_checkpoint_(model, checkpoint)
    try:
        binding = bind(model, wanted)
    except IntertwineError as error:
        raise in_words_of(types, error) from error
    return report(binding)
