"""What breaks an image network, said by name: windows off centre, pixels left out, kernels that the group exchanges."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.nn.utils import parametrizations

import intertwine as iw

D4 = iw.Dihedral(4)
R = D4.regular()
IMAGES = iw.on_grid(R)


class Calls(nn.Module):
    """One function, with a kernel of its own."""

    def __init__(self, function, *kernel):
        super().__init__()
        self.function = function
        self.weight = nn.Parameter(torch.randn(*kernel)) if kernel else None

    def forward(self, x):
        return self.function(x) if self.weight is None else self.function(x, self.weight)


@pytest.mark.parametrize(
    ("function", "kernel", "side", "said"),
    [
        (lambda x: F.avg_pool2d(x, 2, ceil_mode=True), (), 9, "Use 8 or 10 pixels in place of 9"),
        (lambda x: F.avg_pool2d(x, 2), (), 9, "Use 8 or 10 pixels in place of 9"),
        (lambda x: F.max_pool2d(x, 3, stride=2, padding=1), (), 8, "Use 7 or 9 pixels in place of 8"),
        (lambda x, w: F.conv_transpose2d(x, w, None, 2, 1, 1), (8, 8, 3, 3), 8, "Use output_padding=0"),
        (lambda x: F.interpolate(x, scale_factor=0.5, mode="bilinear"), (), 9, "from 9 to 4 pixels samples one end"),
        (lambda x: F.interpolate(x, (13, 13)), (), 8, "mode 'nearest' from 8 to 13"),
        (lambda x: F.pad(x, (0, 1, 0, 1)), (), 8, "pads 0 before and 1 after"),
        (lambda x: x[..., ::2, ::2], (), 8, "Use 7 or 9 pixels in place of 8"),
        (lambda x: x[:, :, 1:, 1:], (), 8, "leaves out 1 pixels before and 0 after"),
    ],
)
def test_each_breaker_of_a_grid_has_its_reason_and_its_remedy(function, kernel, side, said):
    x = torch.randn(2, 8, side, side)
    binding = iw.bind(Calls(function, *kernel), rep_in=IMAGES, rep_out=IMAGES, example=x)
    (broken,) = binding.breakers
    assert said in broken.reason, broken.reason


@pytest.mark.parametrize(
    ("function", "kernel", "side"),
    [
        (lambda x: F.avg_pool2d(x, 2, ceil_mode=True), (), 8),
        (lambda x: F.max_pool2d(x, 3, stride=2, padding=1, ceil_mode=True), (), 9),
        (lambda x, w: F.conv_transpose2d(x, w, None, 2, 1), (8, 8, 4, 4), 8),
        (lambda x: F.interpolate(x, (13, 13), mode="bilinear", align_corners=True), (), 8),
        (lambda x: F.interpolate(x, scale_factor=2), (), 8),
        (lambda x: F.pad(x, (1, 1, 1, 1), mode="reflect"), (), 8),
        (lambda x: x[..., ::2, ::2], (), 9),
        (lambda x: x[:, :, 2:-2, 2:-2], (), 9),
    ],
)
def test_and_the_remedies_keep(function, kernel, side):
    x = torch.randn(2, 8, side, side)
    assert iw.bind(Calls(function, *kernel), rep_in=IMAGES, rep_out=IMAGES, example=x).breakers == ()


class Strips(nn.Module):
    """Depthwise kernels 1 x 5 and 5 x 1 on channels of their own, as InceptionNeXt has them."""

    def __init__(self, width=8):
        super().__init__()
        self.stem = nn.Conv2d(3, 4 * width, 4, 4)
        self.square = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.wide = nn.Conv2d(width, width, (1, 5), padding=(0, 2), groups=width)
        self.high = nn.Conv2d(width, width, (5, 1), padding=(2, 0), groups=width)
        self.head = nn.Linear(4 * width, 5)

    def forward(self, x):
        same, square, wide, high = self.stem(x).chunk(4, 1)
        x = torch.cat([same, self.square(square), self.wide(wide), self.high(high)], 1)
        return self.head(F.gelu(x).mean((2, 3)))


def test_kernels_of_unequal_sides_are_named_and_mirrors_keep_them():
    x = torch.randn(2, 3, 32, 32)
    binding = iw.bind(Strips(), rep_in=iw.on_grid(3 * D4.trivial()), rep_out=None, example=x)
    assert [one.module for one in binding.breakers] == ["wide", "high"]
    assert "kernel 1 and 5" in binding.breakers[0].reason
    assert "mirrors of images are Dihedral(2)" in binding.breakers[0].reason
    assert set(binding.unaccounted) == {"wide.weight", "high.weight"}
    assert "which the group exchanges" in binding.inference.reasons["wide.weight"]

    mirrors = iw.Dihedral(2)
    net = Strips()
    binding = iw.bind(net, rep_in=iw.on_grid(3 * mirrors.trivial()), rep_out=None, example=x)
    assert not binding.breakers
    assert not binding.unaccounted
    # 8 channels in 2 orbits of 4, each with a kernel of 5 that no element but the identity turns within the orbit.
    assert binding["wide.weight"].projector.rank == 2 * 5
    binding.project_()
    assert float(iw.equivariance_error(net, iw.on_grid(3 * mirrors.trivial()), None, x)) < 1e-5


class Cached(nn.Module):
    """Attention whose table of positions is read once and kept, as LeViT keeps it."""

    def __init__(self, side=3, heads=2, width=16):
        super().__init__()
        self.embed, self.head = nn.Linear(8, width), nn.Linear(width, 8)
        row, column = (part.flatten() for part in torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij"))
        offsets = (row[:, None] - row).abs() * side + (column[:, None] - column).abs()
        self.register_buffer("index", offsets, persistent=False)
        self.table = nn.Parameter(torch.randn(heads, side**2))
        self.heads, self.kept = heads, {}

    def train(self, mode=True):
        self.kept = {}
        return super().train(mode)

    def forward(self, x):
        if "bias" not in self.kept:
            self.kept["bias"] = self.table[:, self.index]
        tokens = self.embed(x.flatten(2).transpose(1, 2))
        heads = tokens.unflatten(-1, (self.heads, -1)).transpose(1, 2)
        attention = (heads @ heads.transpose(-2, -1) + self.kept["bias"]).softmax(-1)
        out = (attention @ heads).transpose(1, 2).flatten(2)
        return self.head(out).transpose(1, 2).unflatten(2, x.shape[2:])


def test_what_a_first_run_keeps_of_a_parameter_is_typed_and_said():
    net, x = Cached(), torch.randn(2, 8, 3, 3)
    binding = iw.bind(net, rep_in=IMAGES, rep_out=IMAGES, example=x)
    assert not binding.breakers
    assert not binding.unaccounted
    assert not any("two runs part" in note for note in binding.notes)
    assert any("table" in note and "model.train(); model.eval()" in note for note in binding.notes)
    # Offsets (|dy|, |dx|) up to their exchange: 9 rows, 6 orbits, for each of 2 heads.
    assert binding["table"].projector.rank == 2 * 6
    binding.project_()
    assert float(iw.equivariance_error(net.train().eval(), IMAGES, IMAGES, x)) < 1e-5


class Coded(nn.Module):
    """Positions coded by sines, taken through a linear map and added to the tokens."""

    def __init__(self, width=16):
        super().__init__()
        self.stem, self.code, self.head = nn.Conv2d(3, width, 1), nn.Conv2d(8, width, 1), nn.Linear(width, 5)

    def forward(self, x):
        steps = torch.ones(x.shape[2:]).cumsum(0)
        angles = torch.stack([steps, steps.T])[:, None] / torch.tensor([1.0, 4.0])[:, None, None]
        code = torch.cat([angles.sin(), angles.cos()]).flatten(0, 1)[None]
        tokens = self.stem(x).flatten(2).transpose(1, 2)
        tokens = tokens + self.code(code).flatten(2).transpose(1, 2)
        return self.head(tokens.relu().mean(1))


def test_a_code_of_positions_breaks_and_its_weights_are_typed():
    binding = iw.bind(Coded(), rep_in=iw.on_grid(3 * D4.trivial()), rep_out=None, example=torch.randn(2, 3, 6, 6))
    (broken,) = binding.breakers
    assert broken.function == "add"
    assert "made of code.weight, code.bias" in broken.reason
    assert not binding.unaccounted
    assert not binding.inference.unknown


def test_a_tensor_made_of_a_tensor_is_the_same():
    net = nn.Sequential(nn.Linear(8, 8), Calls(torch.as_tensor), nn.Linear(8, 8))
    binding = iw.bind(net, rep_in=R, rep_out=R, example=torch.randn(3, 8))
    assert not binding.notes
    assert binding["2.weight"].projector.rank == 8


def test_a_parametrised_layer_that_is_called_twice_has_one_type():
    layer = parametrizations.weight_norm(nn.Linear(8, 8))
    net, x = nn.Sequential(layer, nn.ReLU(), layer), torch.randn(3, 8)
    assert not any("rep_out" in note for note in iw.bind(net, rep_in=R, rep_out=R, example=x, check=False).notes)
    # What goes in and comes out of one layer that is fed its own outputs is alike.
    notes = iw.bind(net, rep_in=R, rep_out=8 * D4.trivial(), example=x, check=False).notes
    assert any("rep_out says" in note for note in notes)
