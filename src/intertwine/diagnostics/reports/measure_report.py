"""The report on a binding: what each typed parameter violates, beside chance, and what nobody has typed."""

from torch.nn.parameter import is_lazy

from intertwine._arguments import check_instance, flag
from intertwine.binding import Binding
from intertwine.binding.measure import check_finite
from intertwine.diagnostics.pictures.kernel_parts import kernel_parts
from intertwine.diagnostics.reports.between_layers import LayerVerdict, sequential_verdicts
from intertwine.diagnostics.reports.environment import environment
from intertwine.diagnostics.reports.parameter_report import measure_parameter
from intertwine.diagnostics.reports.report import Report
from intertwine.diagnostics.reports.type_trace import TypeTrace
from intertwine.diagnostics.reports.unanalysed import unanalysed_modules
from intertwine.tracing.models.evaluating import evaluating


def report(binding: Binding, *, split: bool = True, example: object = None) -> Report:
    r"""Measures every typed parameter of a binding.

    Per parameter: ``|W|``, ``|W - P W|``, their ratio, and beside it the chance level ``sqrt(1 - rank / numel)``, the
    ratio that random weights have; a residual means something only beside it. The worst blocks say between which
    irreps (or, where a field cannot be cut into irreps, which fields) the residual sits. Parameters without a
    representation are listed as unaccounted.

    Between typed layers there is a verdict on every norm layer and pointwise function whose input has a known type:
    whether it keeps the symmetry, why not, and what to use instead. Types are carried down each ``nn.Sequential``, and
    with ``example`` through one run of the model, functions called inside ``forward`` included. What no type reaches is
    listed as not analysed.

    Args:
        binding: from ``bind(model, types)``.
        split: whether to find the worst blocks; False is faster for large models.
        example: an input of the model, or a tuple of its arguments; it runs once, in eval mode, without gradients, and
            is put back as it was.

    Raises:
        NonFiniteError: a parameter has NaN or infinity; the message names it.

    Source:
        Own; the residual is that of Berndt and Stuehmer, arXiv 2601.05028, the chance level beside it ours.

    Examples:
        >>> import intertwine as iw, torch
        >>> G = iw.Cyclic(4)
        >>> model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.ReLU(), torch.nn.Linear(16, 3))
        >>> hidden = 4 * G.regular()
        >>> binding = iw.bind(model, {"0": (2 * G.regular(), hidden), "2": (hidden, 3 * G.trivial())})
        >>> _ = binding.project_()
        >>> result = iw.report(binding)
        >>> [entry.name for entry in result.parameters], result.relative_residual < 1e-6, round(result.chance, 2)
        (['0.weight', '0.bias', '2.weight', '2.bias'], True, 0.86)
        >>> result.unaccounted, result.unanalysed
        ((), ())
        >>> print(result.between[0])
        1: ReLU behind '0' acts on 4xregular: keeps.
    """
    check_instance("binding", binding, Binding, "a Binding, as iw.bind(model, types) makes")
    flag("split", split)
    parameters = []
    for entry, tensor in binding.tensors():
        parameters.append(measure_parameter(entry, tensor, split))
    for name, parameter in binding.model.named_parameters():
        if not is_lazy(parameter):
            check_finite(name, parameter)
    between = _between(binding, example)
    judged = {verdict.name for verdict in between}
    unanalysed = unanalysed_modules(binding.model, {entry.module for entry in binding.entries}, binding.rules)
    return Report(
        group=str(binding.group),
        model=type(binding.model).__name__,
        parameters=tuple(parameters),
        unaccounted=tuple(binding.unaccounted.items()),
        between=between,
        unanalysed=tuple(module for module in unanalysed if module.name not in judged),
        environment=environment(),
        kernels=kernel_parts(binding),
    )


def _between(binding: Binding, example: object) -> tuple[LayerVerdict, ...]:
    if not binding.entries or example is None:
        return sequential_verdicts(binding)
    with evaluating(binding.model), TypeTrace(binding) as trace:
        binding.model(*(example if isinstance(example, tuple) else (example,)))
    return tuple(trace.verdicts.found)
