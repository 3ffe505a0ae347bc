"""Whole models typed from one run: types and ranks, breakers, and the error that is left after projection."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw
from tests.tracing import networks

D4 = iw.Dihedral(4)
O3 = iw.O(3)


def images(rep):
    return iw.on_grid(rep)


def bound(model, rep_in, rep_out, example, **options):
    torch.manual_seed(0)
    return iw.bind(model.eval(), rep_in=rep_in, rep_out=rep_out, example=example, **options)


def error(binding, rep_in, rep_out, example):
    binding.project_()
    return float(iw.equivariance_error(binding.model, rep_in, rep_out, example, num_samples=8, group=binding.group))


def axes(binding, name):
    return tuple(str(rep) for rep in binding[name].projector.axes)


def test_a_residual_network_at_an_odd_size_has_regular_channels_and_no_breaker():
    model, x, rep = networks.ResNet(), torch.randn(2, 3, 65, 65), images(3 * D4.trivial())
    binding = bound(model, rep, None, x)
    assert binding.breakers == ()
    assert binding.free == ("fc.bias",)
    assert not binding.unaccounted
    assert axes(binding, "stem.0.weight") == ("2xregular", "3x0+", "grid[7x7]")
    assert axes(binding, "layers.2.conv1.weight") == ("8xregular", "4xregular", "grid[3x3]")
    assert axes(binding, "fc.weight") == ("10x0+", "8xregular")
    # 64 x 32 channels of 3 x 3: 8 x 4 pairs of regular fields, 72 weights each pair of them; ranks by hand 8 * 4 * 72.
    assert binding["layers.2.conv1.weight"].projector.rank == 8 * 4 * 72
    assert binding["fc.weight"].projector.rank == 10 * 8
    assert binding["layers.0.bn1.running_var"].kind == "buffer"
    assert error(binding, rep, None, x) < 1e-6


def test_a_residual_network_at_an_even_size_breaks_at_each_stride():
    model, x, rep = networks.ResNet(), torch.randn(2, 3, 64, 64), images(3 * D4.trivial())
    binding = bound(model, rep, None, x)
    found = [(breaker.module, breaker.function) for breaker in binding.breakers]
    assert found == [
        ("stem.0", "conv2d"),
        ("pool", "max_pool2d"),
        ("layers.1.conv1", "conv2d"),
        ("layers.1.shortcut.0", "conv2d"),
        ("layers.2.conv1", "conv2d"),
        ("layers.2.shortcut.0", "conv2d"),
    ]
    assert all(breaker.error > 1e-2 for breaker in binding.breakers)
    assert "Use 63 or 65 pixels in place of 64" in binding.breakers[0].reason
    assert error(binding, rep, None, x) > 1e-3


def test_a_u_net_is_typed_through_its_concatenations():
    model, x = networks.UNet(), torch.randn(2, 3, 32, 32)
    rep_in, rep_out = images(3 * D4.trivial()), images(D4.trivial())
    binding = bound(model, rep_in, rep_out, x)
    assert binding.breakers == ()
    assert axes(binding, "up.weight") == ("4xregular", "2xregular", "grid[2x2]")
    assert axes(binding, "four.weight") == ("2xregular", "6xregular", "grid[3x3]")
    assert error(binding, rep_in, rep_out, x) < 1e-6


def test_a_vision_transformer_has_positions_on_the_grid_and_fields_inside_its_heads():
    model, x, rep = networks.VisionTransformer(), torch.randn(2, 3, 16, 16), images(3 * D4.trivial())
    binding = bound(model, rep, None, x)
    assert binding.breakers == ()
    assert not binding.unaccounted
    assert axes(binding, "pos_embed") == ("0+ + grid[4x4]", "8xregular")
    # Orbits of pairs: (1 + 3 orbits of 4 x 4 pixels, with 8 + 16 * 8 numbers fixed by 8 elements acting freely).
    assert binding["pos_embed"].projector.rank == 17 * 64 // 8
    assert axes(binding, "qkv.0.weight") == ("24xregular", "8xregular")
    assert axes(binding, "scale.0") == ("8xregular",)
    assert binding["scale.0"].projector.rank == 8
    assert axes(binding, "cls_token")[-1] == "8xregular"
    assert error(binding, rep, None, x) < 1e-6


def test_torchs_own_transformer_encoder_is_typed():
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    model, x = nn.TransformerEncoder(layer, 2), torch.randn(2, 5, 32)
    rep = 4 * D4.regular()
    binding = bound(model, rep, rep, x)
    assert binding.breakers == ()
    assert not binding.unaccounted
    assert axes(binding, "layers.0.self_attn.in_proj_weight") == ("12xregular", "4xregular")
    assert axes(binding, "layers.1.linear1.weight") == ("8xregular", "4xregular")
    assert error(binding, rep, rep, x) < 1e-6


def test_a_robots_network_under_its_mirror():
    C2 = iw.Cyclic(2)
    swap = C2.permutation([[3, 4, 5, 0, 1, 2]])
    rep = 3 * C2.trivial() + 2 * C2.irrep(1) + swap
    model = nn.Sequential(nn.Linear(11, 64), nn.ELU(), nn.LayerNorm(64), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 6))
    x = torch.randn(5, 11)
    binding = bound(model, rep, swap, x)
    assert binding.breakers == ()
    assert axes(binding, "0.weight") == ("32xregular", "3x0 + 2x1 + permutation[3 4 5 0 1 2]")
    assert [entry.projector.rank for entry in binding] == [352, 32, 32, 32, 2048, 32, 192, 3]
    assert error(binding, rep, swap, x) < 1e-6


def test_gates_and_slices_say_which_features_are_vectors():
    model, x = networks.GatedVectors(), torch.randn(5, 7)
    rep_in, rep_out = O3.irreps("4x0e + 1o"), O3.irreps("0e + 1o")
    binding = bound(model, rep_in, rep_out, x)
    assert axes(binding, "a.weight") == ("24x0e + 8x1o", "4x0e + 1o")
    assert [entry.projector.rank for entry in binding] == [24 * 4 + 8, 24, 16 + 8, 1]
    assert binding.breakers == ()
    assert error(binding, rep_in, rep_out, x) < 1e-6


def test_without_gates_the_features_are_forced_to_trivial_and_vectors_have_no_path():
    model, x = nn.Sequential(nn.Linear(6, 32), nn.SiLU(), nn.Linear(32, 3)), torch.randn(5, 6)
    binding = bound(model, O3.irreps("2x1o"), O3.irreps("1o"), x)
    assert any("32 features forced to trivial by 1: silu" in note for note in binding.notes)
    assert any("no path from 2x1o through 0.weight" in note for note in binding.notes)
    assert any("no path to 1o through 2.weight" in note for note in binding.notes)


def test_a_pointwise_function_on_vectors_that_the_user_asked_for_is_a_breaker():
    model, x = nn.Sequential(nn.Linear(6, 32), nn.SiLU(), nn.Linear(32, 3)), torch.randn(5, 6)
    vectors = lambda width: O3.irreps(f"{width - 24}x0e + 8x1o")  # noqa: E731
    binding = bound(model, O3.irreps("2x1o"), O3.irreps("1o"), x, hidden=vectors)
    (breaker,) = binding.breakers
    assert (breaker.module, breaker.function) == ("1", "silu")
    assert breaker.error > 1e-2
    assert "Gate" in breaker.reason


def test_message_passing_acts_on_copies_alone():
    generator = torch.Generator().manual_seed(0)
    edges = torch.stack(torch.where(~torch.eye(6, dtype=torch.bool)))
    x = (torch.arange(6) % 5, torch.randn(6, 3, generator=generator), edges)
    model = networks.MessagePassing()
    rep_in, rep_out = (None, O3.irreps("1o"), None), (None, O3.irreps("1o"))
    binding = bound(model, rep_in, rep_out, x)
    assert len(binding) == 0
    assert not binding.unaccounted
    assert len(binding.free) == len(list(model.parameters()))
    assert binding.breakers == ()
    assert [str(kind) for kind in binding.types[-1].outputs] == ["(6, [1o])"]
    error = iw.equivariance_error(model, rep_in, rep_out, x)
    assert float(error) < 1e-5


@pytest.mark.parametrize("heads", [2, 8])
def test_heads_hold_whole_fields_or_are_permuted(heads):
    layer = nn.MultiheadAttention(16, heads, batch_first=True)

    class Attend(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = layer

        def forward(self, x):
            return self.inner(x, x, x, need_weights=False)[0]

    x, rep = torch.randn(2, 5, 16), 2 * D4.regular()
    binding = bound(Attend(), rep, rep, x)
    assert binding.breakers == ()
    # Eight heads of two channels are permuted themselves, two heads of eight hold a field each; the rank is one.
    assert binding["inner.in_proj_weight"].projector.rank == 48 * 16 // 8
    assert error(binding, rep, rep, x) < 1e-6


@pytest.mark.parametrize(("kind", "gates"), [(nn.LSTM, 4), (nn.GRU, 3), (nn.RNN, 1)])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_recurrent_layers_pack_their_gates(kind, gates, bidirectional):
    class Sequence(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = kind(8, 16, 2, batch_first=True, bidirectional=bidirectional)
            self.out = nn.Linear(16 * (1 + bidirectional), 8)

        def forward(self, x):
            return self.out(self.inner(x)[0])

    x, rep = torch.randn(2, 5, 8), D4.regular()
    binding = bound(Sequence(), rep, rep, x)
    assert binding.breakers == ()
    assert not binding.unaccounted
    assert not binding.inference.unknown
    assert axes(binding, "inner.weight_ih_l0") == (f"{2 * gates}xregular", "regular")
    assert binding["inner.weight_hh_l1"].projector.rank == gates * 16 * 16 // 8
    assert error(binding, rep, rep, x) < 1e-6


@pytest.mark.parametrize("kind", [nn.LSTMCell, nn.GRUCell, nn.RNNCell])
def test_cells_that_a_model_steps_itself_are_typed(kind):
    class Steps(nn.Module):
        def __init__(self):
            super().__init__()
            self.cell, self.out = kind(8, 16), nn.Linear(16, 8)

        def forward(self, x):
            state = torch.zeros(len(x), 16)
            state = (state, torch.zeros(len(x), 16)) if kind is nn.LSTMCell else state
            for step in x.unbind(1):
                state = self.cell(step, state)
            return self.out(state[0] if kind is nn.LSTMCell else state)

    x, rep = torch.randn(2, 5, 8), D4.regular()
    binding = bound(Steps(), rep, rep, x)
    assert binding.breakers == ()
    assert not binding.unaccounted
    assert axes(binding, "cell.weight_hh")[1] == "2xregular"
    assert error(binding, rep, rep, x) < 1e-6


def test_causal_decoders_and_encoder_decoders_are_typed():
    C2 = iw.Cyclic(2)
    rep = 16 * C2.regular()
    model = nn.Transformer(32, 4, 1, 1, 64, batch_first=True)
    x = (torch.randn(2, 5, 32), torch.randn(2, 4, 32))
    binding = bound(model, (rep, rep), rep, x)
    assert binding.breakers == ()
    assert binding["decoder.layers.0.multihead_attn.in_proj_weight"].projector.rank == 96 * 32 // 2
    assert error(binding, (rep, rep), rep, x) < 1e-6


def test_volumes_under_the_octahedral_group_with_reflections():
    class Volumes(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.norm = nn.Conv3d(1, 48, 3, padding=1), nn.GroupNorm(6, 48)
            self.depthwise, self.head = nn.Conv3d(48, 48, 3, padding=1, groups=48), nn.Linear(48, 3)

        def forward(self, x):
            x = F.relu(self.norm(self.one(x)))
            return self.head(F.relu(self.depthwise(x)).mean((2, 3, 4)))

    Oh = iw.Octahedral(reflections=True)
    rep, x = images(Oh.trivial()), torch.randn(2, 1, 5, 5, 5)
    binding = bound(Volumes(), rep, None, x)
    assert binding.breakers == ()
    # Six groups of eight channels: none has room for 48 elements, so that a field of eight goes inside each.
    assert binding["one.weight"].projector.rank < binding["one.weight"].projector.numel // 10
    assert error(binding, rep, None, x) < 1e-6


def test_pixel_shuffle_makes_pixels_of_channels():
    class Upscale(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Conv2d(3, 32, 3, padding=1), nn.Conv2d(8, 3, 3, padding=1)

        def forward(self, x):
            return self.b(F.pixel_shuffle(F.relu(self.a(x)), 2))

    rep, x = images(3 * D4.trivial()), torch.randn(2, 3, 8, 8)
    binding = bound(Upscale(), rep, rep, x)
    assert binding.breakers == ()
    # 8 fields of channels times the 2 x 2 pixels that they become; 3 x 3 x 3 numbers each.
    assert binding["a.weight"].projector.numel // binding["a.weight"].projector.rank in range(6, 9)
    assert error(binding, rep, rep, x) < 1e-6


def test_rotary_embeddings_leave_the_fields_of_a_head_alone_and_its_heads_are_permuted():
    class Rotary(nn.Module):
        def __init__(self, width=32, heads=4):
            super().__init__()
            self.heads = heads
            self.q, self.k, self.v, self.o = (nn.Linear(width, width, bias=False) for _ in range(4))

        def forward(self, x):
            batch, tokens, width = x.shape
            size = width // self.heads
            q, k, v = (f(x).view(batch, tokens, self.heads, size).transpose(1, 2) for f in (self.q, self.k, self.v))
            angles = torch.arange(tokens)[:, None] * 10.0 ** -torch.arange(size // 2)
            cos, sin = (f(torch.cat([angles, angles], -1)) for f in (torch.cos, torch.sin))

            def turned(y):
                return y * cos + torch.cat([-y[..., size // 2 :], y[..., : size // 2]], -1) * sin

            y = F.scaled_dot_product_attention(turned(q), turned(k), v, is_causal=True)
            return self.o(y.transpose(1, 2).reshape(batch, tokens, width))

    C2 = iw.Cyclic(2)
    rep, x = 16 * C2.regular(), torch.randn(2, 5, 32)
    binding = bound(Rotary(), rep, rep, x)
    assert binding.breakers == ()
    assert any("8 features forced to trivial by mul" in note for note in binding.notes)
    assert binding["q.weight"].projector.rank == 32 * 32 // 2
    assert binding["v.weight"].projector.rank == 32 * 32 // 2
    assert error(binding, rep, rep, x) < 1e-6


def test_global_response_norms_and_fused_multiply_adds_are_typed():
    class Response(nn.Module):
        def __init__(self):
            super().__init__()
            self.stem = nn.Conv2d(3, 16, 3, padding=1)
            self.weight, self.bias = nn.Parameter(torch.randn(16)), nn.Parameter(torch.randn(16))

        def forward(self, x):
            x = F.gelu(self.stem(x))
            size = x.norm(p=2, dim=(2, 3), keepdim=True)
            size = size / (size.mean(1, keepdim=True) + 1e-6)
            return x + torch.addcmul(self.bias.view(1, -1, 1, 1), self.weight.view(1, -1, 1, 1), x * size)

    rep_in, rep_out, x = images(3 * D4.trivial()), images(2 * D4.regular()), torch.randn(2, 3, 7, 7)
    binding = bound(Response(), rep_in, rep_out, x)
    assert binding.breakers == ()
    assert not binding.inference.unknown
    assert [binding[name].projector.rank for name in ("weight", "bias")] == [2, 2]
    assert error(binding, rep_in, rep_out, x) < 1e-6


def test_cross_covariance_attention_normalises_along_pixels_and_unused_parameters_are_named():
    class CrossCovariance(nn.Module):
        def __init__(self, width=32, heads=2):
            super().__init__()
            self.heads, self.qkv = heads, nn.Linear(width, 3 * width)
            self.stem = nn.Conv2d(3, width, 3, padding=1)
            self.temperature, self.unused = nn.Parameter(torch.ones(heads, 1, 1)), nn.Parameter(torch.ones(3))

        def forward(self, x):
            x = self.stem(x).flatten(2).transpose(1, 2)
            q, k, v = self.qkv(x).reshape(len(x), x.shape[1], 3, self.heads, -1).permute(2, 0, 3, 4, 1).unbind(0)
            attention = F.normalize(q, dim=-1) @ F.normalize(k, dim=-1).transpose(-2, -1) * self.temperature
            return (attention.softmax(-1) @ v).permute(0, 3, 1, 2).flatten(2).mean(1)

    rep, x = images(3 * D4.trivial()), torch.randn(2, 3, 5, 5)
    binding = bound(CrossCovariance(), rep, 4 * D4.regular(), x)
    assert binding.breakers == ()
    assert not binding.inference.unknown
    assert axes(binding, "qkv.weight") == ("12xregular", "4xregular")
    assert list(binding.unaccounted) == ["unused"]
    assert "did not use it" in binding.inference.reasons["unused"]
    assert error(binding, rep, 4 * D4.regular(), x) < 1e-6
