"""How a module's parameters follow from its type: one function a module type, found by type."""

from torch import nn
from torch.nn.utils import parametrize

from intertwine.errors import ArgumentError, listing
from intertwine.layers.attention import attention
from intertwine.layers.convolutions import convolution
from intertwine.layers.linear import embedding, embedding_bag, linear
from intertwine.layers.linear_like import is_linear_like, linear_like
from intertwine.layers.norms import NORM_TYPES, norm
from intertwine.layers.rule import ModuleTyping, Slot, Typing

# Modules typed by a pair (rep_in, rep_out).
MODULE_TYPINGS: dict[type[nn.Module], ModuleTyping] = {
    nn.Linear: linear,
    nn.Conv1d: convolution,
    nn.Conv2d: convolution,
    nn.Conv3d: convolution,
    nn.ConvTranspose1d: convolution,
    nn.ConvTranspose2d: convolution,
    nn.ConvTranspose3d: convolution,
    nn.Embedding: embedding,
    nn.EmbeddingBag: embedding_bag,
    nn.MultiheadAttention: attention,
}


def is_norm(module: nn.Module) -> bool:
    """Whether one representation types the module, rather than a pair."""
    return isinstance(module, NORM_TYPES)


def module_slots(module: nn.Module, name: str, typing: Typing) -> tuple[Slot, ...]:
    """The typed tensors of ``module``, by the nearest type in its ancestry.

    Raises:
        ArgumentError: nothing is known of modules of this type, or it has nothing to type.
        ShapeError: the representations do not fit the module's widths.
    """
    if is_norm(module):
        slots = norm(module, typing)
        if not slots:
            raise ArgumentError(
                typing.argument,
                expected="a module with parameters or running statistics",
                got=f"a {type(module).__name__} without",
                advice="Leave it out.",
            )
        return slots
    found = _typing_of(module)
    if found is None:
        raise unknown_module(module, name, typing.argument)
    return found(module, typing)


def _typing_of(module: nn.Module) -> ModuleTyping | None:
    """The function of the nearest type in the module's ancestry, or of what it holds."""
    found = next((MODULE_TYPINGS[kind] for kind in type(module).__mro__ if kind in MODULE_TYPINGS), None)
    return linear_like if found is None and is_linear_like(module) else found


def unknown_module(module: nn.Module, name: str, argument: str) -> ArgumentError:
    """The error for a module of a type of which nothing is known, with how to type what it holds."""
    prefix = f"{name}." if name else ""
    inside = [
        prefix + key
        for key, child in module.named_modules()
        if key and (is_norm(child) or _typing_of(child) is not None)
    ]
    own = [prefix + key for key, _ in module.named_parameters(recurse=False)]
    if hasattr(module, "irreps_in") and hasattr(module, "irreps_out"):
        advice = (
            "Its weights are coefficients of an equivariant basis, every value of which is equivariant: leave it out."
        )
    elif inside:
        advice = f"Type the modules inside it: {listing(map(repr, inside))}."
    elif own:
        advice = (
            f"Type its parameters by name, with a representation per axis or a Projector: {listing(map(repr, own))}."
        )
    else:
        advice = "It holds no parameters (a quantised layer packs them): bind the model before it is converted."
    known = listing(kind.__name__ for kind in MODULE_TYPINGS)
    return ArgumentError(
        argument,
        expected=f"a pair for a module of type {known}, a layer that computes x W^T + b, or a representation for a "
        "norm layer",
        got=f"a {qualified_name(module)}",
        advice=advice,
    )


def qualified_name(module: nn.Module) -> str:
    """The class of a module with the package that it is from, torch's own by their name alone.

    Examples:
        >>> import intertwine as iw
        >>> qualified_name(nn.ReLU()), qualified_name(iw.nn.FieldNorm(iw.Cyclic(4).regular()))
        ('ReLU', 'intertwine.nn.field_norm.FieldNorm')
    """
    kind = parametrize.type_before_parametrizations(module)
    plain = kind.__module__.startswith("torch.nn.modules")
    return kind.__name__ if plain else f"{kind.__module__}.{kind.__qualname__}"
