"""Convolutional networks for turned digits: C4, D4, C8 on regular fields with SiLU, SO(2) on gated irreps."""

import math
from collections import OrderedDict
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from experiments.rotmnist.data import CLASSES, rotate
from experiments.rotmnist.purposes import stream
from intertwine.baselines import Action, Subject, leave, no_motion
from intertwine.binding import bind
from intertwine.diagnostics import on_grid
from intertwine.errors import ArgumentError, UnknownNameError, listing
from intertwine.groups import SO, Cyclic, Dihedral, Group
from intertwine.nn import Gate
from intertwine.representations import Representation

GROUPS: dict[str, Group] = {"C4": Cyclic(4), "D4": Dihedral(4), "C8": Cyclic(8), "SO(2)": SO(2)}
# Those whose elements take pixels onto pixels.
ON_PIXELS = ("C4", "D4")
# What a unit of width brings to a layer under SO(2): scalars, fields of frequency 1 and 2, and their gates: 8 channels.
UNIT = 8


@dataclass(frozen=True)
class Convolution:
    """A convolution with its padding, and whether means over 2 x 2 pixels follow its activation."""

    kernel: int
    padding: int = 0
    pooled: bool = False


# By the images' side. The centre is kept everywhere: odd kernels with stride 1, and pooling that covers even sides
# without a rest. The last convolution is as large as what is left of the image.
LAYERS = {
    14: (Convolution(5, pooled=True), Convolution(3, 1), Convolution(5)),
    28: (Convolution(7, 3, pooled=True), Convolution(5, 2, pooled=True), Convolution(3), Convolution(5)),
}


class OnChannels(nn.Module):
    """A layer that works on the last axis, on axis 1 of (batch, channels, height, width)."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.layer(x.movedim(1, -1)).movedim(-1, 1)


def layer_fields(group: str, widths: tuple[int, ...]) -> list[Representation]:
    """What the features after each convolution carry.

    Regular fields, as many as fit the width; under SO(2) scalars and frequencies 1 and 2. At the end scalars, as many
    for every group: the mean over regular fields would leave large groups with few invariants.

    Raises:
        ArgumentError: a width that is not a multiple of 8.
        UnknownNameError: no such group.
    """
    if group not in GROUPS:
        raise UnknownNameError("group", expected=f"one of {listing(GROUPS)}", got=repr(group))
    if any(width < 1 or width % UNIT for width in widths):
        raise ArgumentError("widths", expected=f"multiples of {UNIT}", got=widths)
    G = GROUPS[group]
    scalars = widths[-1] * G.trivial()
    if group == "SO(2)":
        units = [width // UNIT for width in widths[:-1]]
        return [G.irreps(f"{2 * n}x0 + {n}x1 + {n}x2") for n in units] + [scalars]
    return [width // G.order * G.regular() for width in widths[:-1]] + [scalars]


def network(group: str, side: int, widths: tuple[int, ...], seed: int) -> nn.Sequential:
    """Images (batch, 1, side, side) -> logits (batch, 10), with weights drawn from the seed.

    C4, D4 and C8 have one and the same network, and the same weights: only its types differ. That of SO(2) has gates in
    place of SiLU, and so fewer features after convolutions of the same width. Weights are normal, of variance
    ``2 / fan_in`` (He et al. 2015); biases begin at zero.

    Raises:
        ArgumentError: a side for which there are no layers, or widths that do not fit.
    """
    if side not in LAYERS or len(widths) != len(LAYERS[side]):
        sizes = ", ".join(f"{key} with {len(value)} widths" for key, value in LAYERS.items())
        raise ArgumentError("side, widths", expected=f"one of {sizes}", got=(side, widths))
    fields = layer_fields(group, widths)
    layers: OrderedDict[str, nn.Module] = OrderedDict()
    channels = 1
    for i, (convolution, rep) in enumerate(zip(LAYERS[side], fields, strict=True), start=1):
        gated = group == "SO(2)" and i < len(fields)
        gate = Gate(rep) if gated else None
        outputs = rep.dim if gate is None else gate.rep_in.dim
        layers[f"conv{i}"] = nn.Conv2d(channels, outputs, convolution.kernel, padding=convolution.padding)
        layers[f"act{i}"] = nn.SiLU() if gate is None else OnChannels(gate)
        if convolution.pooled:
            layers[f"pool{i}"] = nn.AvgPool2d(2)
        channels = rep.dim
    layers["flat"] = nn.Flatten()
    layers["head"] = nn.Linear(channels, CLASSES)
    generator = stream(seed, "weights")
    for layer in layers.values():
        if isinstance(layer, nn.Conv2d | nn.Linear) and layer.bias is not None:
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=generator)
            nn.init.zeros_(layer.bias)
    return nn.Sequential(layers)


def network_types(group: str, widths: tuple[int, ...]) -> dict[str, tuple[Representation, Representation]]:
    """How the group acts on both sides of each layer."""
    G, fields = GROUPS[group], layer_fields(group, widths)
    types: dict[str, tuple[Representation, Representation]] = {}
    rep_in = G.trivial()
    for i, rep in enumerate(fields, start=1):
        gated = group == "SO(2)" and i < len(fields)
        types[f"conv{i}"] = (rep_in, Gate(rep).rep_in if gated else rep)
        rep_in = rep
    types["head"] = (rep_in, CLASSES * G.trivial())
    return types


def digits_subject(group: str, side: int, widths: tuple[int, ...], seed: int, device: str = "cpu") -> Subject:
    """The typed network and the actions on images, on features after each activation, and on logits."""
    model = network(group, side, widths, seed).to(device)
    G = GROUPS[group]
    return Subject(
        model=model,
        binding=bind(model, network_types(group, widths)),
        group=G,
        act_in=image_action(group, G.trivial()),
        act_out=leave,
        hidden={f"act{i}": image_action(group, rep) for i, rep in enumerate(layer_fields(group, widths), start=1)},
        lie_in=image_derivative if group == "SO(2)" else None,
        lie_out=no_motion if group == "SO(2)" else None,
    )


def image_action(group: str, rep: Representation) -> Action:
    """``(g f)(x) = rho(g) f(g^-1 x)`` on images (batch, rep.dim, side, side), bilinear where pixels miss pixels."""
    if group in ON_PIXELS:
        return on_grid(rep)
    # Scalars need no matrix, and most of what is turned are single images.
    return partial(_turn, None if rep == rep.dim * GROUPS[group].trivial() else rep)


def image_derivative(A: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """``d/dt (exp(tA) f)(x) = -grad f(x) . A x`` at t = 0 for images f, by central differences, zero outside.

    Args:
        A: an element of the Lie algebra of SO(2), a multiple of ``[[0, -1], [1, 0]]``.
        x: shape (batch, channels, side, side).

    Examples:
        >>> x = torch.rand(1, 1, 28, 28, generator=torch.Generator().manual_seed(0))
        >>> smooth = torch.nn.functional.avg_pool2d(x, 9, 1, 4)
        >>> turned = (rotate(smooth, torch.tensor(0.01)) - rotate(smooth, torch.tensor(-0.01))) / 0.02
        >>> found = image_derivative(torch.tensor([[0.0, -1.0], [1.0, 0.0]]), smooth)
        >>> bool((found - turned).norm() < 0.5 * turned.norm())
        True
    """
    side = x.shape[-1]
    padded = nn.functional.pad(x, (1, 1, 1, 1))
    along_x = (padded[..., 1:-1, 2:] - padded[..., 1:-1, :-2]) / 2
    # y points up, rows down.
    along_y = (padded[..., :-2, 1:-1] - padded[..., 2:, 1:-1]) / 2
    places = torch.arange(side, device=x.device, dtype=x.dtype) - (side - 1) / 2
    column, height = places.view(1, -1), -places.view(-1, 1)
    a = A.to(x)
    return -(along_x * (a[0, 0] * column + a[0, 1] * height) + along_y * (a[1, 0] * column + a[1, 1] * height))


def _turn(rep: Representation | None, g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """A turned image whose channels carry ``rep``, or scalars."""
    moved = rotate(x, torch.tensor(math.atan2(float(g[1, 0]), float(g[0, 0]))))
    return moved if rep is None else rep.act(g, moved.movedim(1, -1)).movedim(-1, 1)
