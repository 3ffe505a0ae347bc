"""Patterns of whole families of image networks, in plain torch: expected types and ranks, and remedies that hold."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw

D4, OCTAHEDRAL = iw.Dihedral(4), iw.Octahedral()
R = D4.regular()
RGB, FIELDS, IMAGES = iw.on_grid(3 * D4.trivial()), iw.on_grid(2 * R), iw.on_grid(R)


def error_after(net, binding, rep_in, rep_out, x):
    binding.project_()
    return float(iw.equivariance_error(net, rep_in, rep_out, x))


class Denoiser(nn.Module):
    """Residual blocks, nearest interpolation up, norms of 32 groups on concatenations, as diffusers builds them."""

    def __init__(self, down, groups=32):
        super().__init__()
        self.conv_in, self.conv_out = nn.Conv2d(3, 32, 3, padding=1), nn.Conv2d(32, 3, 3, padding=1)
        self.time = nn.Linear(16, 32)
        self.norm1, self.conv1 = nn.GroupNorm(groups, 32), nn.Conv2d(32, 32, 3, padding=1)
        self.down = down
        self.norm2, self.conv2 = nn.GroupNorm(groups, 32), nn.Conv2d(32, 64, 3, padding=1)
        self.up = nn.Conv2d(64, 64, 3, padding=1)
        self.norm3, self.conv3 = nn.GroupNorm(groups, 96), nn.Conv2d(96, 32, 3, padding=1)
        self.norm_out = nn.GroupNorm(groups, 32)

    def forward(self, x):
        x = self.conv_in(x)
        time = torch.outer(torch.full((len(x),), 10.0), torch.logspace(0, -3, 8))
        time = self.time(torch.cat([time.sin(), time.cos()], 1))
        skip = x + self.conv1(F.silu(self.norm1(x))) + time[:, :, None, None]
        x = self.conv2(F.silu(self.norm2(self.down(skip))))
        x = self.up(F.interpolate(x, scale_factor=2.0, mode="nearest"))
        x = self.conv3(F.silu(self.norm3(torch.cat([x, skip], 1))))
        return self.conv_out(F.silu(self.norm_out(x)))


def test_a_denoiser_breaks_where_it_halves_the_sides_until_kernel_and_stride_agree():
    x = torch.randn(1, 3, 16, 16)
    net = Denoiser(nn.Conv2d(32, 32, 3, 2, 1))
    binding = iw.bind(net, rep_in=RGB, rep_out=RGB, example=x)
    assert [one.module for one in binding.breakers] == ["down"]
    assert "Use 15 or 17 pixels in place of 16" in binding.breakers[0].reason
    # Groups of 3 on 64 + 32 channels: the 22nd has one channel of the first and two of the second.
    (note,) = [note for note in binding.notes if "norm3" in note]
    assert "96 features of fields of at most 2" in note
    assert "groups of 3 channels lie across the boundaries of 64 + 32" in note

    net.down = nn.Conv2d(32, 32, 2, 2)
    binding = iw.bind(net, rep_in=RGB, rep_out=RGB, example=x)
    assert not binding.breakers
    assert error_after(net, binding, RGB, RGB, x) < 1e-5


def test_one_group_leaves_the_channels_of_a_denoiser_free():
    x = torch.randn(1, 3, 16, 16)
    net = Denoiser(nn.Conv2d(32, 32, 2, 2), groups=1)
    binding = iw.bind(net, rep_in=RGB, rep_out=RGB, example=x)
    assert not binding.breakers
    assert not any("trivial" in note for note in binding.notes)
    # 4 and 8 regular fields: 32 * 32 * 9 / 8, 64 * 64 * 9 / 8, and (8 + 4) by 4 of them.
    ranks = [binding[f"{name}.weight"].projector.rank for name in ("conv1", "up", "conv3")]
    assert ranks == [32 * 32 * 9 // 8, 64 * 64 * 9 // 8, 96 * 32 * 9 // 8]
    assert error_after(net, binding, RGB, RGB, x) < 1e-5


class Merging(nn.Module):
    """Blocks of 2 x 2 pixels merged as Swin transformers do."""

    def __init__(self, phases):
        super().__init__()
        self.phases = phases
        self.stem, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.LayerNorm(32)
        self.reduction = nn.Linear(32, 16, bias=False)

    def forward(self, x):
        x = self.stem(x).permute(0, 2, 3, 1)
        x = torch.cat([x[..., i::2, j::2, :] for i, j in self.phases], -1)
        return self.reduction(self.norm(x)).permute(0, 3, 1, 2)


@pytest.mark.parametrize("phases", [((0, 0), (1, 0), (0, 1), (1, 1)), ((0, 0), (0, 1), (1, 0), (1, 1))])
def test_phases_of_pixels_side_by_side_are_blocks_of_pixels(phases):
    net, x = Merging(phases), torch.randn(2, 3, 8, 8)
    binding = iw.bind(net, rep_in=RGB, rep_out=FIELDS, example=x)
    assert not binding.breakers
    # 4 pixels of a regular field are 4 regular fields.
    assert binding["reduction.weight"].projector.rank == 16 * 32 // 8
    # One number for each orbit of 32 places, which D4 moves freely.
    assert binding["norm.weight"].projector.rank == 32 // 8
    assert error_after(net, binding, RGB, FIELDS, x) < 1e-5


def test_a_phase_that_is_missing_breaks_the_symmetry():
    net = Merging(((0, 0), (1, 0), (0, 1), (1, 0)))
    binding = iw.bind(net, rep_in=RGB, rep_out=FIELDS, example=torch.randn(2, 3, 8, 8))
    assert {one.function for one in binding.breakers} == {"getitem"}
    assert len(binding.breakers) == 4


class Focus(nn.Module):
    """The stem of a detector: phases side by side on the channels of an image."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(12, 16, 3, padding=1)

    def forward(self, x):
        return self.conv(torch.cat([x[..., ::2, ::2], x[..., 1::2, ::2], x[..., ::2, 1::2], x[..., 1::2, 1::2]], 1))


def test_the_stem_of_a_detector():
    net, x = Focus(), torch.randn(2, 3, 8, 8)
    binding = iw.bind(net, rep_in=RGB, rep_out=FIELDS, example=x)
    assert not binding.breakers
    assert binding["conv.weight"].projector.rank == 16 * 12 * 9 // 8
    assert error_after(net, binding, RGB, FIELDS, x) < 1e-5


def expanded(x):
    batch, channels, height, width = x.shape
    wide = x[:, :, :, None, :, None].expand(batch, channels, height, 2, width, 2)
    return wide.reshape(batch, channels, 2 * height, 2 * width)


@pytest.mark.parametrize(
    "double",
    [expanded, lambda x: x.repeat(1, 1, 2, 2), lambda x: F.interpolate(x, scale_factor=2)],
)
def test_pixels_repeated_are_pixels(double):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 16, 3, padding=1), nn.Conv2d(16, 16, 3, padding=1)

        def forward(self, x):
            return self.b(double(self.a(x)))

    net, x = Net(), torch.randn(1, 3, 6, 6)
    binding = iw.bind(net, rep_in=RGB, rep_out=FIELDS, example=x)
    assert not binding.breakers
    assert binding["b.weight"].projector.rank == 16 * 16 * 9 // 8
    assert error_after(net, binding, RGB, FIELDS, x) < 1e-5


class Shuffled(nn.Module):
    """Half of the channels convolved, then all of them shuffled, as ShuffleNet does."""

    def __init__(self, width=32):
        super().__init__()
        self.stem, self.branch = nn.Conv2d(3, width, 3, padding=1), nn.Conv2d(width // 2, width // 2, 3, padding=1)
        self.last = nn.Conv2d(width, 16, 1)

    def forward(self, x):
        x = self.stem(x)
        kept, changed = x.chunk(2, 1)
        x = torch.cat([kept, self.branch(changed)], 1)
        x = x.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)
        return self.last(x)


def test_shuffled_channels_keep_their_fields():
    net, x = Shuffled(), torch.randn(2, 3, 8, 8)
    binding = iw.bind(net, rep_in=RGB, rep_out=FIELDS, example=x)
    assert not binding.breakers
    # 2 regular fields of each half, side by side feature by feature.
    assert binding["branch.weight"].projector.rank == 16 * 16 * 9 // 8
    assert binding["last.weight"].projector.rank == 16 * 32 // 8
    assert error_after(net, binding, RGB, FIELDS, x) < 1e-5


class Pyramid(nn.Module):
    """Levels by strides, lateral maps, nearest interpolation down to the finest, heads on each level."""

    def __init__(self, size):
        super().__init__()
        self.size = size
        self.stages = nn.ModuleList(nn.Conv2d(a, b, 3, 2, 1) for a, b in ((3, 16), (16, 32), (32, 64)))
        self.lateral = nn.ModuleList(nn.Conv2d(n, 16, 1) for n in (16, 32, 64))
        self.head = nn.Conv2d(16, 2, 3, padding=1)

    def forward(self, x):
        levels = []
        for stage in self.stages:
            x = F.relu(stage(x))
            levels.append(x)
        found = [self.lateral[-1](levels[-1])]
        for lateral, level in zip(self.lateral[-2::-1], levels[-2::-1], strict=True):
            options = {} if self.size == "nearest" else {"align_corners": False}
            found.append(lateral(level) + F.interpolate(found[-1], level.shape[-2:], mode=self.size, **options))
        return [self.head(level) for level in found]


def test_a_pyramid_breaks_where_it_resizes_by_no_whole_factor_and_linear_modes_keep():
    x, heads = torch.randn(1, 3, 33, 33), [iw.on_grid(2 * D4.trivial())] * 3
    binding = iw.bind(Pyramid("nearest"), rep_in=RGB, rep_out=heads, example=x)
    assert [one.function for one in binding.breakers] == ["interpolate"] * 2
    assert "from 5 to 9 pixels" in binding.breakers[0].reason
    net = Pyramid("bilinear")
    binding = iw.bind(net, rep_in=RGB, rep_out=heads, example=x)
    assert not binding.breakers
    assert binding["head.weight"].projector.rank == 2 * 16 * 9 // 8
    assert error_after(net, binding, RGB, heads, x) < 1e-5


class Volumes(nn.Module):
    """A residual U-Net of volumes."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv3d(1, 24, 3, padding=1), nn.Conv3d(24, 48, 2, 2)
        self.up = nn.ConvTranspose3d(48, 24, 2, 2)
        self.norm, self.last = nn.InstanceNorm3d(24, affine=True), nn.Conv3d(48, 2, 1)

    def forward(self, x):
        first = F.leaky_relu(self.norm(self.first(x)))
        return self.last(torch.cat([first, self.up(F.relu(self.second(first)))], 1))


def test_volumes_under_the_rotations_of_the_cube():
    net, x = Volumes(), torch.randn(1, 1, 6, 6, 6)
    rep_in, rep_out = iw.on_grid(OCTAHEDRAL.trivial()), iw.on_grid(2 * OCTAHEDRAL.trivial())
    binding = iw.bind(net, rep_in=rep_in, rep_out=rep_out, example=x)
    assert not binding.breakers
    # One regular field of 24 and two: the group acts freely on their pairs.
    assert binding["first.weight"].projector.rank == 27
    assert binding["second.weight"].projector.rank == 48 * 24 * 8 // 24
    assert binding["up.weight"].projector.rank == 48 * 24 * 8 // 24
    assert binding["norm.weight"].projector.rank == 1
    assert error_after(net, binding, rep_in, rep_out, x) < 1e-5


class Signals(nn.Module):
    """A residual network of heartbeats."""

    def __init__(self, stride=2):
        super().__init__()
        self.stem, self.norm = nn.Conv1d(2, 16, 7, stride, 3), nn.BatchNorm1d(16)
        self.mix, self.head = nn.Conv1d(16, 16, 3, padding=1), nn.Linear(16, 4)

    def forward(self, x):
        x = F.max_pool1d(F.relu(self.norm(self.stem(x))), 3, 2, 1)
        return self.head((x + self.mix(x)).mean(-1))


def test_signals_under_the_mirror_of_time():
    mirror = iw.Cyclic(2)
    time = iw.on_grid(2 * mirror.trivial(), space=mirror.irrep(1))
    net = Signals()
    binding = iw.bind(net, rep_in=time, rep_out=None, example=torch.randn(2, 2, 64))
    assert [one.function for one in binding.breakers] == ["conv1d", "max_pool1d"]
    assert "Use 63 or 65 pixels in place of 64" in binding.breakers[0].reason
    x = torch.randn(2, 2, 65)
    binding = iw.bind(net, rep_in=time, rep_out=None, example=x)
    assert not binding.breakers
    # 8 regular fields: half of 16 x 2 x 7 and of 16 x 16 x 3 numbers.
    assert binding["stem.weight"].projector.rank == 16 * 2 * 7 // 2
    assert binding["mix.weight"].projector.rank == 16 * 16 * 3 // 2
    assert error_after(net, binding, time, None, x) < 1e-5


@pytest.mark.parametrize(
    ("end", "said"),
    [
        (lambda: iw.on_grid(iw.torus(6, 6).group.trivial(), space=iw.torus(6, 6)), "shifts"),
        (lambda: iw.on_grid(iw.SO(2).trivial(), interpolation="bilinear"), "without interpolation"),
        (lambda: iw.on_grid(iw.Cyclic(8).trivial()), "turns by 90 degrees"),
    ],
)
def test_shifts_and_what_falls_between_the_pixels_are_refused_by_name(end, said):
    net = nn.Conv2d(1, 8, 3, padding=1, padding_mode="circular")
    with pytest.raises(iw.errors.ArgumentError, match=said):
        iw.bind(net, rep_in=end(), rep_out=None, example=torch.randn(1, 1, 6, 6))
