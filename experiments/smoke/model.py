"""The networks of the smoke plumes: from a few frames of velocity to the next one, and on from there."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from itertools import pairwise

import torch
from torch import nn

from experiments.smoke.e2cnn import E2cnnStep
from experiments.smoke.roll_out import RollOut
from experiments.smoke.split import stream
from experiments.smoke.turns import C4, turn_fields, turn_frames, turn_history
from intertwine.baselines import Subject, leave
from intertwine.baselines.relaxed import (
    RelaxedGroupConv2d,
    RelaxedLiftingConv2d,
    RelaxedProjectingConv2d,
    RelaxedScaleConv2d,
    RelaxedScaleLiftingConv2d,
    RelaxedSteerableConv2d,
    RelaxedTranslationConv2d,
    relaxed_types,
)
from intertwine.binding import Binding, bind
from intertwine.errors import ArgumentError, UnknownNameError, listing
from intertwine.groups import Trivial

KERNEL = 3
# Filters that the relaxed weights mix, and scales of a scale layer.
BANKS, SCALES = 2, 3
# The symmetries with the networks that there are for each; "convolutional" is the plain one.
NETWORKS: Mapping[str, tuple[str, ...]] = {
    "translation": ("convolutional", "relaxed_group"),
    "rotation": ("convolutional", "e2cnn", "relaxed_group", "relaxed_steerable"),
    "scale": ("convolutional", "relaxed_group"),
}


class ScaleMean(nn.Module):
    """Functions of the scale (batch, fields * scales, H, W) -> their means over the scales (batch, fields, H, W)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The means."""
        return x.unflatten(1, (-1, SCALES)).mean(2)


def symmetry(condition: str) -> str:
    """The symmetry that a condition is about: every place of the dial is about rotation.

    Examples:
        >>> symmetry("scale"), symmetry("break 0.3")
        ('scale', 'rotation')
    """
    return condition if condition in NETWORKS else "rotation"


def smoke_subject(  # noqa: PLR0913 - a network says all that it is made of
    condition: str, network: str, seed: int, *, history: int, width: int, side: int, steps: int, depth: int = 3,
    change: float = 1.0,
) -> Subject:  # fmt: skip
    """A network with its types and actions, its weights drawn from the seed.

    ======================  ============================================================================================
    symmetry, network       layers
    ======================  ============================================================================================
    any, convolutional      3x3 convolutions and ReLU, zero padding; under rotation typed for C4, velocities as vectors,
                            hidden channels as regular fields
    rotation, e2cnn         the same layers between the same fields, kernels by e2cnn; none of its weights is typed
    translation,            3x3 kernels that vary over the image, circular padding: with equal weights it commutes with
    relaxed_group           all shifts of the torus
    rotation,               relaxed lifting, group and projecting convolutions of C4
    relaxed_group
    rotation,               relaxed steerable convolutions between the same fields
    relaxed_steerable
    scale, relaxed_group    filters at dilations 1, 2, 4 and the mean over the scales at the end
    ======================  ============================================================================================

    The last layer has no bias: no velocity is invariant.

    Args:
        condition: of the data; says the symmetry.
        network: of ``NETWORKS``.
        seed: of the weights.
        history: frames in.
        width: hidden channels, a multiple of 4; under scale of 3 times as many as fit.
        side: pixels along a side.
        steps: frames out.
        depth: hidden layers.
        change: as ``RollOut`` takes it.

    Raises:
        UnknownNameError: no such network for this symmetry.
        ArgumentError: a width that is not a positive multiple of 4.
        MissingExtraError: e2cnn is not installed, and the network is its.
    """
    kind = symmetry(condition)
    if network not in NETWORKS[kind]:
        raise UnknownNameError("network", expected=f"one of {listing(NETWORKS[kind])}", got=repr(network))
    if width < 4 or width % 4:
        raise ArgumentError("width", expected="a multiple of 4", got=width)
    builders: dict[tuple[str, str], Callable[[], nn.Module]] = {
        ("translation", "relaxed_group"): lambda: _sequential(_translation(history, width, depth, side)),
        ("rotation", "relaxed_group"): lambda: _sequential(_rotation_group(history, width, depth)),
        ("rotation", "relaxed_steerable"): lambda: _sequential(_rotation_steerable(history, width, depth)),
        ("rotation", "e2cnn"): lambda: E2cnnStep(history, width, depth, KERNEL),
        ("scale", "relaxed_group"): lambda: _sequential(_scale(history, width, depth)),
    }
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(seed, "weights").initial_seed())
        step = builders.get((kind, network), lambda: _sequential(_convolutional(history, width, depth)))()
    model = RollOut(step, steps, change)
    if network == "e2cnn":
        return Subject(model, Binding(model, ()), C4, turn_history, turn_frames)
    if network != "convolutional":
        types: Mapping[str, object] = relaxed_types(model, "filters")
    elif kind == "rotation":
        reps = [history * C4.standard(), *depth * [width // 4 * C4.regular()], C4.standard()]
        types = {f"step.{layer}": pair for layer, pair in zip(_names(depth), pairwise(reps), strict=True)}
    else:
        # A convolution is equivariant under translations by itself, and has no weights that a scaling would act on.
        types = {}
    binding = bind(model, types) if types else Binding(model, ())
    if kind != "rotation":
        return Subject(model, binding, Trivial(), leave, leave)
    hidden = {f"step.act{i}": turn_fields for i in range(depth)}
    return Subject(model, binding, C4, turn_history, turn_frames, hidden=hidden)


def network_error(model: nn.Module, condition: str, x: torch.Tensor) -> float:
    r"""How far the network is from commuting with the symmetry, ``|f(g x) - g f(x)| / |f(x)|``, for the worst g.

    f is the predicted change, the frames less the last one seen, which is equivariant by itself.

    * Rotation: over the turns of C4.
    * Translation: over shifts of the torus by a quarter and a half of its side, along both axes.
    * Scale: g takes every second pixel and halves the velocities, which count pixels; on the image that is left. Here
      equal weights do not make it 0: the scales end, and ReLU with biases is not homogeneous in the velocity.

    Args:
        model: as ``smoke_subject`` gives it, or an average of it.
        condition: of the data; says the symmetry.
        x: inputs.
    """
    kind = symmetry(condition)

    def change(inputs: torch.Tensor) -> torch.Tensor:
        return model(inputs) - inputs[:, None, -2:]

    found = change(x)
    if kind == "rotation":
        pairs = [(change(turn_history(g, x)), turn_frames(g, found)) for g in C4.elements()]
    elif kind == "translation":
        quarter = x.shape[-1] // 4
        shifts = [(quarter, 0), (0, quarter), (2 * quarter, 2 * quarter)]
        pairs = [(change(x.roll(shift, (-2, -1))), found.roll(shift, (-2, -1))) for shift in shifts]
    else:
        pairs = [(change(x[..., ::2, ::2] / 2), found[..., ::2, ::2] / 2)]
    return max(float((moved - expected).norm() / expected.norm().clamp(min=1e-30)) for moved, expected in pairs)


def _names(depth: int) -> list[str]:
    return [f"conv{i}" for i in range(depth + 1)]


def _sequential(layers: list[nn.Module]) -> nn.Sequential:
    """Convolutions ``conv0``, ``conv1``, ... with ``act0``, ``act1``, ... between them; further modules at the end."""
    depth = sum(hasattr(layer, "padding_mode") for layer in layers) - 1
    named: OrderedDict[str, nn.Module] = OrderedDict()
    for i, name in enumerate(_names(depth)):
        named[name] = layers[i]
        if i < depth:
            named[f"act{i}"] = nn.ReLU()
    named.update({f"end{i}": layer for i, layer in enumerate(layers[depth + 1 :])})
    return nn.Sequential(named)


def _convolutional(history: int, width: int, depth: int) -> list[nn.Module]:
    widths = [2 * history, *depth * [width]]
    hidden = [nn.Conv2d(n, m, KERNEL, padding=KERNEL // 2) for n, m in pairwise(widths)]
    return [*hidden, nn.Conv2d(width, 2, KERNEL, padding=KERNEL // 2, bias=False)]


def _translation(history: int, width: int, depth: int, side: int) -> list[nn.Module]:
    widths = [2 * history, *depth * [width], 2]
    return [
        RelaxedTranslationConv2d(
            n, m, KERNEL, size=(side, side), banks=BANKS, bias=i < depth, padding_mode="circular"
        )
        for i, (n, m) in enumerate(pairwise(widths))
    ]  # fmt: skip


def _rotation_group(history: int, width: int, depth: int) -> list[nn.Module]:
    fields, vector = width // 4, C4.standard()
    first = RelaxedLiftingConv2d(history, fields, KERNEL, banks=BANKS, field=vector)
    hidden = [RelaxedGroupConv2d(fields, fields, KERNEL, banks=BANKS) for _ in range(depth - 1)]
    return [first, *hidden, RelaxedProjectingConv2d(fields, 1, KERNEL, banks=BANKS, field=vector)]


def _rotation_steerable(history: int, width: int, depth: int) -> list[nn.Module]:
    fields = [history, *depth * [width // 4], 1]
    reps = [C4.standard(), *depth * [C4.regular()], C4.standard()]
    return [
        RelaxedSteerableConv2d(rep_in, rep_out, n, m, KERNEL)
        for (rep_in, rep_out), (n, m) in zip(pairwise(reps), pairwise(fields), strict=True)
    ]


def _scale(history: int, width: int, depth: int) -> list[nn.Module]:
    fields = width // SCALES
    first = RelaxedScaleLiftingConv2d(2 * history, fields, KERNEL, scales=SCALES, banks=BANKS)
    hidden = [RelaxedScaleConv2d(fields, fields, KERNEL, scales=SCALES, banks=BANKS) for _ in range(depth - 1)]
    last = RelaxedScaleConv2d(fields, 2, KERNEL, scales=SCALES, banks=BANKS, bias=False)
    return [first, *hidden, last, ScaleMean()]
