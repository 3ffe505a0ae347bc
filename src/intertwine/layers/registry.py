"""The one table of layer types, and how the rule of a module is found."""

from functools import partial

from torch import nn

from intertwine.layers.activations import POINTWISE, SOFTMAXES
from intertwine.layers.adapters import Ways, adapted_parameters, adapted_tensors
from intertwine.layers.attention import ATTENTION
from intertwine.layers.convolutions import CONVOLUTIONS, is_convolution_like, windows
from intertwine.layers.effective.adapted import is_adapted
from intertwine.layers.embedding import EMBEDDINGS
from intertwine.layers.inactive import INACTIVE
from intertwine.layers.linear import LINEAR
from intertwine.layers.linear_like import is_linear_like, linear_like
from intertwine.layers.norms import NORMS
from intertwine.layers.own import OWN
from intertwine.layers.pooling import POOLINGS
from intertwine.layers.resizing import RESIZING
from intertwine.layers.rule import ATTRIBUTE, Grid, LayerRule, Parameters, Rules
from intertwine.layers.typed import Ends
from intertwine.representations import Representation

BUILT_IN: dict[type[nn.Module], LayerRule] = {
    **LINEAR,
    **CONVOLUTIONS,
    **EMBEDDINGS,
    **ATTENTION,
    **NORMS,
    **POINTWISE,
    **SOFTMAXES,
    **POOLINGS,
    **RESIZING,
    **INACTIVE,
    **OWN,
}
NOTHING = LayerRule()


def rule_of(module: nn.Module, rules: Rules) -> LayerRule:
    """The rule of the nearest class in the module's ancestry: the user's, the class's own, ours; else ``NOTHING``.

    Args:
        module: any module.
        rules: rules of this call, by class; they come first.
    """
    # Some adapters inherit from the layer that they stand around, and compute another weight.
    adapted = "base_layer" in module._modules and is_adapted(module)
    for kind in type(module).__mro__:
        found = rules.get(kind) or vars(kind).get(ATTRIBUTE) or (None if adapted else BUILT_IN.get(kind))
        if found is not None:
            return found
    return NOTHING


def computed_rule_of(module: nn.Module, rules: Rules) -> LayerRule:
    """As ``rule_of``, if the rule speaks of the ``forward`` that the module has, and not of one that it overrides.

    What a class with a ``forward`` of its own computes is not known from the class that it inherits from. Torch's own
    subclasses mean what they inherit.
    """
    overridden = False
    for kind in type(module).__mro__:
        found = rules.get(kind) or vars(kind).get(ATTRIBUTE) or BUILT_IN.get(kind)
        if found is not None:
            return NOTHING if overridden and not is_torchs_own(module) else found
        overridden |= "forward" in vars(kind)
    return NOTHING


def is_torchs_own(module: nn.Module) -> bool:
    """Whether what a module computes is torch's code, so that its class says all."""
    return str(getattr(type(module).forward, "__module__", "")).startswith("torch.")


def parameters_of(module: nn.Module, rules: Rules) -> Parameters | None:
    """How the parameters of the module follow from its type: by its class, or by what it holds and computes."""
    found = rule_of(module, rules)
    if found is NOTHING and is_adapted(module):
        of_base = parameters_of(module.get_submodule("base_layer"), rules)
        return None if of_base is None else partial(adapted_parameters, of_base=of_base)
    if found is NOTHING and is_linear_like(module):
        return linear_like
    return found.parameters


def effective_of(module: nn.Module, rules: Rules) -> dict[str, Ways]:
    """The tensors that the module computes of its parameters, by name, each with the ways in which it may do so."""
    found = rule_of(module, rules)
    if found is NOTHING:
        return adapted_tensors(module) if "base_layer" in module._modules else {}
    return {name: (way,) for name, way in found.effective.items()}


def grid_of(module: nn.Module, rules: Rules) -> Grid | None:
    """What the module does to pixels: by its class, or by the settings of a convolution that it holds."""
    found = rule_of(module, rules)
    return windows if found is NOTHING and is_convolution_like(module) else found.grid


def own_ends(module: nn.Module) -> Ends | None:
    """The types that a module carries itself, as ``rep_in`` and ``rep_out``."""
    rep_in, rep_out = getattr(module, "rep_in", None), getattr(module, "rep_out", None)
    if isinstance(rep_in, Representation) and isinstance(rep_out, Representation):
        return Ends(rep_in, rep_out)
    return None
