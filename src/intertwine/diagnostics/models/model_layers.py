"""The modules of a model that may be judged; what computes a parametrised weight is a part of its layer."""

from collections.abc import Iterator

from torch import nn
from torch.nn.utils import parametrize


def model_layers(model: nn.Module) -> Iterator[tuple[str, nn.Module, bool]]:
    """``(name, module, is_leaf)`` of every module of ``model``, in its order.

    A leaf has no children of its own: the parametrisations of its tensors (``weight_norm``, ``spectral_norm``) are
    none, and neither they nor what is inside them is listed.

    Examples:
        >>> import torch
        >>> conv = torch.nn.utils.parametrizations.weight_norm(torch.nn.Conv2d(3, 8, 3))
        >>> [(name, kind_name(module), leaf) for name, module, leaf in model_layers(torch.nn.Sequential(conv))]
        [('', 'Sequential', False), ('0', 'Conv2d', True)]
    """
    inside: set[int] = set()
    for name, module in model.named_modules():
        if id(module) in inside:
            continue
        computing = module._modules.get("parametrizations") if parametrize.is_parametrized(module) else None
        if computing is not None:
            inside |= {id(part) for part in computing.modules()}
        yield name, module, all(child is computing for child in module.children())


def kind_name(module: nn.Module) -> str:
    """The name of the module's class, of a parametrised one that of its class before."""
    return parametrize.type_before_parametrizations(module).__name__
