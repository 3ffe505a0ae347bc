"""Attention in windows: a shift and the shift back are judged together, networks of offsets typed by how these turn."""

import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw
from tests.tracing.test_image_families import IMAGES, RGB, error_after


def windows(x, side):
    batch, height, width, channels = x.shape
    x = x.view(batch, height // side, side, width // side, side, channels)
    return x.permute(0, 1, 3, 2, 4, 5).reshape(-1, side**2, channels)


class Shifted(nn.Module):
    """Attention in shifted windows with the mask of what does not belong together, as Swin transformers have it."""

    def __init__(self, side, width=16):
        super().__init__()
        self.side, self.shift = side, side // 2
        self.norm, self.qkv, self.proj = nn.LayerNorm(width), nn.Linear(width, 3 * width), nn.Linear(width, width)

    def mask(self, height, width):
        places = torch.zeros(1, height, width, 1)
        cuts = (slice(0, -self.side), slice(-self.side, -self.shift), slice(-self.shift, None))
        for number, (rows, columns) in enumerate((a, b) for a in cuts for b in cuts):
            places[:, rows, columns] = number
        number = windows(places, self.side)[..., 0]
        return torch.where(number[:, None] == number[:, :, None], 0.0, -100.0)

    def forward(self, x):
        batch, height, width, channels = x.shape
        y = windows(self.norm(x).roll((-self.shift, -self.shift), (1, 2)), self.side)
        q, k, v = self.qkv(y).chunk(3, -1)
        attention = (q @ k.transpose(1, 2) / 4).unflatten(0, (batch, -1)) + self.mask(height, width)
        y = self.proj(attention.flatten(0, 1).softmax(-1) @ v)
        y = y.view(batch, height // self.side, width // self.side, self.side, self.side, channels)
        y = y.permute(0, 1, 3, 2, 4, 5).reshape(x.shape)
        return x + y.roll((self.shift, self.shift), (1, 2))


class Windowed(nn.Module):
    """A stem, one shifted block, the mean."""

    def __init__(self, side):
        super().__init__()
        self.stem, self.block, self.head = nn.Conv2d(3, 16, 3, padding=1), Shifted(side), nn.Linear(16, 5)

    def forward(self, x):
        return self.head(self.block(self.stem(x).permute(0, 2, 3, 1)).mean((1, 2)))


def test_a_shift_by_half_of_an_even_window_is_undone_by_the_shift_back():
    net, x = Windowed(4), torch.randn(1, 3, 8, 8)
    binding = iw.bind(net, rep_in=RGB, rep_out=None, example=x)
    assert not binding.breakers
    assert binding["block.qkv.weight"].projector.rank == 16 * 48 // 8
    assert error_after(net, binding, RGB, None, x) < 1e-5


def test_calls_of_shifted_blocks_that_are_alike_are_followed_and_not_judged_again():
    """A chain asks what comes out of its calls, of which each by itself has been judged in the first block."""
    net, x = Windowed(4), torch.randn(1, 3, 8, 8)
    net.block = nn.Sequential(*(Shifted(4) for _ in range(3)))
    inference = iw.bind(net, rep_in=RGB, rep_out=None, example=x).inference
    assert not inference.breakers
    judged = {call.place.module for call in inference.calls if call.place.index not in inference.alike and call.dynamic}
    assert {f"block.{i}.qkv" for i in range(3)} & judged == {"block.0.qkv"}
    net.block[2].shift = 1
    (one,) = iw.bind(net, rep_in=RGB, rep_out=None, example=x).breakers
    assert (one.module, one.function) == ("block.2", "roll")


def test_a_shift_of_an_odd_window_is_one_cause():
    net, x = Windowed(3), torch.randn(1, 3, 9, 9)
    binding = iw.bind(net, rep_in=RGB, rep_out=None, example=x)
    (broken,) = binding.breakers
    assert (broken.module, broken.function) == ("block", "roll")
    assert len(broken.also) == 2


class Blurred(nn.Module):
    """A fixed blur along one axis and then along the other; what is in between is used or not."""

    def __init__(self, leaks):
        super().__init__()
        self.leaks = leaks
        self.register_buffer("taps", torch.tensor([1.0, 2.0, 1.0]) / 4)

    def forward(self, x):
        taps = self.taps.expand(x.shape[1], 1, 3)
        rows = F.conv2d(x, taps[..., None], padding=(1, 0), groups=x.shape[1])
        both = F.conv2d(rows, taps[:, :, None], padding=(0, 1), groups=x.shape[1])
        return both + rows if self.leaks else both


def test_a_blur_along_both_axes_is_judged_as_one_and_what_leaves_it_is_not():
    x = torch.randn(1, 8, 6, 6)
    assert not iw.bind(nn.Sequential(Blurred(False)), rep_in=IMAGES, rep_out=IMAGES, example=x).breakers
    found = iw.bind(nn.Sequential(Blurred(True)), rep_in=IMAGES, rep_out=IMAGES, example=x).breakers
    assert [one.function for one in found][:1] == ["conv2d"]


class Lost(nn.Module):
    """A shift of which nothing is left."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x.roll(1, -1))


def test_where_nothing_is_left_of_a_signal_nothing_is_undone():
    x = torch.randn(1, 8, 6, 6)
    found = iw.bind(Lost(lambda x: x.clamp(min=1e3)), rep_in=IMAGES, rep_out=IMAGES, example=x).breakers
    assert [one.function for one in found] == ["roll"]
    # What is multiplied by zero is zero, whatever it was.
    assert iw.bind(Lost(lambda x: x * 0.0), rep_in=IMAGES, rep_out=IMAGES, example=x).breakers == ()


class Continuous(nn.Module):
    """Attention whose biases a small network makes of offsets, as Swin v2 has it."""

    def __init__(self, side=3, heads=2, width=16):
        super().__init__()
        self.heads = heads
        self.embed, self.qkv, self.head = (
            nn.Conv2d(3, width, 3, padding=1),
            nn.Linear(width, 3 * width),
            nn.Linear(16, 5),
        )
        self.mlp = nn.Sequential(nn.Linear(2, 24), nn.ReLU(), nn.Linear(24, heads, bias=False))
        offsets = torch.cartesian_prod(*[torch.arange(1.0 - side, side)] * 2).reshape(1, 2 * side - 1, 2 * side - 1, 2)
        self.register_buffer("offsets", offsets.sign() * (offsets.abs() + 1).log2(), persistent=False)
        places = torch.cartesian_prod(*[torch.arange(side)] * 2)
        rows, columns = (places[:, None] - places + side - 1).unbind(-1)
        self.register_buffer("index", rows * (2 * side - 1) + columns, persistent=False)

    def forward(self, x):
        tokens = self.embed(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(tokens).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        table = self.mlp(self.offsets).view(-1, self.heads)
        biases = table[self.index.view(-1)].view(*self.index.shape, -1).permute(2, 0, 1)
        attention = (q @ k.transpose(-2, -1) + 16 * biases.sigmoid()[None]).softmax(-1)
        return self.head((attention @ v).transpose(1, 2).flatten(2).mean(1))


def test_a_network_of_offsets_is_typed_by_how_these_turn():
    net, x = Continuous(), torch.randn(2, 3, 3, 3)
    binding = iw.bind(net, rep_in=RGB, rep_out=None, example=x)
    assert not binding.breakers
    assert not binding.notes
    # Three regular fields made of vectors, and invariants for each head made of these.
    assert binding["mlp.0.weight"].projector.rank == 24 * 2 // 8
    assert binding["mlp.2.weight"].projector.rank == 2 * 24 // 8
    assert error_after(net, binding, RGB, None, x) < 1e-5


def test_a_network_of_offsets_that_do_not_turn_breaks():
    net = Continuous()
    net.offsets[..., 0] += 0.1
    binding = iw.bind(net, rep_in=RGB, rep_out=None, example=torch.randn(2, 3, 3, 3))
    (broken,) = binding.breakers
    assert broken.function == "add"
    assert "mlp.0.weight" in broken.reason
