"""The error for a module of a type of which nothing is known, with how to type what it holds."""

from torch import nn

from intertwine.binding.names import qualified_name
from intertwine.errors import ArgumentError, listing, with_article
from intertwine.layers.registry import BUILT_IN, parameters_of
from intertwine.layers.rule import Rules


def unknown_module(module: nn.Module, name: str, argument: str, rules: Rules) -> ArgumentError:
    """The error for ``module``, which ``types`` names."""
    prefix = f"{name}." if name else ""
    inside = [prefix + key for key, child in module.named_modules() if key and parameters_of(child, rules) is not None]
    own = [prefix + key for key, _ in module.named_parameters(recurse=False)]
    if hasattr(module, "irreps_in") and hasattr(module, "irreps_out"):
        advice = (
            "Its weights are coefficients of an equivariant basis, every value of which is equivariant: leave it out."
        )
    elif inside:
        advice = f"Type the modules inside it: {listing(map(repr, inside))}."
    elif own:
        names = listing(map(repr, own))
        advice = (
            f"Type its parameters by name, with a representation per axis or a Projector: {names}. Or say what such a "
            f"layer means, with rules={{{type(module).__name__}: iw.LayerRule(...)}}."
        )
    else:
        advice = "It holds no parameters (a quantised layer packs them): bind the model before it is converted."
    known = listing(kind.__name__ for kind, rule in BUILT_IN.items() if rule.parameters and not rule.same)
    return ArgumentError(
        argument,
        expected=f"a pair for a module of type {known}, a layer that computes x W^T + b, or a representation for a "
        "norm layer",
        got=f"{with_article(qualified_name(module))}",
        advice=advice,
    )
