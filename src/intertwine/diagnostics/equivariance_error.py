"""How far a function is from commuting with a group, measured on data."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import partial

import torch
from torch import nn

from intertwine.diagnostics.evaluating import evaluating
from intertwine.diagnostics.on_grid import GridAction
from intertwine.errors import ArgumentError, DtypeError, GroupMismatchError, NonFiniteError, ShapeError
from intertwine.groups.adapters import as_representation
from intertwine.groups.element_text import element_text
from intertwine.representations import Group, Representation

# Without num_samples, groups up to this order are run through completely; others are sampled this many times.
COMPLETE_ORDER, DEFAULT_SAMPLES = 128, 32

Action = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True, eq=False)
class EquivarianceError:
    """What ``equivariance_error`` measured; ``float(result)`` is ``relative_worst``.

    Attributes:
        absolute_mean: mean over the elements of the root mean square entry of ``f(g x) - g f(x)``, in the units of f.
        absolute_worst: the largest of them.
        relative_mean: mean over the elements of ``|f(g x) - g f(x)| / |f(x)|``, norms over the whole batch.
        relative_worst: the largest of them.
        worst_element: the element that attains ``relative_worst``, its defining matrix, float64, shape (d, d).
        worst_output: which output attains it, 0 for a function with one output.
        exact: True if every element of a finite group was used, so that mean and worst are those of the group; False
            if they are estimates from random elements (the worst then from below).
        num_elements: how many elements were used.
        group: the group's name.
    """

    absolute_mean: float
    absolute_worst: float
    relative_mean: float
    relative_worst: float
    worst_element: torch.Tensor
    worst_output: int
    exact: bool
    num_elements: int
    group: str

    def __float__(self) -> float:
        return self.relative_worst

    def to_dict(self) -> dict[str, object]:
        """The same as plain values, ready for JSON, ``worst_element`` as nested lists."""
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        return values | {
            "worst_element": self.worst_element.tolist(),
            "worst_element_text": element_text(self.worst_element),
        }

    def __str__(self) -> str:
        how = f"all {self.num_elements} elements of" if self.exact else f"{self.num_elements} random elements of"
        which = f", output {self.worst_output}" if self.worst_output else ""
        worst = f"relative {self.relative_worst:.2e} at worst ({element_text(self.worst_element)}{which})"
        absolute = f"absolute {self.absolute_worst:.2e} and {self.absolute_mean:.2e}"
        return f"{worst}, {self.relative_mean:.2e} in the mean; {absolute}; over {how} {self.group}"

    def __repr__(self) -> str:
        return f"EquivarianceError({self})"


def equivariance_error(  # noqa: PLR0913 - a measurement says all that it depends on
    function: Callable[..., object],
    rep_in: object,
    rep_out: object,
    x: torch.Tensor,
    *,
    num_samples: int | None = None,
    generator: torch.Generator | None = None,
    group: Group | None = None,
    axis_in: int = -1,
    axis_out: int = -1,
) -> EquivarianceError:
    r"""How far ``function`` is from equivariant on the inputs ``x``.

    For each group element g, with norms over the whole batch,

    .. math:: \text{relative}_g = \frac{|f(g x) - g f(x)|}{|f(x)|}, \qquad
              \text{absolute}_g = \frac{|f(g x) - g f(x)|}{\sqrt{\text{number of entries of } f(x)}}.

    The relative error has no units: 1e-7 is float32 rounding, about 1.4 is what unrelated outputs of equal size have.
    The
    absolute error is in the units of the output: read it where f(x) itself is near zero, where the relative error
    explodes. If ``f(x) = 0`` and ``f(g x)`` is not, the relative error is infinite.

    Every element of a finite group is used (up to order 128, or up to ``num_samples``); other groups are sampled, 32
    times or ``num_samples`` times, and the result says ``exact=False``. The action runs in float64 whatever the dtype
    of x and is then cast, so that what is measured is the function. A ``nn.Module`` is put in eval mode and
    afterwards restored; no gradients are taken.

    Args:
        function: takes x, returns a tensor, or a tuple of tensors if ``rep_out`` is a tuple.
        rep_in: representation on ``axis_in`` of x; ``iw.on_grid(rep)`` for images (batch, channels, height, width),
            whose pixels the group moves; or any function ``(g, x) -> g x``, called on float64.
        rep_out: the same for the output; a tuple of them for a function with several outputs.
        x: shape (batch, ..., rep_in.dim), floating point or complex; at least one sample.
        num_samples: for sampled groups, how many elements; a finite group of at most this order is run through
            completely.
        generator: torch generator on the CPU for the sampling.
        group: needed only if both ``rep_in`` and ``rep_out`` are functions of yours.
        axis_in: the axis of x that ``rep_in`` acts on, such as 1 for channels of images that the group does not move.
        axis_out: the same for the output(s).

    Raises:
        ShapeError: x, or an output, does not fit its representation.
        GroupMismatchError: the representations are of different groups.
        NonFiniteError: x or an output has NaN or infinity.
        ArgumentError, DtypeError: anything else that is not as described.

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
    """
    # e3nn's Irreps is a tuple too, hence the comparison of types.
    several = type(rep_out) in (tuple, list)
    outs: Sequence[object] = rep_out if several else [rep_out]  # type: ignore[assignment]
    names = [f"rep_out[{i}]" for i in range(len(outs))] if several else ["rep_out"]
    actions, group = _actions([rep_in, *outs], ["rep_in", *names], [axis_in] + [axis_out] * len(outs), group)
    check_input(x)
    elements, exact = _elements(group, num_samples, generator)
    act_in, act_outs = actions[0], actions[1:]
    absolute, relative = torch.zeros(len(elements), len(outs)), torch.zeros(len(elements), len(outs))
    absolute, relative = absolute.double(), relative.double()
    with evaluating(function):
        wide = _wide(x)
        act_in(elements[0], wide)  # an input of another width is refused here, before the function trips over it
        reference = [_wide(y) for y in _outputs(function, x, len(outs), several)]
        for i, g in enumerate(elements):
            moved = act_in(g, wide).to(x.device, x.dtype)
            for j, (y, act, expected) in enumerate(
                zip(_outputs(function, moved, len(outs), several), act_outs, reference, strict=True)
            ):
                if y.shape != expected.shape:
                    raise ShapeError(
                        "function", expected=f"outputs of one shape, {tuple(expected.shape)}", got=tuple(y.shape)
                    )
                difference = torch.linalg.vector_norm(_wide(y) - act(g, expected)).item()
                size = torch.linalg.vector_norm(expected).item()
                absolute[i, j] = difference / max(1, y.numel()) ** 0.5
                relative[i, j] = difference / size if size else (0.0 if difference == 0 else float("inf"))
    worst = int(relative.argmax())
    return EquivarianceError(
        absolute_mean=float(absolute.amax(1).mean()),
        absolute_worst=float(absolute.max()),
        relative_mean=float(relative.amax(1).mean()),
        relative_worst=float(relative.max()),
        worst_element=elements[worst // len(outs)].clone(),
        worst_output=worst % len(outs),
        exact=exact,
        num_elements=len(elements),
        group=str(group),
    )


def _actions(reps: list[object], names: list[str], axes: list[int], group: Group | None) -> tuple[list[Action], Group]:
    """Actions on float64 tensors, and the group that they share."""
    converted: list[Representation | GridAction | Action] = []
    for rep, name in zip(reps, names, strict=True):
        # Not `callable`: representations of other libraries are callable too.
        if inspect.isroutine(rep) or isinstance(rep, nn.Module | partial):
            converted.append(rep)
            continue
        representation = rep if isinstance(rep, GridAction) else as_representation(rep, name)
        if group is not None and representation.group != group:
            raise GroupMismatchError(
                name,
                expected=f"a representation of {group}, as the others",
                got=f"one of {representation.group}",
                advice="Use rep.restrict(H) with a common subgroup.",
            )
        group = representation.group
        converted.append(representation)
    if group is None:
        raise ArgumentError("group", expected="the group, as rep_in and rep_out are functions", got="None")
    return [_action(rep, axis, name) for rep, axis, name in zip(converted, axes, names, strict=True)], group


def _action(rep: Representation | GridAction | Action, axis: int, name: str) -> Action:
    """``rep`` as a function (g, x) -> g x, with errors that name what the user passed."""
    if isinstance(rep, GridAction):
        return partial(rep, argument="x" if name == "rep_in" else "the output of function")
    return _along(rep, axis, name) if isinstance(rep, Representation) else rep


def _along(rep: Representation, axis: int, name: str) -> Action:
    """``rep`` acting on ``axis``."""
    what = "x" if name == "rep_in" else "the output of function"

    def act(g: torch.Tensor, tensor: torch.Tensor) -> torch.Tensor:
        if not -tensor.ndim <= axis < tensor.ndim or tensor.shape[axis] != rep.dim:
            raise ShapeError(
                what,
                expected=f"length {rep.dim} on axis {axis}, from {name} = {rep}",
                got=f"shape {tuple(tensor.shape)}",
            )
        if rep.is_complex and not tensor.is_complex():
            raise DtypeError(what, expected=f"complex features, as {name} = {rep} is complex", got="real ones")
        return rep.act(g, tensor.movedim(axis, -1)).movedim(-1, axis)

    return act


def _elements(group: Group, num_samples: int | None, generator: torch.Generator | None) -> tuple[torch.Tensor, bool]:
    if num_samples is not None and (
        not isinstance(num_samples, int) or isinstance(num_samples, bool) or num_samples < 1
    ):
        raise ArgumentError("num_samples", expected="an integer >= 1, or None", got=repr(num_samples))
    if group.is_finite and group.order <= (num_samples or COMPLETE_ORDER):
        return group.elements(), True
    return group.sample(num_samples or DEFAULT_SAMPLES, generator=generator), False


def check_input(x: object) -> None:
    """Whether x is a batch of finite numbers.

    Raises:
        ArgumentError, DtypeError, ShapeError, NonFiniteError: it is not.
    """
    if not isinstance(x, torch.Tensor):
        raise ArgumentError("x", expected="a torch tensor of shape (batch, ..., rep_in.dim)", got=type(x).__name__)
    if not (x.is_floating_point() or x.is_complex()):
        raise DtypeError("x", expected="a floating-point or complex tensor", got=x.dtype)
    if x.ndim == 0 or x.numel() == 0:
        raise ShapeError("x", expected="at least one sample", got=f"shape {tuple(x.shape)}")
    if not torch.isfinite(x).all():
        raise NonFiniteError("x", expected="finite numbers", got="NaN or infinity")


def _outputs(function: Callable[..., object], x: torch.Tensor, count: int, several: bool) -> list[torch.Tensor]:
    """The outputs at x, checked."""
    result = function(x)
    outputs = list(result) if several and isinstance(result, tuple | list) else [result]
    if len(outputs) != count:
        raise ArgumentError("function", expected=f"{count} outputs, as rep_out has", got=f"{len(outputs)}")
    checked: list[torch.Tensor] = []
    for y in outputs:
        if not isinstance(y, torch.Tensor) or not (y.is_floating_point() or y.is_complex()):
            raise ArgumentError(
                "function",
                expected="floating-point or complex tensors as outputs",
                got=str(y.dtype) if isinstance(y, torch.Tensor) else type(y).__name__,
                advice="For several outputs give a tuple as rep_out.",
            )
        if not torch.isfinite(y).all():
            raise NonFiniteError("function", expected="finite outputs", got="NaN or infinity in an output")
        checked.append(y)
    return checked


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    """In float64 (complex128); on the CPU where the device has none."""
    device = "cpu" if tensor.device.type == "mps" else tensor.device
    return tensor.detach().to(device).to(torch.promote_types(tensor.dtype, torch.float64))
