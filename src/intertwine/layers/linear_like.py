"""Linear layers of other libraries, known by what they hold and by what they compute, not by their class."""

from typing import Any

import torch
from torch import nn

from intertwine.layers.effective.parametrized import parametrized_names
from intertwine.layers.layer_type import LayerType, Slot

# How classes call their widths: PyTorch Geometric has channels, transformers' Conv1D (stored in, out) nx and nf.
_WIDTHS = (("in_features", "out_features"), ("in_channels", "out_channels"), ("nx", "nf"))


def is_linear_like(module: nn.Module) -> bool:
    """Whether the module holds a weight and at most a bias, and gives ``x W^T + b`` (``x W + b`` if stored (in, out)).

    Examples:
        >>> class Layer(nn.Module):
        ...     def __init__(self):
        ...         super().__init__()
        ...         self.in_channels, self.out_channels = 4, 2
        ...         self.weight = nn.Parameter(torch.ones(2, 4))
        ...
        ...     def forward(self, x):
        ...         return x @ self.weight.T
        >>> is_linear_like(Layer())
        True
    """
    return _is_transposed(module) is not None


def linear_like(module: Any, layer_type: LayerType) -> tuple[Slot, ...]:
    """``y = W x + b``, W stored (out, in) or (in, out)."""
    layer_type.check_options(("over",), module)
    rep_in, rep_out = layer_type.rep_in, layer_type.rep_out
    transposed = bool(_is_transposed(module))
    width_in, width_out = module.weight.shape if transposed else reversed(module.weight.shape)
    layer_type.check_width("rep_in", rep_in, width_in, "inputs of its weight")
    layer_type.check_width("rep_out", rep_out, width_out, "outputs of its weight")
    weight = layer_type.matrix("weight", rep_in, rep_out, transposed=transposed)
    return (weight,) if getattr(module, "bias", None) is None else (weight, layer_type.vector("bias", rep_out))


def _is_transposed(module: nn.Module) -> bool | None:
    """Whether the weight is stored (in, out); None for a module that is no linear map of this kind."""
    weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
    held = {name for name, tensor in module._parameters.items() if tensor is not None} | set(parametrized_names(module))
    if not (isinstance(weight, torch.Tensor) and weight.ndim == 2 and weight.numel() and "weight" in held):
        return None
    if held - {"weight", "bias"} or not (bias is None or (isinstance(bias, torch.Tensor) and bias.ndim == 1)):
        return None
    if any(child is not module._modules.get("parametrizations") for child in module.children()):
        return None
    for names in _WIDTHS:
        widths = [getattr(module, name, None) for name in names]
        if names[1] == "nf" and widths[1] == weight.shape[1]:
            widths[0] = weight.shape[0]  # older versions keep nf alone
        for transposed in (False, True):
            shape = tuple(weight.shape)[:: 1 if transposed else -1]
            if tuple(widths) == shape and _computes(module, weight, bias, transposed=transposed):
                return transposed
    return None


@torch.no_grad()
def _computes(module: nn.Module, weight: torch.Tensor, bias: torch.Tensor | None, *, transposed: bool) -> bool:
    """Whether two rows go through the module as through the map that it seems to be; trusted where nothing can run."""
    if weight.is_meta or (bias is not None and len(bias) != weight.shape[1 if transposed else 0]):
        return weight.is_meta and bias is None
    matrix = weight if transposed else weight.T
    x = torch.linspace(-1, 2, 2 * len(matrix), dtype=torch.float32).reshape(2, -1).to(weight)
    expected = x @ matrix if bias is None else x @ matrix + bias
    modes = [(part, part.training) for part in module.modules()]
    try:
        found = module.eval().forward(x)  # forward: hooks are not ours to call
    except (RuntimeError, TypeError, ValueError, LookupError, AttributeError):
        return False  # it takes something else
    finally:
        for part, mode in modes:
            part.training = mode
    if not isinstance(found, torch.Tensor) or found.shape != expected.shape:
        return False
    return bool(torch.allclose(found.to(expected), expected, rtol=1e-2, atol=1e-2 * float(expected.abs().max())))
