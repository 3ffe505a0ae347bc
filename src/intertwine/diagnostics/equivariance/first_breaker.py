"""The first layer of a model behind which the symmetry is lost, found by measuring behind each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from intertwine.diagnostics.equivariance.equivariance_error import equivariance_error
from intertwine.diagnostics.equivariance.measured_error import EquivarianceError
from intertwine.diagnostics.equivariance.measured_values import NOT_TAKEN, check_inputs, refuse_inputs, tolerance, wide
from intertwine.diagnostics.equivariance.typed_parts import read_types
from intertwine.errors import ArgumentError, IntertwineError, UnknownNameError, listing
from intertwine.groups import Group
from intertwine.tracing.models.evaluating import Runner, evaluating
from intertwine.tracing.models.value_trees import copied, described

# Rounding adds up over the layers in front of the one that is measured; what breaks a symmetry is far above it.
ROUNDING = 10


@dataclass(frozen=True, eq=False)
class Breaker:
    """The first measured module behind which a model is not equivariant.

    Attributes:
        name: of the module. What breaks lies in it, or between ``after`` and it.
        kind: its class.
        after: the measured module before it, behind which all was well; None: it is the first.
        error: what was measured behind it.

    Examples:
        >>> import intertwine as iw, torch
        >>> V = iw.Cyclic(4).regular()
        >>> net = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Linear(4, 4))
        >>> breaker = iw.first_breaker(net, {"0": V, "1": V}, V, torch.randn(8, 4))
        >>> breaker.name, breaker.kind, breaker.after
        ('1', 'Linear', '0')
    """

    name: str
    kind: str
    after: str | None
    error: EquivarianceError

    def __str__(self) -> str:
        before = "it is the first measured" if self.after is None else f"all was well behind {self.after}"
        return f"{self.name} ({self.kind}): {self.error}; {before}"


def first_breaker(  # noqa: PLR0913 - as equivariance_error
    model: nn.Module,
    reps: Mapping[str, object],
    rep_in: object,
    x: Any,
    *,
    rtol: float | None = None,
    num_samples: int | None = None,
    generator: torch.Generator | None = None,
    group: Group | None = None,
    axis_in: object = -1,
    axis_out: int | Mapping[str, object] = -1,
) -> Breaker | None:
    """The first module behind which ``model`` is not equivariant, or None.

    ``equivariance_error`` is measured behind each module that is named, in the order of execution, until it exceeds
    ``rtol``. Each measurement runs the model once per group element and twice more, on copies of x, and compares
    copies of what the module gave, whatever is done to it in place afterwards.

    Some weights are read by functions and their modules never called: ``self_attn.out_proj`` of a
    ``nn.TransformerEncoderLayer`` cannot be named, ``self_attn`` can (its output is a pair). Forward hooks also switch
    off that layer's fused path of eval mode: what is measured is the path of its children (equal to rounding).

    Args:
        model: called as ``model(x)``, with a tuple as ``model(*x)``, with a dictionary as ``model(**x)``.
        reps: name of a module -> how the group acts on its output: ``iw.on_grid(rep)`` for images, a representation
            for features on ``axis_out``, a function ``(g, y) -> g y``, or a tuple or dictionary of these for a module
            with several outputs.
        rep_in: the same for the model's input.
        x: inputs, as in ``equivariance_error``.
        rtol: relative error up to which a module passes; None: ten times the table's tolerance for x's dtype (1e-4
            for float32), or that of the module's output where x holds integers.
        num_samples: as in ``equivariance_error``.
        generator: as in ``equivariance_error``.
        group: needed only where none of the actions is a representation.
        axis_in: as in ``equivariance_error``.
        axis_out: the same for the modules' outputs, one for all or by name (-1 for those left out).

    Raises:
        UnknownNameError: a name that the model does not have.
        ArgumentError: a module that is not run, or not exactly once; arguments that are not as described.
        ShapeError, DtypeError, GroupMismatchError, NonFiniteError: as ``equivariance_error``.

    Source:
        Own.

    Examples:
        >>> import intertwine as iw, torch
        >>> G = iw.Dihedral(4)
        >>> model = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.AvgPool2d(3, 2), torch.nn.MaxPool2d(2))
        >>> reps = {name: iw.on_grid(G.regular()) for name in ("0", "1", "2")}
        >>> x = torch.randn(2, 8, 11, 11, generator=torch.Generator().manual_seed(0))
        >>> breaker = iw.first_breaker(model, reps, iw.on_grid(G.regular()), x)  # sides 11, 5, and 5 % 2 is not 0
        >>> breaker.name, breaker.kind, breaker.after
        ('2', 'MaxPool2d', '1')
    """
    if not isinstance(model, nn.Module):
        raise ArgumentError("model", expected="a torch.nn.Module", got=described(model))
    if not isinstance(reps, Mapping):
        expected = "a dictionary from names of modules to representations of their outputs"
        raise ArgumentError("reps", expected=expected, got=described(reps))
    limit = None if rtol is None else tolerance("rtol", rtol)
    modules = dict(model.named_modules())
    unknown = [name for name in reps if name not in modules]
    if unknown or not reps:
        raise UnknownNameError(
            "reps", expected=f"names of modules: {listing(modules)}", got=listing(map(repr, unknown))
        )
    types = read_types(rep_in, axis_in, "rep_in", "x")
    given = types.pick(x)
    check_inputs(given, types)
    # An input of another width is refused here, before the model trips over it.
    for part, value in zip(types.parts, given, strict=True):
        if part.action.group is not None:
            part.action(torch.eye(part.action.group.matrix_dim, dtype=torch.float64), wide(value))
    after = None
    with evaluating(model):
        try:
            order = _in_order(model, {name: modules[name] for name in reps}, x)
        except NOT_TAKEN as reason:
            refuse_inputs(types, given, reason)
        for name in order:
            try:
                error = equivariance_error(
                    partial(_output_of, model, modules[name]),
                    rep_in,
                    reps[name],
                    x,
                    num_samples=num_samples,
                    generator=generator,
                    group=group,
                    axis_in=axis_in,
                    axis_out=axis_out.get(name, -1) if isinstance(axis_out, Mapping) else axis_out,
                )
            except IntertwineError as refused:
                raise _renamed(refused, name) from None
            if float(error) > (ROUNDING * error.tolerance if limit is None else limit):
                return Breaker(name, type(modules[name]).__name__, after, error)
            after = name
    return None


def _renamed(error: IntertwineError, name: str) -> IntertwineError:
    """The error as ``first_breaker``'s, which has other names for the function and its type."""
    names = {"rep_out": f"reps[{name!r}]", "axis_out": f"axis_out[{name!r}]", "of function": f"of {name!r}"}
    texts = [error.argument, error.expected, error.got, error.advice]
    for old, new in names.items():
        texts = [text.replace(old, new) for text in texts]
    argument = f"the output of {name!r}" if texts[0] == "function" else texts[0]
    return type(error)(argument, expected=texts[1], got=texts[2], advice=texts[3])


def _in_order(model: nn.Module, modules: Mapping[str, nn.Module], x: object) -> list[str]:
    """The names of ``modules`` in the order in which they finish, each run exactly once."""
    order: list[str] = []
    handles = [module.register_forward_hook(_note(name, order)) for name, module in modules.items()]

    def run(*args: object, **kwargs: object) -> None:
        order.clear()  # of a first try without gradients
        model(*args, **kwargs)

    try:
        Runner(run)(x)
    finally:
        for handle in handles:
            handle.remove()
    for name in modules:
        if order.count(name) != 1:
            raise ArgumentError(
                f"reps[{name!r}]",
                expected="a module that the model runs once",
                got=f"{order.count(name)} runs",
                advice="Name the modules around it."
                + (" Its weights may be read by a function, as attention reads out_proj." if name not in order else ""),
            )
    return order


def _note(name: str, order: list[str]) -> Callable[..., None]:
    def hook(*_: object) -> None:
        order.append(name)

    return hook


def _output_of(model: nn.Module, module: nn.Module, /, *args: object, **kwargs: object) -> object:
    """What ``module`` gives inside ``model``."""
    outputs: list[object] = []
    # What follows may act on the output in place, as nn.ReLU(inplace=True) does.
    handle = module.register_forward_hook(lambda _module, _args, output: outputs.append(copied(output)))
    try:
        model(*args, **kwargs)
    finally:
        handle.remove()
    if len(outputs) != 1:
        expected = "a module that the model runs once, whatever its input"
        raise ArgumentError("function", expected=expected, got=f"{len(outputs)} runs")
    return outputs[0]
