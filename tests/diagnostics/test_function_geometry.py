"""What ``geometry`` says of functions called inside ``forward``, against what they do."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

import intertwine as iw
from tests.binding.acting import image_error
from tests.diagnostics.test_geometry import GROUPS, group_names, measured, randn

C4, D4 = iw.Cyclic(4), iw.Dihedral(4)


class Calls(nn.Module):
    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


def verdicts(function: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, **options: object) -> list[str]:
    options = options or {"group": D4}
    return [layer.verdict for layer in iw.geometry(nn.Sequential(Calls(function)), x, **options).layers]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_interpolation_keeps_iff_it_commutes(data: st.DataObject) -> None:
    name = data.draw(group_names)
    group, space = GROUPS[name]
    mode = data.draw(st.sampled_from(["nearest", "nearest-exact", "bilinear", "bicubic", "area"]))
    options: dict[str, object] = {"mode": mode}
    if mode in ("bilinear", "bicubic"):
        options |= {"align_corners": data.draw(st.booleans()), "antialias": data.draw(st.booleans())}
    n = data.draw(st.integers(3, 9))
    if data.draw(st.booleans()):
        options["size"] = data.draw(st.integers(2, 12))
    else:
        options["scale_factor"] = data.draw(st.sampled_from([0.5, 0.67, 1.5, 2.0, 3.0]))
        options["recompute_scale_factor"] = data.draw(st.sampled_from([None, True]))
    x = randn(2, group.order, n, n)
    module = Calls(lambda x: F.interpolate(x, **options))
    assume(float(module(x).std()) > 1e-6)
    (layer,) = iw.geometry(module, x, group=group, space=space).layers
    assert layer.kind == "interpolate()"
    error = measured(module, group.regular(), group.regular(), x, space)
    assert (layer.verdict == "keeps") == (error < 1e-8), (options, n, error, layer)


def test_resizing_by_a_factor_is_named_with_what_to_do() -> None:
    x = torch.zeros(1, 1, 225, 225)
    found = iw.geometry(
        nn.Sequential(Calls(lambda x: F.interpolate(x, scale_factor=0.5, mode="bilinear"))), x, group=D4
    )
    assert [(layer.name, layer.verdict) for layer in found.layers] == [("0", "breaks")]
    assert "size= with a linear mode" in found.layers[0].advice
    again = {"scale_factor": 0.5, "mode": "bilinear", "recompute_scale_factor": True}
    assert verdicts(lambda x: F.interpolate(x, **again), x) == ["keeps"]
    corners = {"size": 113, "mode": "bilinear", "align_corners": True}
    assert verdicts(lambda x: F.interpolate(x, **corners), x) == ["keeps"]
    assert verdicts(lambda x: F.interpolate(x, **corners, antialias=True), x) == ["breaks"]


@settings(max_examples=60, deadline=None)
@given(
    group_names,
    st.lists(st.integers(0, 2), min_size=4, max_size=4),
    st.sampled_from(["constant", "reflect", "replicate", "circular"]),
)
def test_padding_keeps_iff_it_commutes(name: str, pads: list[int], mode: str) -> None:
    assume(any(pads))
    group, space = GROUPS[name]
    x = randn(2, group.order, 5, 5)
    module = Calls(lambda x: F.pad(x, pads, mode))
    (layer,) = iw.geometry(module, x, group=group, space=space).layers
    assert (layer.verdict == "keeps") == (measured(module, group.regular(), group.regular(), x, space) < 1e-10)


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_padded_windows_keep_iff_they_commute(data: st.DataObject) -> None:
    """Zeros that are padded before a convolution are its own: one side's may lie where no window ends."""
    name = data.draw(st.sampled_from(["D2", "mirror"]))
    group, space = GROUPS[name]
    pads = data.draw(st.lists(st.integers(0, 2), min_size=4, max_size=4))
    k, s, p = data.draw(st.integers(1, 3)), data.draw(st.integers(1, 3)), data.draw(st.integers(0, 1))
    n = data.draw(st.integers(5, 8))
    conv = nn.Conv2d(group.order, group.order, k, bias=False).double()
    with torch.no_grad():
        conv.weight.copy_(randn(*conv.weight.shape, seed=1))
    iw.bind(conv, {"": iw.Typed(group.regular(), group.regular(), space=space)}).project_()
    module = Calls(lambda x: F.conv2d(F.pad(x, pads), conv.weight, None, s, p))
    x = randn(2, group.order, n, n)
    said = [layer.verdict for layer in iw.geometry(module, x, group=group, space=space).layers]
    assert len(said) == 1
    assert (said == ["keeps"]) == (measured(module, group.regular(), group.regular(), x, space) < 1e-10)


def test_functions_are_judged_as_the_layers_of_their_name() -> None:
    x8, x9 = torch.zeros(1, 4, 8, 8), torch.zeros(1, 4, 9, 9)
    weight = torch.zeros(4, 4, 3, 3)
    for function in (
        lambda x: F.max_pool2d(x, 3, 2),
        lambda x: F.avg_pool2d(x, 3, 2),
        lambda x: F.max_pool2d(x, kernel_size=3, stride=2, return_indices=True)[0],
        lambda x: F.conv2d(x, weight, stride=2, padding=1),
        lambda x: F.conv2d(input=x, weight=weight, stride=(2, 2), padding=(1, 1)),
    ):
        assert verdicts(function, x8) == ["breaks"]
        assert verdicts(function, x9) == ["keeps"]
    assert verdicts(lambda x: F.adaptive_avg_pool2d(x, 3), x8) == ["keeps"]
    assert verdicts(lambda x: F.pixel_shuffle(x, 2), x8) == ["depends"]
    assert verdicts(lambda x: F.conv2d(x, weight, padding="same"), x8) == ["keeps"]
    assert verdicts(lambda x: F.max_pool2d(F.pad(x, (0, 1, 0, 1)), 2, 1), x8) == ["keeps", "breaks"]


def test_what_is_no_padding_of_pixels() -> None:
    x = torch.zeros(1, 4, 8, 8)
    assert verdicts(lambda x: F.pad(x, (0, 0, 0, 0)), x) == []
    assert verdicts(lambda x: F.pad(x, (0, 0, 0, 0, 0, 4)), x) == []  # channels
    last = lambda x: F.pad(x.permute(0, 2, 3, 1), (0, 0, 0, 1, 0, 1)).permute(0, 3, 1, 2)  # noqa: E731
    assert verdicts(last, x) == ["breaks"]
    even = lambda x: F.pad(x.permute(0, 2, 3, 1), (0, 0, 1, 1, 1, 1)).permute(0, 3, 1, 2)  # noqa: E731
    assert verdicts(even, x) == ["keeps"]


class Windows(nn.Module):
    """A Swin block's way: channels last, rolled, cut into windows, mixed in each, and back."""

    def __init__(self, window: int, shift: int) -> None:
        super().__init__()
        self.window, self.shift = window, shift

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n, w = x.shape[-1], self.window
        x = x.permute(0, 2, 3, 1)
        if self.shift:
            x = torch.roll(x, shifts=(-self.shift, -self.shift), dims=(1, 2))
        x = F.pad(x, (0, 0, 0, 0, 0, 0))
        windows = x.view(len(x), n // w, w, n // w, w, -1)
        x = (windows + windows.mean((2, 4), keepdim=True).sin()).reshape(x.shape)
        if self.shift:
            x = torch.roll(x, shifts=(self.shift, self.shift), dims=(1, 2))
        return x.permute(0, 3, 1, 2)


@pytest.mark.parametrize(
    ("window", "shift", "n"), [(7, 3, 14), (7, 3, 28), (8, 4, 16), (4, 2, 16), (5, 0, 10), (4, 1, 8)]
)
def test_shifted_windows_keep_iff_twice_the_shift_is_a_multiple_of_their_side(window: int, shift: int, n: int) -> None:
    module = Windows(window, shift)
    found = iw.geometry(nn.Sequential(module), randn(1, 4, n, n), group=C4).layers
    keeps = image_error(module, C4.regular(), C4.regular(), (n, n)) < 1e-10
    assert keeps == (2 * shift % window == 0)
    if not shift:
        assert found == ()
        return
    (layer,) = found
    assert (layer.name, layer.kind, layer.verdict) == ("0", "roll()", "keeps" if keeps else "breaks")
    assert keeps or f"windows of {window} pixels, shifted by {shift}, do not lie symmetrically" in layer.reason


def test_rolls_without_windows() -> None:
    x = torch.zeros(1, 4, 8, 8)
    assert verdicts(lambda x: x.roll((4, 4), (2, 3)), x) == ["keeps"]
    assert verdicts(lambda x: x.roll((1, 1), (2, 3)), x) == ["depends"]
    assert verdicts(lambda x: torch.roll(x, 1, -1), x) == ["depends"]
    assert verdicts(lambda x: torch.roll(x, 1, 1), x) == []  # channels
    assert verdicts(lambda x: torch.roll(x, (4, 2), (2, 3)), x) == ["depends"]


def test_torchs_own_layers_are_listed_once() -> None:
    block = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
    net = nn.Sequential(nn.Conv2d(1, 8, 3, 2, padding_mode="circular", padding=1), nn.MaxPool2d(3), nn.Upsample(size=9))
    found = iw.geometry(net, torch.zeros(1, 1, 9, 9), group=D4)
    assert [layer.kind for layer in found.layers] == ["Conv2d", "MaxPool2d", "Upsample"]
    assert iw.geometry(block, torch.zeros(2, 5, 8), group=iw.Cyclic(2), space=iw.Cyclic(2).irrep(1)).breaking == ()
