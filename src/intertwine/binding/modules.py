"""How a module's parameters follow from its (rep_in, rep_out): one function a module type, found by type."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from intertwine.binding.entry import Kind
from intertwine.errors import ArgumentError, ShapeError, listing
from intertwine.representations import Representation


@dataclass(frozen=True)
class Slot:
    """One parameter of a module: its attribute and a representation (or None) per axis, in the tensor's own order."""

    attribute: str
    axes: tuple[Representation | None, ...]
    kind: Kind


ModuleTyping = Callable[[nn.Module, Representation, Representation, str], tuple[Slot, ...]]


def _linear(module: nn.Module, rep_in: Representation, rep_out: Representation, argument: str) -> tuple[Slot, ...]:
    """``y = W x + b``: W is (out, in), b is (out,)."""
    for name, rep, width in (("rep_in", rep_in, module.in_features), ("rep_out", rep_out, module.out_features)):
        if rep.dim != width:
            side = "in" if name == "rep_in" else "out"
            raise ShapeError(
                argument,
                expected=f"{name} of dimension {width}, as {side}_features={width}",
                got=f"dimension {rep.dim}, from {rep}",
                advice="The pair is (rep_in, rep_out).",
            )
    weight = Slot("weight", (rep_out, rep_in.dual()), "weight")
    return (weight,) if module.bias is None else (weight, Slot("bias", (rep_out,), "bias"))


# Convolutions and the rest join here, each with the projector axes that its weight layout needs.
MODULE_TYPINGS: dict[type[nn.Module], ModuleTyping] = {nn.Linear: _linear}


def module_slots(
    module: nn.Module, rep_in: Representation, rep_out: Representation, name: str, argument: str
) -> tuple[Slot, ...]:
    """The typed parameters of ``module``, by the nearest type in its ancestry.

    Raises:
        ArgumentError: nothing is known of modules of this type.
        ShapeError: the representations do not fit the module's widths.
    """
    for kind in type(module).__mro__:
        if kind in MODULE_TYPINGS:
            return MODULE_TYPINGS[kind](module, rep_in, rep_out, argument)
    prefix = f"{name}." if name else ""
    inside = [prefix + key for key, child in module.named_modules() if key and type(child) in MODULE_TYPINGS]
    own = [prefix + key for key, _ in module.named_parameters(recurse=False)]
    advice = (
        f"Type the modules inside it: {listing(map(repr, inside))}."
        if inside
        else (f"Type its parameters by name, with a representation per axis: {listing(map(repr, own))}.")
    )
    known = listing(kind.__name__ for kind in MODULE_TYPINGS)
    raise ArgumentError(
        argument, expected=f"a pair for a module of type {known}", got=f"a {type(module).__name__}", advice=advice
    )
