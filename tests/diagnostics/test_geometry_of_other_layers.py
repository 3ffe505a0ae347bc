"""Layers that are not torch's own as they come: parametrised, pruned, subclassed, padding inside ``forward``."""

import math
import warnings
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations, prune

import intertwine as iw
from tests.binding.acting import image_error, projected
from tests.diagnostics.test_geometry import randn

C4, D4 = iw.Cyclic(4), iw.Dihedral(4)


def old(wrap: Callable[[nn.Module], nn.Module]) -> Callable[[nn.Module], nn.Module]:
    def wrapped(module: nn.Module) -> nn.Module:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # deprecated, and still in use
            return wrap(module)

    return wrapped


class WithChildren(nn.Conv2d):
    """A convolution that brings its own norm along."""

    def __init__(self, *args: int, **options: int) -> None:
        super().__init__(*args, **options)
        self.norm = nn.BatchNorm2d(self.out_channels)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(super().forward(x))


WRAPS: dict[str, Callable[[nn.Module], nn.Module]] = {
    "plain": lambda module: module,
    "weight_norm": parametrizations.weight_norm,
    "spectral_norm": parametrizations.spectral_norm,
    "orthogonal": parametrizations.orthogonal,
    "old weight_norm": old(nn.utils.weight_norm),
    "old spectral_norm": old(nn.utils.spectral_norm),
    "pruned": lambda module: prune.l1_unstructured(module, "weight", 0.5),
    "pruned whole": lambda module: prune.ln_structured(module, "weight", 0.5, 2, 0),
}


@pytest.mark.parametrize("wrap", WRAPS.values(), ids=WRAPS.keys())
@pytest.mark.parametrize("kind", [nn.Conv2d, nn.LazyConv2d, WithChildren])
def test_wrapped_convolutions_are_judged_as_plain_ones(
    wrap: Callable[[nn.Module], nn.Module], kind: type[nn.Module]
) -> None:
    if kind is nn.LazyConv2d:
        layer = kind(8, 7, stride=2, padding=3)
        layer(torch.zeros(1, 3, 64, 64))
    else:
        layer = kind(3, 8, 7, stride=2, padding=3)
    stem = nn.Sequential(wrap(layer))
    for side, breaking in ((64, ["0"]), (65, [])):
        found = iw.geometry(stem, torch.zeros(1, 3, side, side), group=C4)
        assert [layer.name for layer in found.breaking] == breaking
        kind = "conv2d()" if isinstance(layer, WithChildren) else type(layer).__name__.removeprefix("Parametrized")
        assert [layer.kind for layer in found.layers] == [kind]
        assert not any("parametrizations" in layer.name for layer in found.layers)


def test_what_computes_a_weight_is_no_layer() -> None:
    class Halved(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pool = nn.AvgPool2d(3, 1, 1)

        def forward(self, weight: torch.Tensor) -> torch.Tensor:
            return self.pool(weight)

    conv = nn.Conv2d(2, 2, 4, padding="valid")
    nn.utils.parametrize.register_parametrization(conv, "weight", Halved())
    found = iw.geometry(nn.Sequential(conv), torch.zeros(1, 2, 4, 4), group=C4)
    assert [layer.name for layer in found.layers] == ["0"]
    report = iw.report(iw.bind(nn.Sequential(conv, nn.Linear(1, 1)), {"1": (C4.trivial(), C4.trivial())}))
    assert [module.name for module in report.unanalysed] == ["0"]


@pytest.mark.filterwarnings("ignore:.*quantize:UserWarning", "ignore::DeprecationWarning")
def test_quantised_convolutions_are_judged_by_what_they_hold() -> None:
    conv = torch.ao.nn.quantized.Conv2d(3, 8, 3, stride=2, padding=1)
    for side, verdict in ((8, "breaks"), (9, "keeps")):
        model = nn.Sequential(torch.ao.nn.quantized.Quantize(0.1, 0, torch.quint8), conv)
        layers = iw.geometry(model, torch.zeros(1, 3, side, side), group=C4).layers
        assert [(layer.name, layer.verdict) for layer in layers] == [("1", verdict)]


class Conv2dSame(nn.Conv2d):
    """Pads inside ``forward`` as TensorFlow's "SAME" does, the odd pixel after; ``padding`` says 0."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        pads: list[int] = []
        for n, k, s, d in zip(x.shape[:1:-1], self.kernel_size, self.stride, self.dilation, strict=True):
            total = max((math.ceil(n / s) - 1) * s + d * (k - 1) + 1 - n, 0)
            pads += [total // 2, total - total // 2]
        return super().forward(nn.functional.pad(x, pads))


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [8, 9, 32, 33])
def test_a_convolution_that_pads_inside_is_never_judged_by_what_it_says(side: int, stride: int) -> None:
    conv = Conv2dSame(4, 4, 3, stride=stride)
    projected(conv, {"": (C4.regular(), C4.regular())})
    keeps = image_error(conv, C4.regular(), C4.regular(), (side, side)) < 1e-10
    assert keeps == (stride == 1 or side % 2 == 1)
    (layer,) = iw.geometry(nn.Sequential(conv), randn(1, 4, side, side), group=C4).layers
    assert (layer.name, layer.kind) == ("0", "conv2d()")
    assert layer.verdict == ("keeps" if keeps else "breaks")
    assert keeps or "axis 0: pads 0 before and 1 after" in layer.reason


class Cropping(nn.MaxPool2d):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return super().forward(x)[..., 1:, 1:]


@pytest.mark.parametrize(
    "layer",
    [
        type(
            "Cropped",
            (nn.ConvTranspose2d,),
            {"forward": lambda self, x: nn.ConvTranspose2d.forward(self, x)[..., 3:, 3:]},
        )(1, 1, 3),
        Cropping(2, 1),
        type("Adaptive", (nn.AdaptiveAvgPool2d,), {"forward": lambda self, x: x[..., 1:, 1:]})(5),
        type("Padded", (nn.ZeroPad2d,), {"forward": lambda self, x: x[..., 1:, 1:]})(1),
    ],
)
def test_another_output_than_the_settings_make_is_unknown(layer: nn.Module) -> None:
    found = iw.geometry(layer, torch.zeros(1, 1, 9, 9), group=D4).layers[-1]
    assert found.verdict == "unknown"
    # What was sliced off is named where it makes the whole of the output.
    assert "where its settings make" in found.reason or "pixels apart or moves them" in found.reason
    assert "first_breaker" in found.advice


def test_layers_of_other_dimensions_are_unknown_and_raise_nothing() -> None:
    for layer in (nn.AdaptiveAvgPool3d((2, 2, 2)), nn.MaxPool3d(2), nn.ZeroPad3d(1)):
        found = iw.geometry(layer, torch.zeros(1, 4, 4, 4), group=C4).layers[0]  # (channels, depth, height, width)
        assert (found.verdict, found.reason) == ("unknown", "works along 3 axes, and the group moves 2")
