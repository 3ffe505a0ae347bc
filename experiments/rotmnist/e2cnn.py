"""The network for turned digits as e2cnn builds it: layers, kernels and fields of ours, the library's own basis."""

from typing import Any

from torch import nn

from experiments.e2cnn.layers import GatedFields, SteerableConvolution, e2cnn_draw
from experiments.rotmnist.model import GROUPS, LAYERS, UNIT, image_action, network
from experiments.rotmnist.purposes import stream
from intertwine.baselines import Subject, leave
from intertwine.binding import Binding


def e2cnn_subject(group: str, side: int, widths: tuple[int, ...], seed: int, device: str = "cpu") -> Subject:
    """The network of ``digits_subject`` with e2cnn's convolutions and gates; nothing in it is typed.

    Regular fields of C4, D4 and C8 go through SiLU, under SO(2) scalars and fields of frequency 1 and 2 through gates,
    as many of each as there. Kernels are drawn by the library, the linear map at the end as there.

    Raises:
        ArgumentError: a side for which there are no layers, or widths that do not fit.
        UnknownNameError: no such group.
    """
    model = e2cnn_network(group, side, widths, seed).to(device)
    G = GROUPS[group]
    return Subject(
        model=model, binding=Binding(model, ()), group=G, act_in=image_action(group, G.trivial()), act_out=leave
    )


def e2cnn_network(group: str, side: int, widths: tuple[int, ...], seed: int) -> nn.Sequential:
    """Images (batch, 1, side, side) -> logits (batch, 10), the weights drawn from the seed.

    Raises:
        ArgumentError: a side for which there are no layers, or widths that do not fit.
        UnknownNameError: no such group.
    """
    from e2cnn.nn import FieldType

    model = network(group, side, widths, seed)
    space = _space(group)
    type_in = FieldType(space, [space.trivial_repr])
    with e2cnn_draw(stream(seed, "weights").initial_seed()):
        for i, (layer, width) in enumerate(zip(LAYERS[side], widths, strict=True), start=1):
            if i == len(widths):
                between = type_out = FieldType(space, width * [space.trivial_repr])
            elif group == "SO(2)":
                units = width // UNIT
                gate = GatedFields(space, 2 * units, [*units * [space.irrep(1)], *units * [space.irrep(2)]])
                between, type_out = gate.type_in, gate.type_out
                setattr(model, f"act{i}", gate)
            else:
                between = type_out = FieldType(space, width // GROUPS[group].order * [space.regular_repr])
            setattr(model, f"conv{i}", SteerableConvolution(type_in, between, layer.kernel, padding=layer.padding))
            type_in = type_out
    return model


def _space(group: str) -> Any:
    """e2cnn's group of the plane."""
    from e2cnn import gspaces

    if group == "D4":
        return gspaces.FlipRot2dOnR2(4)
    if group == "SO(2)":
        # The largest frequency among the fields.
        return gspaces.Rot2dOnR2(-1, maximum_frequency=2)
    return gspaces.Rot2dOnR2(GROUPS[group].order)
