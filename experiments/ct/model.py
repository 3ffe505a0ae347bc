"""A small residual U-Net for squares of odd side, its features regular fields of C4."""

from functools import partial

import torch
import torch.nn.functional as F
from torch import nn

from experiments.ct.purposes import stream
from intertwine.baselines import Subject
from intertwine.binding import bind
from intertwine.diagnostics import on_grid
from intertwine.errors import ArgumentError
from intertwine.groups import Cyclic
from intertwine.representations import Representation

GROUP = Cyclic(4)
# The size of the last layer's initial weights, against that of a usual layer: at first the image hardly changes.
LAST_SCALE = 0.01
# Below zero; with a plain ReLU whole networks died in trials.
SLOPE = 0.1


class CorrectionNetwork(nn.Module):
    """``x_0 + (1 - metal) * U(x)``: a U-Net's correction of the first input outside the metal, the last input.

    Three levels. Convolutions with stride 2 go down, from odd sides to odd ones (65, 33, 17), so that the middle pixel
    is always met; bilinear interpolation between the outermost pixels' centres goes up. So the network is exactly
    equivariant where its weights are, whatever the padding by zeros does to translations.

    Shapes: (batch, inputs, side, side) -> (batch, 1, side, side), side = 1 mod 4.

    Args:
        inputs: images and the mask.
        widths: channels of the three levels, multiples of 4.
        generator: of the initial weights, normal of variance 2 / fan_in (He et al. 2015); biases begin at zero.

    Raises:
        ArgumentError: widths that are no multiples of 4.

    Examples:
        >>> CorrectionNetwork(3, (4, 8, 8))(torch.zeros(2, 3, 33, 33)).shape
        torch.Size([2, 1, 33, 33])
    """

    def __init__(self, inputs: int, widths: tuple[int, int, int], generator: torch.Generator | None = None) -> None:
        if len(widths) != 3 or any(width < 1 or width % GROUP.order for width in widths):
            raise ArgumentError("widths", expected=f"three multiples of {GROUP.order}", got=widths)
        super().__init__()
        first, second, third = widths
        convolution = partial(nn.Conv2d, kernel_size=3, padding=1)
        self.enter = convolution(inputs, first)
        self.down1 = convolution(first, second, stride=2)
        self.middle = convolution(second, second)
        self.down2 = convolution(second, third, stride=2)
        self.bottom = convolution(third, third)
        self.up2 = convolution(second + third, second)
        self.up1 = convolution(first + second, first)
        self.leave = convolution(first, 1)
        for layer in self.children():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
                nn.init.zeros_(layer.bias)
        with torch.no_grad():
            self.leave.weight.mul_(LAST_SCALE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The corrected image."""
        first = _active(self.enter(x))
        second = _active(self.middle(_active(self.down1(first))))
        third = _active(self.bottom(_active(self.down2(second))))
        second = _active(self.up2(torch.cat([second, _enlarged(third, second)], 1)))
        first = _active(self.up1(torch.cat([first, _enlarged(second, first)], 1)))
        return x[:, :1] + (1 - x[:, -1:]) * self.leave(first)


def _active(x: torch.Tensor) -> torch.Tensor:
    return F.leaky_relu(x, SLOPE)


def _enlarged(x: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return F.interpolate(x, size=like.shape[-2:], mode="bilinear", align_corners=True)


def network_types(inputs: int, widths: tuple[int, int, int]) -> dict[str, tuple[Representation, Representation]]:
    """How C4 acts on both sides of each layer; inputs and output are scalars at each pixel."""
    first, second, third = (width // GROUP.order * GROUP.regular() for width in widths)
    scalar = GROUP.trivial()
    return {
        "enter": (inputs * scalar, first),
        "down1": (first, second),
        "middle": (second, second),
        "down2": (second, third),
        "bottom": (third, third),
        "up2": (second + third, second),
        "up1": (first + second, first),
        "leave": (first, scalar),
    }


def ct_subject(inputs: int, widths: tuple[int, int, int], seed: int, device: str = "cpu") -> Subject:
    """The typed network with the weights of a seed, and C4 on images and on the features before each activation."""
    model = CorrectionNetwork(inputs, widths, stream(seed, "weights")).to(device)
    types = network_types(inputs, widths)
    return Subject(
        model=model,
        binding=bind(model, types),
        group=GROUP,
        act_in=on_grid(inputs * GROUP.trivial()),
        act_out=on_grid(GROUP.trivial()),
        hidden={name: on_grid(rep_out) for name, (_, rep_out) in types.items() if name != "leave"},
    )
