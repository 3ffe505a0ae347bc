"""The residual U-Net with the convolutions of e2cnn: layers, kernels and fields of ours, the library's own basis."""

from experiments.ct.model import GROUP, LAST_SCALE, CorrectionNetwork
from experiments.ct.purposes import stream
from experiments.e2cnn.layers import SteerableConvolution, e2cnn_draw
from intertwine.baselines import Subject
from intertwine.binding import Binding
from intertwine.diagnostics import on_grid


def e2cnn_correction(inputs: int, widths: tuple[int, int, int], seed: int) -> CorrectionNetwork:
    """``CorrectionNetwork`` with steerable convolutions in the place of its own, between the same regular fields of C4.

    Kernels are drawn by the library, those of the last layer made smaller as there.

    Raises:
        ArgumentError: widths that are no multiples of 4.
    """
    from e2cnn import gspaces
    from e2cnn.nn import FieldType

    model = CorrectionNetwork(inputs, widths, stream(seed, "weights"))
    space = gspaces.Rot2dOnR2(GROUP.order)
    first, second, third = (width // GROUP.order * [space.regular_repr] for width in widths)
    fields = {
        "enter": (inputs * [space.trivial_repr], first),
        "down1": (first, second),
        "middle": (second, second),
        "down2": (second, third),
        "bottom": (third, third),
        "up2": (second + third, second),
        "up1": (first + second, first),
        "leave": (first, [space.trivial_repr]),
    }
    with e2cnn_draw(stream(seed, "weights").initial_seed()):
        for name, (field_in, field_out) in fields.items():
            types = FieldType(space, field_in), FieldType(space, field_out)
            stride = 2 if name.startswith("down") else 1
            layer = SteerableConvolution(*types, kernel=3, padding=1, stride=stride)
            setattr(model, name, layer)
            if name == "leave":
                layer.convolution.weights.data.mul_(LAST_SCALE)
    return model


def e2cnn_subject(inputs: int, widths: tuple[int, int, int], seed: int, device: str = "cpu") -> Subject:
    """The network with the weights of a seed, and C4 on images; nothing in it is typed.

    Raises:
        ArgumentError: widths that are no multiples of 4.
    """
    model = e2cnn_correction(inputs, widths, seed).to(device)
    return Subject(
        model=model,
        binding=Binding(model, ()),
        group=GROUP,
        act_in=on_grid(inputs * GROUP.trivial()),
        act_out=on_grid(GROUP.trivial()),
    )
