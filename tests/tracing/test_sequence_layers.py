"""Attention and recurrent layers of torch with every option, adapters, policies of robots: types and ranks by hand."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw
from tests.tracing.test_inferred_models import axes, bound, error

C2, D4 = iw.Cyclic(2), iw.Dihedral(4)
REP = 4 * D4.regular()


def drawn(*shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


class Called(nn.Module):
    def __init__(self, call, **modules):
        super().__init__()
        self.call = call
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, *args):
        return self.call(self, *args)


@pytest.mark.filterwarnings("ignore:LSTM with projections:UserWarning")
@pytest.mark.parametrize("both", [False, True])
def test_states_that_an_lstm_projects_are_a_type_of_their_own(both):
    inner = nn.LSTM(32, 48, 2, batch_first=True, bidirectional=both, proj_size=16)
    model = Called(lambda own, x: own.out(own.inner(x)[0]), inner=inner, out=nn.Linear(16 * (1 + both), 32))
    x = drawn(2, 6, 32)
    binding = bound(model, REP, REP, x)
    assert binding.breakers == ()
    assert not binding.unaccounted
    assert not binding.inference.unknown
    # Four gates of 48 cells, of which 16 numbers are made: six and two fields.
    assert axes(binding, "inner.weight_hr_l1") == ("2xregular", "6xregular")
    assert axes(binding, "inner.weight_hh_l0") == ("24xregular", "2xregular")
    assert binding["inner.weight_ih_l1"].projector.rank == 4 * 48 * 16 * (1 + both) // 8
    assert binding["inner.weight_hr_l0"].projector.rank == 16 * 48 // 8
    assert error(binding, REP, REP, x) < 1e-6


def test_an_output_left_alone_behind_a_residual_stream_is_said_to_make_all_of_it_invariant():
    layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
    stem, x = nn.Linear(32, 32), drawn(2, 6, 32)
    binding = bound(nn.Sequential(stem, layer), REP, None, x)
    assert "0.bias" in binding.free
    assert any("32 features forced to trivial by rep_out" in note for note in binding.notes)
    headed = bound(nn.Sequential(stem, layer, nn.Linear(32, 3)), REP, None, x)
    assert not any("forced to trivial" in note for note in headed.notes)
    assert axes(headed, "0.weight") == ("4xregular", "4xregular")


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_sequences_of_several_lengths_are_packed_and_unpacked(kind):
    def call(own, x):
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([3, 6]), batch_first=True, enforce_sorted=False)
        y, last = own.inner(packed)
        y = nn.utils.rnn.pad_packed_sequence(y, batch_first=True)[0]
        return own.out(y) + own.out(last[0] if isinstance(last, tuple) else last)[-1][:, None]

    model, x = Called(call, inner=kind(32, 48, 2, batch_first=True), out=nn.Linear(48, 32)), drawn(2, 6, 32)
    binding = bound(model, REP, REP, x)
    assert binding.breakers == ()
    assert not binding.unaccounted
    assert not binding.inference.unknown
    assert axes(binding, "inner.weight_hh_l1")[1] == "6xregular"
    assert axes(binding, "out.weight") == ("4xregular", "6xregular")
    assert error(binding, REP, REP, x) < 1e-6


@pytest.mark.parametrize("options", [{}, {"add_bias_kv": True}, {"add_zero_attn": True}, {"kdim": 16, "vdim": 24}])
@pytest.mark.parametrize("batch_first", [False, True])
def test_keys_and_values_of_other_widths_with_biases_of_their_own(options, batch_first):
    widths = options.get("kdim", 32), options.get("vdim", 32)

    def call(own, x):
        y = x if batch_first else x.transpose(0, 1)
        mask = torch.zeros(2, 6, dtype=torch.bool)
        mask[1, 4:] = True
        causal = torch.ones(6, 6, dtype=torch.bool).triu(1)
        found = own.inner(y, own.k(y), own.v(y), key_padding_mask=mask, attn_mask=causal)[0]
        return found if batch_first else found.transpose(0, 1)

    inner = nn.MultiheadAttention(32, 4, batch_first=batch_first, **options)
    model = Called(call, k=nn.Linear(32, widths[0]), v=nn.Linear(32, widths[1]), inner=inner)
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.2)
    x = drawn(2, 6, 32)
    binding = bound(model, REP, REP, x)
    assert binding.breakers == ()
    assert not binding.unaccounted
    assert not binding.inference.unknown
    name = "inner.k_proj_weight" if "kdim" in options else "inner.in_proj_weight"
    rows = 32 if "kdim" in options else 96
    assert binding[name].projector.rank == rows * widths[0] // 8
    assert axes(binding, name) == (f"{rows // 8}xregular", f"{widths[0] // 8}xregular")
    assert error(binding, REP, REP, x) < 1e-6


def test_weights_handed_to_the_function_itself_with_an_empty_fused_one():
    def call(own, x):
        y = x.transpose(0, 1)
        biases = torch.cat([own.q.bias, own.k.bias, own.v.bias])
        fused = torch.empty([0])
        options = {"attn_mask": own.offsets[None].expand(8, -1, -1), "use_separate_proj_weight": True}
        options |= {f"{name}_proj_weight": getattr(own, name).weight for name in "qkv"}
        arguments = (y, y, y, 32, 4, fused, biases, None, None, False, 0.0, own.o.weight, own.o.bias, own.training)
        return F.multi_head_attention_forward(*arguments, None, False, **options)[0].transpose(0, 1)

    model = Called(call, **{name: nn.Linear(32, 32) for name in "qkvo"})
    model.offsets = nn.Parameter(drawn(6, 6))
    x = drawn(2, 6, 32)
    binding = bound(model, REP, REP, x)
    assert binding.breakers == ()
    assert not binding.inference.unknown
    assert axes(binding, "k.weight") == ("4xregular", "4xregular")
    assert axes(binding, "q.bias") == ("4xregular",)
    assert binding.free == ("offsets",)
    assert error(binding, REP, REP, x) < 1e-6


@pytest.mark.filterwarnings("ignore:flex_attention called without:UserWarning")
def test_scores_changed_by_a_function_are_judged():
    flex = pytest.importorskip("torch.nn.attention.flex_attention").flex_attention

    def call(change):
        def attend(own, x):
            q, k, v = own.qkv(x).unflatten(-1, (3, 4, 8)).permute(2, 0, 3, 1, 4).unbind(0)
            return own.out(flex(q, k, v, score_mod=change).transpose(1, 2).flatten(2))

        return attend

    x = drawn(2, 6, 32)
    for change in (lambda s, b, h, q, k: 5 * torch.tanh(s / 5), lambda s, b, h, q, k: s + (h + 1) * (k - q)):
        model = Called(call(change), qkv=nn.Linear(32, 96), out=nn.Linear(32, 32))
        binding = bound(model, REP, REP, x)
        assert binding.breakers == ()  # a head has room for a field, so that heads stay where they are
        assert not binding.inference.unknown
        assert axes(binding, "qkv.weight") == ("12xregular", "4xregular")
        assert error(binding, REP, REP, x) < 1e-6


def test_windows_along_time_that_do_not_overlap_are_patches():
    swap = C2.permutation([[1, 0, 3, 2]])

    def call(own, x):
        patches = x.unfold(1, 4, 4).transpose(1, 2)  # (batch, channels, patches, 4)
        h = F.gelu(own.embed(patches) + own.positions)
        return own.head(h.flatten(2)).transpose(1, 2)

    model = Called(call, embed=nn.Linear(4, 16), head=nn.Linear(64, 3))
    model.positions = nn.Parameter(drawn(4, 16))
    x = drawn(2, 16, 4)
    binding = bound(model, swap, swap, x)
    assert binding.breakers == ()
    assert not binding.inference.unknown
    assert len(binding) == 0  # every channel goes through the same weights, so that all of these are equivariant
    assert len(binding.free) == 5
    assert error(binding, swap, swap, x) < 1e-6


@pytest.mark.parametrize("step", [2, 3])
def test_windows_of_pixels_turn_back_in_time(step):
    back = iw.on_grid(C2.trivial(), space=C2.irrep(1))
    model = Called(lambda own, x: own.head(own.embed(x.unfold(2, 3, step)).relu().mean((1, 2))))
    model.embed, model.head = nn.Linear(3, 8), nn.Linear(8, 5)
    x = drawn(2, 1, 12)  # windows of 3 in steps of 2 leave the last one out
    binding = bound(model, back, None, x)
    assert [breaker.function for breaker in binding.breakers] == (["unfold"] if step == 2 else [])
    assert axes(binding, "embed.weight") == ("4xregular", "grid[3]")
    assert binding["embed.weight"].projector.rank == 3 * 8 // 2
    if step == 3:
        assert error(binding, back, None, x) < 1e-6


def test_a_constant_made_like_the_input_is_still_a_constant():
    class Positions(nn.Module):
        def __init__(self, table):
            super().__init__()
            self.embed, self.head = nn.Linear(8, 16), nn.Linear(16, 8)
            self.register_buffer("table", table)

        def forward(self, x):
            h = self.embed(x)
            return self.head(torch.tanh(h + self.table.detach().type_as(h).expand_as(h)))

    x, rep = drawn(2, 5, 8), D4.regular()
    (breaker,) = bound(Positions(drawn(5, 16)), rep, rep, x).breakers
    assert breaker.function == "add"
    assert "not one that the group leaves as it is" in breaker.reason
    model = Positions(drawn(5, 2).repeat_interleave(8, -1))
    binding = bound(model, rep, rep, x)
    assert binding.breakers == ()
    assert error(binding, rep, rep, x) < 1e-6


class Adapted(nn.Linear):
    """``x W^T + s (x A^T) B^T``, or with the sum's rows normalised and scaled, as DoRA does."""

    def __init__(self, width, rank, normalised):
        super().__init__(width, width)
        self.normalised = normalised
        self.a, self.b = nn.Parameter(drawn(rank, width)), nn.Parameter(drawn(width, rank))
        self.size = nn.Parameter(drawn(width).exp())

    def forward(self, x):
        if not self.normalised:
            return super().forward(x) + 2.0 * F.linear(F.linear(x, self.a), self.b)
        whole = self.weight + 2.0 * self.b @ self.a
        norm = torch.linalg.norm(whole, dim=1).detach()
        return F.linear(x, (self.size / norm)[:, None] * whole, self.bias)


@pytest.mark.parametrize("normalised", [False, True])
def test_adapters_of_low_rank_have_fields_between_their_factors(normalised):
    model, x = nn.Sequential(Adapted(32, 8, normalised), nn.GELU(), nn.Linear(32, 32)), drawn(2, 32)
    binding = bound(model, REP, REP, x)
    assert binding.breakers == ()
    assert not binding.inference.unknown
    assert axes(binding, "0.weight") == ("4xregular", "4xregular")
    assert axes(binding, "0.b")[0] == "4xregular"
    assert axes(binding, "0.a") == ("regular", "4xregular")
    assert binding["0.a"].projector.rank == binding["0.b"].projector.rank == 32
    if normalised:
        assert binding["0.size"].projector.rank == 4
    assert error(binding, REP, REP, x) < 1e-6


def test_products_of_two_factors_are_one_weight():
    class Kron(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Parameter(drawn(4, 4)), nn.Parameter(drawn(8, 8))

        def forward(self, x):
            return F.linear(x, torch.kron(self.a, self.b))

    binding = bound(Kron(), REP, REP, drawn(2, 32))
    assert binding.breakers == ()
    assert axes(binding, "b") == ("regular", "regular")
    assert binding.free == ("a",)
    assert error(binding, REP, REP, drawn(2, 32)) < 1e-6


def test_rotations_of_features_by_cayley_and_exponential():
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = (nn.Parameter(0.1 * drawn(32, 32)) for _ in range(3))

        def forward(self, x):
            skew = self.a - self.a.T
            turn = torch.linalg.solve(torch.eye(32) + skew, torch.eye(32) - skew)
            return x @ turn @ torch.matrix_exp(self.b - self.b.T) @ torch.linalg.inv(torch.eye(32) + self.c)

    model = Turned()
    binding = bound(model, REP, REP, drawn(2, 32))
    assert binding.breakers == ()
    assert not binding.inference.unknown
    assert [binding[name].projector.rank for name in "abc"] == [32 * 32 // 8] * 3
    assert error(binding, REP, REP, drawn(2, 32)) < 1e-6


class Policy(nn.Module):
    """Observations less their running mean, a trunk, two heads, a deviation of its own."""

    def __init__(self, inputs, actions, width=64):
        super().__init__()
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("var", torch.ones(inputs))
        layers = nn.Linear(inputs, width), nn.LayerNorm(width), nn.ELU(), nn.Linear(width, width), nn.Tanh()
        self.trunk = nn.Sequential(*layers)
        self.actor, self.critic = nn.Linear(width, actions), nn.Linear(width, 1)
        self.log_std = nn.Parameter(drawn(actions))

    def forward(self, observation):
        x = torch.cat([observation["base"], observation["joints"]], -1)
        hidden = self.trunk(((x - self.mean) / torch.sqrt(self.var + 1e-8)).clamp(-5, 5))
        mean = self.actor(hidden)
        return {"mean": mean, "std": self.log_std.exp().expand_as(mean), "value": self.critic(hidden)}


def test_a_policy_under_two_mirrors_with_observations_by_name():
    K4 = iw.Dihedral(2)
    legs = K4.permutation([[3, 2, 1, 0], [1, 0, 3, 2]])
    rep_in = {"base": K4.standard() + 2 * K4.trivial(), "joints": 3 * legs}
    rep_out = {"mean": legs, "std": legs, "value": None}
    model = Policy(16, 4)

    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.policy = model

        def forward(self, **observation):
            return self.policy(observation)

    x = {"base": drawn(5, 4), "joints": drawn(5, 12)}
    binding = bound(Named(), rep_in, rep_out, x)
    assert binding.breakers == ()
    assert axes(binding, "policy.trunk.0.weight")[0] == "16xregular"
    assert binding["policy.trunk.3.weight"].projector.rank == 64 * 64 // 4
    assert binding["policy.actor.weight"].projector.rank == 4 * 64 // 4
    assert binding["policy.critic.weight"].projector.rank == 64 // 4
    assert binding["policy.log_std"].projector.rank == 1  # one deviation for all four legs
    assert error(binding, rep_in, rep_out, x) < 1e-6

    # What training has left in the running statistics is no weight: it is judged.
    model.mean.copy_(drawn(16))
    model.var.copy_(drawn(16).exp())
    found = bound(Named(), rep_in, rep_out, x).breakers
    assert [breaker.function for breaker in found] == ["sub", "div"]
    # The remedy: their equivariant parts, the mean as a vector and the variance as a diagonal map.
    rep = rep_in["base"] + rep_in["joints"]
    model.mean.copy_(iw.projector(axes=(rep,)).project(model.mean))
    model.var.copy_(iw.diagonal_projector(rep).project(model.var))
    assert bound(Named(), rep_in, rep_out, x).breakers == ()
