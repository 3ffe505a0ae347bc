"""The layers of ``intertwine.nn``: equivariant whatever their weights are, under types that they carry themselves."""

from torch import nn

from intertwine.layers.layer_type import LayerType, Slot
from intertwine.layers.rule import LayerRule
from intertwine.nn import FieldNorm, Gate, InvariantReadout, NormActivation, PointwiseActivation


def field_norm(module: FieldNorm, layer_type: LayerType) -> tuple[Slot, ...]:
    """One scale a copy, each of which the group leaves alone."""
    layer_type.check_options((), module)
    if module.weight is None:
        return ()
    invariants = len(module.weight) * layer_type.rep_in.group.trivial()
    return (Slot("weight", layer_type.tensor((invariants,)), "weight"),)


_WITHOUT_WEIGHTS = LayerRule(equivariant=True)
OWN: dict[type[nn.Module], LayerRule] = {
    FieldNorm: LayerRule(field_norm, equivariant=True),
    **dict.fromkeys((Gate, InvariantReadout, NormActivation, PointwiseActivation), _WITHOUT_WEIGHTS),
}
