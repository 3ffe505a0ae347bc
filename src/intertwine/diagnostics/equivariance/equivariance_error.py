"""How far a function is from commuting with a group, measured on data."""

import warnings
from collections.abc import Callable, Mapping
from typing import Any

import torch

from intertwine._arguments import check_function, check_generator, is_integer
from intertwine.diagnostics.equivariance.actions import Action, OnGrid
from intertwine.diagnostics.equivariance.comparison import Comparison
from intertwine.diagnostics.equivariance.measured_error import EquivarianceError
from intertwine.diagnostics.equivariance.measured_values import check_inputs
from intertwine.diagnostics.equivariance.typed_parts import TypedParts, common_group, output_text, read_types
from intertwine.errors import ArgumentError, IdentityActionWarning
from intertwine.groups import Group
from intertwine.groups.element_text import element_text
from intertwine.tracing.models.evaluating import evaluating
from intertwine.tracing.models.inner_modules import training_modules

# Without num_samples, groups up to this order are run through completely; others are sampled this many times.
COMPLETE_ORDER, DEFAULT_SAMPLES = 128, 32


def equivariance_error(  # noqa: PLR0913 - a measurement says all that it depends on
    function: Callable[..., object],
    rep_in: object,
    rep_out: object,
    x: Any,
    *,
    num_samples: int | None = None,
    generator: torch.Generator | None = None,
    group: Group | None = None,
    axis_in: object = -1,
    axis_out: object = -1,
) -> EquivarianceError:
    r"""How far ``function`` is from equivariant on the inputs ``x``.

    For each group element g, with norms over the whole batch,

    .. math:: \text{relative}_g = \frac{|f(g x) - g f(x)|}{|f(x)|}, \qquad
              \text{absolute}_g = \frac{|f(g x) - g f(x)|}{\sqrt{\text{number of entries of } f(x)}}.

    The relative error has no units: 1e-7 is float32 rounding, about 1.4 is what unrelated outputs of equal size have.
    The absolute error is in the units of the output: read it where f(x) itself is near zero, where the relative error
    explodes. If ``f(x) = 0`` and ``f(g x)`` is not, the relative error is infinite.

    Every element of a finite group is used (up to order 128, or up to ``num_samples``); other groups are sampled, 32
    times or ``num_samples`` times, and the result says ``exact=False``. The action runs in float64 whatever the dtype
    of x and is then cast, so that what is measured is the function.

    **What is run.** The function gets copies of x, so that one that works in place is measured right and changes
    nothing of yours. A ``nn.Module`` is put in eval mode and afterwards restored. One inside a lambda, a method or a
    wrapper is not: in train mode its dropout is noise, and its BatchNorm statistics change at every call. f(x) is
    called twice: ``repeat`` says by how much a random function differs from itself. No gradients are taken, unless
    the function needs them inside (forces as the gradient of an energy); ``.grad`` of parameters is kept.

    **Several inputs and outputs.** A tuple as x is passed as ``f(*x)``, a dictionary as ``f(**x)``, anything else (a
    list, a named tuple) as one argument; for a dictionary as one argument give ``(x,)``, and ``(rep_in,)``. The
    representations have the structure of what they act on: tuples by position, dictionaries by the names of entries or
    fields (of dictionaries, named tuples, dataclasses and the outputs of transformers). Outputs that a dictionary
    ``rep_out`` does not name are not measured. Errors are those of the worst output.

    Args:
        function: takes x, returns a tensor, or several.
        rep_in: representation on ``axis_in`` of x; ``iw.on_grid(rep)`` for images (batch, channels, height, width),
            whose pixels the group moves; any function ``(g, x) -> g x``, called on float64; None for an input that the
            group leaves alone, whatever it is; tuples and dictionaries of these.
        rep_out: the same for the output; None: it is invariant.
        x: shape (batch, ..., rep_in.dim), floating point or complex, at least one sample; integers (token ids, masks)
            where the group permutes them; or a structure of them.
        num_samples: for sampled groups, how many elements; a finite group of at most this order is run through
            completely.
        generator: torch generator on the CPU for the sampling.
        group: needed only if neither ``rep_in`` nor ``rep_out`` has a representation.
        axis_in: the axis of x that ``rep_in`` acts on, such as 1 for channels of images that the group does not move;
            one for all inputs, or the structure of ``rep_in``.
        axis_out: the same for the output(s).

    Warns:
        IdentityActionWarning: every element left inputs and outputs as they were, so that nothing was tested.

    Raises:
        ShapeError: x, or an output, does not fit its representation.
        GroupMismatchError: the representations are of different groups.
        NonFiniteError: x or an output has NaN or infinity.
        ArgumentError, DtypeError: anything else that is not as described, or inputs that function does not take (what
            it raised is the error's cause).

    Source:
        Own definition; the relative error is what the field reports, and its derivative at the identity is measured in
        Gruver, Finzi, Goldblum and Wilson 2022, arXiv 2210.02984.

    Examples:
        >>> import intertwine as iw, torch
        >>> rep = 4 * iw.Cyclic(4).regular()
        >>> x = torch.randn(10, 16, generator=torch.Generator().manual_seed(0))
        >>> error = iw.equivariance_error(torch.relu, rep, rep, x)
        >>> float(error), error.exact, error.num_elements
        (0.0, True, 4)
        >>> ramp = torch.linspace(1, 2, 16)
        >>> round(float(iw.equivariance_error(lambda x: ramp * x, rep, rep, x)), 1)
        0.2
        >>> v, s = iw.O(3).standard(), iw.O(3).trivial()
        >>> pair = {"a": torch.randn(4, 3), "b": torch.randn(4, 3)}
        >>> def products(a, b):
        ...     return {"dot": (a * b).sum(-1, keepdim=True), "cross": torch.linalg.cross(a, b)}
        >>> error = iw.equivariance_error(products, {"a": v, "b": v}, {"dot": s, "cross": v}, pair)
        >>> error.worst_output_text, round(float(error), 4)  # the cross product does not change sign under reflections
        ("output 'cross'", 2.0)
    """
    number = len(x) if type(x) is tuple else None if isinstance(x, Mapping) else 1
    check_function("function", function, "a function or a torch.nn.Module that takes x", takes=number)
    ins = read_types(rep_in, axis_in, "rep_in", "x")
    outs = read_types(rep_out, axis_out, "rep_out", "the output of function")
    group = common_group((ins, outs), group)
    given = ins.pick(x)
    check_inputs(given, ins)
    elements, exact = chosen_elements(group, num_samples, generator)
    with evaluating(function):
        comparison = Comparison(function, ins, outs, x, given, elements[0])
        for i, g in enumerate(elements):
            comparison.take(i, g)
    absolute, relative = (
        torch.tensor(rows, dtype=torch.float64) for rows in (comparison.absolute, comparison.relative)
    )
    worst = int(relative.argmax())
    element, output = elements[worst // len(outs.parts)], worst % len(outs.parts)
    if not comparison.tested and not (group.is_finite and group.order == 1):
        warnings.warn(
            f"nothing was tested: every element of {group} acts as the identity on these inputs and outputs"
            + (". On pixels it acts by on_grid's space=, for shifts iw.torus(n, n)" if _on_grid(ins, outs) else ""),
            IdentityActionWarning,
            stacklevel=2,
        )
    return EquivarianceError(
        absolute_mean=float(absolute.amax(1).mean()),
        absolute_worst=float(absolute.max()),
        relative_mean=float(relative.amax(1).mean()),
        relative_worst=float(relative.max()),
        worst_element=element.clone(),
        worst_output=output,
        exact=exact,
        num_elements=len(elements),
        group=str(group),
        worst_element_text=_worst_text([part.action for part in (*ins.parts, *outs.parts)], element, group),
        worst_output_text=output_text(outs.parts[output].path) if len(outs.parts) > 1 else "",
        by_sample=comparison.shares,
        repeat=comparison.repeat,
        interpolation=comparison.interpolation,
        tested=comparison.tested,
        tolerance=comparison.tolerance,
        training=training_modules(function),
        unmeasured=comparison.unmeasured,
        elements=elements.clone(),
        by_element=relative.amax(1),
    )


def chosen_elements(
    group: Group, num_samples: int | None, generator: torch.Generator | None
) -> tuple[torch.Tensor, bool]:
    """The elements that are measured, and whether they are all."""
    check_generator("generator", generator)
    if num_samples is not None and not is_integer(num_samples, 1):
        raise ArgumentError("num_samples", expected="an integer >= 1, or None", got=repr(num_samples))
    if group.is_finite and group.order <= (num_samples or COMPLETE_ORDER):
        return group.elements(), True
    return group.sample(num_samples or DEFAULT_SAMPLES, generator=generator), False


def _worst_text(actions: list[Action], g: torch.Tensor, group: Group) -> str:
    """``g`` in words: what it does to one of the inputs or outputs, where one says more than its matrix does."""
    plain = element_text(g, group)
    texts = (action.element_text(g) for action in actions)
    return next((text for text in texts if text not in ("", plain)), plain)


def _on_grid(*typed: TypedParts) -> bool:
    return any(isinstance(part.action, OnGrid) for types in typed for part in types.parts)
