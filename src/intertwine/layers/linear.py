"""Linear maps."""

from typing import Any

from torch import nn

from intertwine.layers.layer_type import LayerType, Slot
from intertwine.layers.rule import LayerRule


def parameters(module: Any, layer_type: LayerType) -> tuple[Slot, ...]:
    """``y = W x + b``: W is (out, in), b is (out,)."""
    layer_type.check_options(("over",), module)
    rep_in, rep_out = layer_type.rep_in, layer_type.rep_out
    layer_type.check_width("rep_in", rep_in, module.in_features, "in_features")
    layer_type.check_width("rep_out", rep_out, module.out_features, "out_features")
    weight = layer_type.matrix("weight", rep_in, rep_out)
    return (weight,) if module.bias is None else (weight, layer_type.vector("bias", rep_out))


LINEAR: dict[type[nn.Module], LayerRule] = {nn.Linear: LayerRule(parameters)}
