"""Experts, fused and interleaved weights, complex rotary embeddings, writes through views: types and ranks by hand."""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw
from tests.tracing.test_inferred_models import axes, bound, error

C2 = iw.Cyclic(2)
REP = 16 * C2.regular()


def tokens(width=32):
    return torch.randn(2, 5, width, generator=torch.Generator().manual_seed(0))


class Experts(nn.Module):
    """Experts stacked in (E, in, 2 I) and (E, I, in), as gpt-oss and Llama 4, or (E, 2 I, in), as Mixtral."""

    def __init__(self, stored, interleaved, way, width=32, inner=16, experts=4):
        super().__init__()
        self.stored, self.interleaved, self.way, self.experts = stored, interleaved, way, experts
        self.router = nn.Linear(width, experts)
        up, down = (experts, width, 2 * inner), (experts, inner, width)
        if stored == "out in":
            up, down = (experts, 2 * inner, width), (experts, width, inner)
        self.up, self.up_bias = nn.Parameter(0.1 * torch.randn(up)), nn.Parameter(torch.randn(experts, 2 * inner))
        self.down = nn.Parameter(0.1 * torch.randn(down))

    def gated(self, h):
        gate, up = (h[..., ::2], h[..., 1::2]) if self.interleaved else h.chunk(2, -1)
        return F.silu(gate) * up

    def forward(self, x):
        shape, x = x.shape, x.flatten(0, 1)
        values, chosen = self.router(x).softmax(-1).topk(2, -1)
        up, down = self.up, self.down
        if self.stored == "out in":
            up, down = up.transpose(1, 2), down.transpose(1, 2)
        if self.way == "dense":
            h = torch.bmm(x.expand(self.experts, -1, -1), up) + self.up_bias[:, None]
            y = torch.bmm(self.gated(h), down)
            weights = torch.zeros(len(x), self.experts).scatter_(1, chosen, values)
            return (y * weights.T[..., None]).sum(0).view(shape)
        if self.way == "loop":
            result = torch.zeros_like(x)
            mask = F.one_hot(chosen, self.experts).permute(2, 1, 0)
            for number in torch.greater(mask.sum((-1, -2)), 0).nonzero():
                slot, row = torch.where(mask[number[0]])
                h = F.linear(x[row], up[number[0]].T) + self.up_bias[number[0]]
                y = F.linear(self.gated(h), down[number[0]].T) * values[row, slot, None]
                result.index_add_(0, row, y)
            return result.view(shape)
        order = chosen.view(-1).argsort()
        ends = torch.histc(chosen.view(-1)[order].float(), self.experts, 0, self.experts - 1).cumsum(0).int()
        h = torch._grouped_mm(x.repeat_interleave(2, 0)[order], up, offs=ends) + self.up_bias[chosen.view(-1)[order]]
        y = torch._grouped_mm(self.gated(h), down, offs=ends)[order.argsort()] * values.view(-1, 1)
        return y.view(len(x), 2, -1).sum(1).view(shape)


@pytest.mark.parametrize("stored", ["in out", "out in"])
@pytest.mark.parametrize("interleaved", [False, True])
@pytest.mark.parametrize("way", ["dense", "loop", "grouped"])
def test_stacked_experts_are_typed_in_whatever_order_they_are_stored(stored, interleaved, way):
    if way == "grouped" and not hasattr(torch, "_grouped_mm"):
        pytest.skip("torch has no grouped products")
    model, x = Experts(stored, interleaved, way), tokens()
    binding = bound(model, REP, REP, x)
    assert binding.breakers == ()
    assert not binding.unaccounted
    assert not binding.inference.unknown
    # Each of 4 experts: 16 x 16 pairs of regular fields with two numbers each, and one number a field of the bias.
    assert binding["up"].projector.rank == 4 * 16 * 16 * 2
    assert binding["down"].projector.rank == 4 * 8 * 16 * 2
    assert binding["up_bias"].projector.rank == 4 * 16
    assert axes(binding, "router.weight") == ("4x0", "16xregular")
    # Interleaved gates: the fields are of (gate, up) pairs, so that the two of a pair stay apart.
    P = binding["up_bias"].projector
    moved = P.project(torch.eye(32, dtype=torch.float64)[:1].repeat(4, 1))[0].nonzero().flatten().tolist()
    assert moved == ([0, 2] if interleaved else [0, 1])
    assert error(binding, REP, REP, x) < 1e-6


def test_routing_that_changes_with_projection_is_typed_anew_for_the_check():
    model, x = Experts("in out", False, "loop"), tokens()
    with torch.no_grad():  # without its equivariant part the router sends everything to the first two
        model.router.weight.copy_(torch.randn(4, 1) * torch.tensor([1.0, -1.0]).repeat(16))
        model.router.bias.copy_(torch.tensor([3.0, 2.0, 0.0, 0.0]))
        model.up[2:].mul_(2)
    binding = bound(model, REP, REP, x)
    (note,) = [note for note in binding.notes if "two runs part" in note]
    assert "the way that projected weights take was checked" in note
    assert binding.breakers == ()
    assert error(binding, REP, REP, x) < 1e-6


class Attention(nn.Module):
    """Attention with fused weights in one of the orders that are in use."""

    def __init__(self, order, width=32, heads=4):
        super().__init__()
        self.order, self.heads, self.size = order, heads, width // heads
        pairs = 2 if order == "key-value heads" else heads
        self.rows = width + 2 * pairs * self.size if order == "key-value heads" else 3 * width
        self.qkv, self.out = nn.Parameter(torch.randn(self.rows, width) / 6), nn.Linear(width, width)
        self.bias = nn.Parameter(torch.randn(self.rows))

    def split(self, h):
        batch, length, _ = h.shape
        if self.order in ("blocks", "in out"):
            return [part.view(batch, length, self.heads, -1) for part in h.chunk(3, -1)]
        if self.order == "heads":
            return h.view(batch, length, self.heads, 3 * self.size).chunk(3, -1)
        if self.order == "heads, kinds inside":
            return h.view(batch, length, self.heads, 3, self.size).unbind(-2)
        if self.order == "two blocks of q v k":
            q, v, k = h.view(batch, length, 2, -1).chunk(3, -1)
            return [part.reshape(batch, length, self.heads, self.size) for part in (q, k, v)]
        h = h.view(batch, length, 2, self.heads // 2 + 2, self.size)
        q, k, v = h[..., :-2, :], h[..., [-2], :], h[..., [-1], :]
        return [part.expand(q.shape).flatten(2, 3) for part in (q, k, v)]

    def forward(self, x):
        h = torch.addmm(self.bias, x.flatten(0, 1), self.qkv.T).view(*x.shape[:2], -1)
        q, k, v = (part.transpose(1, 2) for part in self.split(h))
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2)
        return self.out(y.reshape(x.shape))


@pytest.mark.parametrize("order", ["blocks", "heads", "heads, kinds inside", "two blocks of q v k", "key-value heads"])
def test_fused_weights_are_typed_in_their_own_order(order):
    model, x = Attention(order), tokens()
    binding = bound(model, REP, REP, x)
    assert binding.breakers == ()
    assert not binding.inference.unknown
    assert binding["qkv"].projector.rank == model.rows * 32 // 2
    assert axes(binding, "out.weight") == ("16xregular", "16xregular")
    assert error(binding, REP, REP, x) < 1e-6


def test_biases_that_fall_off_with_distance_leave_the_heads_where_they_are():
    class Slopes(Attention):
        def forward(self, x):
            q, k, v = (part.transpose(1, 2).flatten(0, 1) for part in self.split(F.linear(x, self.qkv, self.bias)))
            slopes = 2.0 ** -torch.arange(1, self.heads + 1).repeat(len(x))[:, None, None]
            scores = (slopes * torch.arange(x.shape[1])).baddbmm(batch1=q, batch2=k.mT, beta=1.0, alpha=0.3)
            y = torch.bmm(scores.softmax(-1), v).view(len(x), self.heads, x.shape[1], -1).transpose(1, 2)
            return self.out(y.reshape(x.shape))

    model, x = Slopes("heads"), tokens()
    binding = bound(model, REP, REP, x)
    assert binding.breakers == ()
    assert not binding.inference.unknown
    assert axes(binding, "qkv") == ("48xregular", "16xregular")  # four fields in each head's q, k and v
    assert error(binding, REP, REP, x) < 1e-6


@pytest.mark.parametrize("kind", ["complex", "interleaved"])
def test_rotary_embeddings_of_neighbouring_features_leave_a_head_alone(kind):
    class Rotary(nn.Module):
        def __init__(self, width=32, heads=4):
            super().__init__()
            self.heads, self.q, self.k = heads, nn.Linear(width, width), nn.Linear(width, width)
            self.v = nn.Linear(width, width)

        def forward(self, x):
            q, k, v = (f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
            angles = torch.arange(x.shape[1])[:, None] * 10.0 ** -torch.arange(q.shape[-1] // 2)
            turned = self.phases if kind == "complex" else self.pairs
            return F.scaled_dot_product_attention(turned(q, angles), turned(k, angles), v).transpose(1, 2).flatten(2)

        def phases(self, y, angles):
            z = torch.view_as_complex(y.reshape(*y.shape[:-1], -1, 2)) * torch.polar(torch.ones_like(angles), angles)
            return torch.view_as_real(z).flatten(-2)

        def pairs(self, y, angles):
            cos, sin = (f(angles).repeat_interleave(2, -1) for f in (torch.cos, torch.sin))
            return y * cos + torch.stack((-y[..., 1::2], y[..., ::2]), -1).flatten(-2) * sin

    model, x, rep = Rotary(), tokens(), 16 * C2.regular()
    binding = bound(model, REP, rep, x)
    assert binding.breakers == ()
    assert not binding.inference.unknown
    assert any("forced to trivial" in note for note in binding.notes)
    # Four heads of eight, exchanged in two pairs, or heads alone: the output says which.
    assert binding["v.weight"].projector.rank == 32 * 32 // 2
    assert error(binding, REP, rep, x) < 1e-6


def test_what_is_written_through_a_view_depends_on_the_input():
    class Latent(nn.Module):
        """Keys of a part for each head and a part that all heads share, put together in a new tensor."""

        def __init__(self, width=32, heads=4):
            super().__init__()
            self.heads, self.q, self.k = heads, nn.Linear(width, heads * 12), nn.Linear(width, heads * 8)
            self.shared, self.v, self.o = nn.Linear(width, 4), nn.Linear(width, width), nn.Linear(width, width)

        def forward(self, x):
            q, k, v = (f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.q, self.k, self.v))
            keys = k.new_empty(*k.shape[:-1], 12)
            keys[..., :8].copy_(k)
            keys[..., 8:] = self.shared(x)[:, None]
            return self.o(F.scaled_dot_product_attention(q, keys, v).transpose(1, 2).flatten(2))

    model, x = Latent(), tokens()
    binding = bound(model, REP, REP, x)
    assert binding.breakers == ()
    assert not binding.inference.unknown
    assert axes(binding, "q.weight") == ("24xregular", "16xregular")
    assert axes(binding, "shared.weight") == ("2xregular", "16xregular")
    assert error(binding, REP, REP, x) < 1e-6


def test_offsets_along_a_sequence_are_laid_out_in_other_runs():
    class Relative(nn.Module):
        """Scores of offsets shifted by a reshape, as in Transformer-XL."""

        def __init__(self, width=32):
            super().__init__()
            self.q, self.k, self.r = (nn.Linear(width, width, bias=False) for _ in range(3))

        def forward(self, x):
            n, width = x.shape[1:]
            angles = torch.arange(n, -n, -1.0)[:, None] * 10.0 ** -torch.arange(width // 2)
            scores = self.q(x) @ self.r(torch.cat([angles.sin(), angles.cos()], -1)).mT
            shifted = scores.reshape(len(x), 2 * n, n)[:, 1:].reshape(len(x), n, 2 * n - 1)[..., :n]
            return ((self.q(x) @ self.k(x).mT + shifted) / math.sqrt(width)).softmax(-1) @ x

    model, x = Relative(), tokens()
    binding = bound(model, REP, REP, x)
    assert binding.breakers == ()
    assert not binding.inference.unknown
    assert axes(binding, "q.weight") == ("16xregular", "16xregular")
    assert error(binding, REP, REP, x) < 1e-6


class SplitByCounts(nn.Module):
    """Rows go to experts by a router's first choice, in pieces whose lengths Python reads from it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.router = nn.Linear(width, 3)
        self.experts = nn.ModuleList(nn.Linear(width, width) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        chosen = self.router(x).argmax(-1)
        order = chosen.argsort(stable=True)
        pieces = x[order].split(torch.bincount(chosen, minlength=3).tolist())
        made = torch.cat([expert(piece) for expert, piece in zip(self.experts, pieces, strict=True)])
        return torch.zeros_like(x).index_copy(0, order, made)


@pytest.mark.parametrize("seed", range(4))
def test_pieces_of_other_lengths_under_equivariant_weights_are_seen(seed: int) -> None:
    """They were moved as those of the typed run, and torch raised about their shapes."""
    torch.manual_seed(seed)
    model, V = SplitByCounts(8), 4 * iw.Cyclic(2).regular()
    binding = iw.bind(model, rep_in=V, rep_out=V, example=torch.randn(16, 8))
    assert all(binding[f"experts.{i}.weight"].projector.rank == 32 for i in range(3))
    binding.project_()
    assert float(iw.equivariance_error(model, V, V, torch.randn(16, 8))) < 1e-6
