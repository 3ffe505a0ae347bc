"""The first layer of a model behind which the symmetry is lost, found by measuring behind each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from intertwine._numerics import TOLERANCES
from intertwine.diagnostics.equivariance_error import EquivarianceError, check_input, equivariance_error
from intertwine.diagnostics.evaluating import evaluating
from intertwine.errors import ArgumentError, UnknownNameError, listing

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
    """

    name: str
    kind: str
    after: str | None
    error: EquivarianceError

    def __str__(self) -> str:
        before = "it is the first measured" if self.after is None else f"all was well behind {self.after}"
        return f"{self.name} ({self.kind}): {self.error}; {before}"


def first_breaker(
    model: nn.Module,
    reps: Mapping[str, object],
    rep_in: object,
    x: torch.Tensor,
    *,
    rtol: float | None = None,
    num_samples: int | None = None,
    generator: torch.Generator | None = None,
) -> Breaker | None:
    """The first module behind which ``model`` is not equivariant, or None.

    ``equivariance_error`` is measured behind each module that is named, in the order of execution, until it exceeds
    ``rtol``. Each measurement runs the model once per group element.

    Args:
        model: called as ``model(x)``.
        reps: name of a module -> how the group acts on its output: ``iw.on_grid(rep)`` for images, a representation
            for features on the last axis, or a function ``(g, y) -> g y``.
        rep_in: the same for the model's input.
        x: inputs, as in ``equivariance_error``.
        rtol: relative error up to which a module passes; None: ten times the table's tolerance for x's dtype (1e-4
            for float32).
        num_samples: as in ``equivariance_error``.
        generator: as in ``equivariance_error``.

    Raises:
        UnknownNameError: a name that the model does not have.
        ArgumentError: a module that is not run, or not exactly once.
        ShapeError, DtypeError, GroupMismatchError, NonFiniteError: as ``equivariance_error``.

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
    modules = dict(model.named_modules())
    unknown = [name for name in reps if name not in modules]
    if unknown or not reps:
        raise UnknownNameError(
            "reps", expected=f"names of modules: {listing(modules)}", got=listing(map(repr, unknown))
        )
    check_input(x)
    limit = ROUNDING * TOLERANCES[x.dtype] if rtol is None else rtol
    after = None
    with evaluating(model):
        for name in _in_order(model, {name: modules[name] for name in reps}, x):
            behind = partial(_output_of, model, modules[name])
            error = equivariance_error(behind, rep_in, reps[name], x, num_samples=num_samples, generator=generator)
            if float(error) > limit:
                return Breaker(name, type(modules[name]).__name__, after, error)
            after = name
    return None


def _in_order(model: nn.Module, modules: Mapping[str, nn.Module], x: torch.Tensor) -> list[str]:
    """The names of ``modules`` in the order in which they finish, each run exactly once."""
    order: list[str] = []
    handles = [module.register_forward_hook(_note(name, order)) for name, module in modules.items()]
    try:
        model(x)
    finally:
        for handle in handles:
            handle.remove()
    for name in modules:
        if order.count(name) != 1:
            raise ArgumentError(
                f"reps[{name!r}]",
                expected="a module that the model runs once",
                got=f"{order.count(name)} runs",
                advice="Name the modules around it.",
            )
    return order


def _note(name: str, order: list[str]) -> Callable[..., None]:
    def hook(*_: object) -> None:
        order.append(name)

    return hook


def _output_of(model: nn.Module, module: nn.Module, x: torch.Tensor) -> object:
    """What ``module`` gives inside ``model`` at x."""
    outputs: list[object] = []
    # What follows may act on the output in place, as nn.ReLU(inplace=True) does.
    handle = module.register_forward_hook(
        lambda _module, _args, output: outputs.append(output.clone() if isinstance(output, torch.Tensor) else output)
    )
    try:
        model(x)
    finally:
        handle.remove()
    return outputs[0]
