"""Fits to attention: heads turned and permuted at random are brought back, where that leaves the function as it is."""

import contextlib
import copy
import importlib.util
import time

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

import intertwine as iw
from benchmarks.models.__main__ import operators_of_torchvision
from intertwine.diagnostics.fitting.heads.irreps_in_bases import admissible_turns, irreps_in_bases
from intertwine.diagnostics.fitting.orthogonal import homomorphism_defect


class Attention(nn.Module):
    """As Hugging Face's: a layer each for queries, keys and values, fewer of the latter where queries are grouped."""

    def __init__(self, width, heads, groups=None, between=None):
        super().__init__()
        self.size, inner = width // heads, (groups or heads) * width // heads
        self.q, self.k = nn.Linear(width, width), nn.Linear(width, inner)
        self.v, self.o = nn.Linear(width, inner), nn.Linear(width, width)
        self.between = between or (lambda x: x)

    def forward(self, x):
        q, k, v = (layer(x).unflatten(-1, (-1, self.size)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        q, k = self.between(q), self.between(k)
        found = scaled_dot_product_attention(q, k, v, enable_gqa=q.shape[1] != k.shape[1])
        return self.o(found.transpose(1, 2).flatten(2))

    def runs(self):
        return [
            [(self.q.weight, 0, 0), (self.q.bias, 0, 0), (self.k.weight, 0, 0), (self.k.bias, 0, 0)],
            [(self.v.weight, 0, 0), (self.v.bias, 0, 0), (self.o.weight, 1, 0)],
        ]


class Eager(Attention):
    def forward(self, x):
        q, k, v = (layer(x).unflatten(-1, (-1, self.size)).transpose(1, 2) for layer in (self.q, self.k, self.v))
        weights = (q @ k.transpose(-1, -2) / self.size**0.5).softmax(-1)
        return self.o((weights @ v).transpose(1, 2).flatten(2))


class Stacked(nn.Module):
    """As timm's: one layer, whose output is split into queries, keys and values, in blocks or head by head."""

    def __init__(self, width, heads, *, by_head=False):
        super().__init__()
        self.heads, self.by_head = heads, by_head
        self.qkv, self.o = nn.Linear(width, 3 * width), nn.Linear(width, width)

    def forward(self, x):
        stacked = self.qkv(x)
        if self.by_head:
            q, k, v = stacked.unflatten(-1, (self.heads, 3, -1)).permute(3, 0, 2, 1, 4).unbind(0)
        else:
            q, k, v = stacked.unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)
        return self.o(scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2))

    def runs(self):
        width = self.o.weight.shape[0]
        return of_stacked(self.qkv.weight, self.qkv.bias, self.o.weight, width)


class MultiHead(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.own = nn.MultiheadAttention(width, heads, batch_first=True)

    def forward(self, x):
        return self.own(x, x, x)[0]

    def runs(self):
        return of_stacked(self.own.in_proj_weight, self.own.in_proj_bias, self.own.out_proj.weight, self.own.embed_dim)


class Encoder(nn.TransformerEncoderLayer):
    def __init__(self, width, heads):
        super().__init__(width, heads, 2 * width, batch_first=True)

    def runs(self):
        own = self.self_attn
        return of_stacked(own.in_proj_weight, own.in_proj_bias, own.out_proj.weight, own.embed_dim)


def of_stacked(weight, bias, out, width):
    queries = [(tensor, 0, start) for start in (0, width) for tensor in (weight, bias)]
    return [queries, [(weight, 0, 2 * width), (bias, 0, 2 * width), (out, 1, 0)]]


def seeded(number=0):
    return torch.Generator().manual_seed(number)


@torch.no_grad()
def scramble(net, heads, order=None, only=(0, 1)):
    """Another orthogonal matrix for each head, and the heads in random order; the function is kept."""
    generator = seeded(1)
    order = torch.randperm(heads, generator=generator) if order is None else order
    width = net.runs()[1][-1][0].shape[1]
    size = width // heads
    for number, runs in enumerate(net.runs()):
        turns = torch.linalg.qr(torch.randn(heads, size, size, generator=generator, dtype=torch.float64))[0]
        if number not in only:
            turns = torch.eye(size, dtype=torch.float64).expand(heads, -1, -1)
        for weight, axis, start in runs:
            part = weight.narrow(axis, start, width).movedim(axis, 0)
            rows = (turns @ part.reshape(heads, size, -1).double())[order]
            weight.narrow(axis, start, width).copy_(rows.to(weight.dtype).reshape(part.shape).movedim(0, axis))


def equivariant(net, group, width, *, noise=0.0):
    """Initialised in copies of the regular representation, its heads as they come; the input and its type."""
    generator, V = seeded(), width // group.order * group.regular()
    x = torch.randn(8, 12, width, generator=generator)
    net.eval()
    iw.bind(net, rep_in=V, rep_out=V, example=x, check=False).initialize_(generator=generator)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(noise * p.square().mean().sqrt() * torch.randn(p.shape, generator=generator))
    return x, {"rep_in": V, "rep_out": V}


def weights(fit):
    return {one.name: one for one in fit.weights}


@pytest.mark.parametrize(
    ("net", "width", "heads", "group"),
    [
        (Attention(32, 4), 32, 4, iw.Cyclic(4)),
        (Attention(32, 2), 32, 2, iw.Dihedral(4)),
        (Eager(32, 4), 32, 4, iw.Cyclic(4)),
        (Stacked(32, 4), 32, 4, iw.Cyclic(4)),
        (MultiHead(32, 4), 32, 4, iw.Cyclic(4)),
        (Encoder(32, 4), 32, 4, iw.Cyclic(4)),
        (Attention(16, 8), 16, 8, iw.Cyclic(4)),
        (Stacked(16, 8), 16, 8, iw.Cyclic(4)),
        (MultiHead(16, 8), 16, 8, iw.Cyclic(4)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else str(value),
)
def test_heads_in_random_bases_and_order_are_recovered(net, width, heads, group):
    """Inside of wide heads the group acts; narrow ones, of two features here, it permutes."""
    x, ends = equivariant(net, group, width)
    before = net(x).detach()
    scramble(net, heads)
    torch.testing.assert_close(net(x).detach(), before, rtol=1e-4, atol=1e-5)
    state = copy.deepcopy(net.state_dict())
    fit = iw.fit_representation(net, x, group, "orthogonal", draws=0, **ends)
    assert max(one.residual for one in fit.weights) < 1e-3
    assert max(one.unfitted for one in fit.weights) > 0.5
    assert all(one.homomorphism_defect < 1e-12 and one.admissible == 1.0 for one in fit.unknowns)
    assert fit.unknowns[0].kind == ("orthogonal" if width // heads >= group.order else "permutation")
    torch.testing.assert_close(fit.model(x), net(x), rtol=1e-4, atol=1e-5)
    assert all(torch.equal(state[name], value) for name, value in net.state_dict().items())
    binding = fit.bind()
    assert binding.breakers == ()
    assert binding.penalty().item() < 1e-5
    assert len(fit.turned) == 2
    assert all(place in str(fit) and place in fit.to_dict()["turned"] for place in fit.turned)


def test_behind_noise_the_residual_is_the_noise():
    net = Encoder(32, 4)
    x, ends = equivariant(net, iw.Cyclic(4), 32, noise=0.1)
    scramble(net, 4)
    fit = iw.fit_representation(net, x, iw.Cyclic(4), "orthogonal", draws=3, **ends)
    expected = 0.1 * 0.75**0.5 / (1 + 0.1**2) ** 0.5
    for name in ("self_attn.in_proj_weight", "self_attn.out_proj.weight", "linear1.weight"):
        assert weights(fit)[name].residual == pytest.approx(expected, rel=0.1)
        assert weights(fit)[name].residual < 0.3 < weights(fit)[name].chance


def test_chance_is_that_of_the_turned_fit():
    """Bases find symmetry in noise: random weights are no better than their own shuffles."""
    net = Attention(32, 4)
    x, ends = equivariant(net, iw.Cyclic(4), 32, noise=50.0)
    fit = iw.fit_representation(net, x, iw.Cyclic(4), "orthogonal", draws=3, **ends)
    for name in ("q.weight", "k.weight", "v.weight", "o.weight"):
        one = weights(fit)[name]
        assert abs(one.residual - one.chance) < 6 * one.chance_spread + 0.02
        assert one.chance < 0.84 < one.chance_of_type + 0.05
    assert all(one.admissible < 0.6 and one.admissible_chance < 0.6 for one in fit.unknowns)


@pytest.mark.slow
def test_512_features_in_eight_heads_take_seconds():
    """To 1e-3 in at most five seconds a layer, on one thread."""
    net = Attention(512, 8)
    x, ends = equivariant(net, iw.Cyclic(4), 512)
    scramble(net, 8)
    start = time.process_time()
    fit = iw.fit_representation(net, x, iw.Cyclic(4), "orthogonal", draws=0, **ends)
    assert (time.process_time() - start) / 4 < 5
    assert max(one.residual for one in fit.weights) < 1e-3


def test_values_by_head_are_told_from_queries_and_keys():
    """Where q, k and v of each head lie together."""
    net = Stacked(32, 4, by_head=True)
    x, ends = equivariant(net, iw.Cyclic(4), 32)
    fit = iw.fit_representation(net, x, iw.Cyclic(4), "orthogonal", draws=0, **ends)
    torch.testing.assert_close(fit.model(x), net(x), rtol=1e-4, atol=1e-5)
    assert max(one.residual for one in fit.weights) < 1e-3
    assert fit.turned == ("qkv.weight", "qkv.weight, o.weight")


def test_keys_of_grouped_queries_turn_with_all_of_these():
    net = Attention(32, 4, groups=2)
    x, ends = equivariant(net, iw.Cyclic(4), 32, noise=0.1)
    fit = iw.fit_representation(net, x, iw.Cyclic(4), "orthogonal", draws=0, **ends)
    torch.testing.assert_close(fit.model(x), net(x), rtol=1e-4, atol=1e-5)
    assert fit.turned == ("q.weight, k.weight", "v.weight, o.weight")
    assert fit.unknowns[0].size == 2 or fit.unknowns[0].kind == "orthogonal"


def rotary(x):
    """Pairs of features turn by angles that grow with the position."""
    half = x.shape[-1] // 2
    angles = torch.arange(x.shape[-2])[:, None] * 0.5 ** torch.arange(half)
    one, two = x[..., :half], x[..., half:]
    return torch.cat([one * angles.cos() - two * angles.sin(), two * angles.cos() + one * angles.sin()], -1)


class Scaled(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))

    def forward(self, x):
        return nn.functional.rms_norm(x, x.shape[-1:], self.weight)


@pytest.mark.parametrize(("between", "named"), [(rotary, "mul"), (Scaled(4), "norm")], ids=["rotary", "norms"])
def test_queries_and_keys_stay_where_something_comes_between(between, named):
    """Rotary embeddings and norms within heads do not commute with turns: refused by name; values still turn."""
    net = Attention(16, 4, between=between)
    x, ends = equivariant(net, iw.Cyclic(4), 16)
    if isinstance(between, Scaled):
        between.weight.data = torch.linspace(0.5, 2, 4)
    before = net(x).detach()
    scramble(net, 4, torch.arange(4), only=(1,))
    torch.testing.assert_close(net(x).detach(), before, rtol=1e-4, atol=1e-5)
    fit = iw.fit_representation(net, x, iw.Cyclic(4), "orthogonal", draws=0, **ends)
    torch.testing.assert_close(fit.model(x), net(x), rtol=1e-4, atol=1e-5)
    assert fit.turned == ("v.weight, o.weight",)
    [note] = [text for text in fit.notes if "not turned within heads" in text]
    assert note.startswith("q.weight, k.weight")
    assert named in note
    assert torch.equal(fit.model.q.weight, net.q.weight)


def test_permutations_alone_turn_nothing():
    net = Attention(32, 4)
    x, ends = equivariant(net, iw.Cyclic(4), 32)
    fit = iw.fit_representation(net, x, iw.Cyclic(4), draws=0, **ends)
    assert fit.turned == ()
    assert fit.model is net


def test_heads_of_one_softmax_each_are_permuted_never_mixed():
    """Three key heads of grouped queries are no vector, though they are three."""
    net, V = Attention(12, 6, groups=3), 4 * iw.O(3).standard()
    binding = iw.bind(net, rep_in=V, rep_out=V, example=torch.randn(4, 5, 12, generator=seeded()))
    assert binding.breakers == ()


@pytest.mark.parametrize("group", [iw.Cyclic(4), iw.Dihedral(4), iw.Octahedral(), iw.Mirror()], ids=str)
def test_scores_of_a_representation_give_it_in_its_bases(group):
    """Against matrices in random bases: the same character, exact products, and the bases to rounding."""
    generator = np.random.default_rng(0)
    rep = group.regular() + group.trivial()
    rho, n = rep.matrix(group.elements()).numpy(), rep.dim
    turns = np.linalg.qr(generator.standard_normal((3, n, n)))[0]
    noise = generator.standard_normal((3, n, 2 * n))
    covariances = np.einsum("gij,bjk,blk,gml->bim", rho, noise, noise, rho, optimize=True) / len(
        rho
    )  # commute with rho
    scores = turns.swapaxes(1, 2)[:, None] @ rho @ covariances[:, None] @ turns[:, None]
    found = irreps_in_bases(scores, group)
    character = rep.character(group.elements())
    torch.testing.assert_close(found.representation.character(group.elements()), character)
    sigma = found.representation.matrix(group.elements()).numpy()
    assert homomorphism_defect(sigma, group) < 1e-12
    ours = found.bases.swapaxes(1, 2)[:, None] @ sigma @ found.bases[:, None]
    np.testing.assert_allclose(ours, turns.swapaxes(1, 2)[:, None] @ rho @ turns[:, None], atol=1e-9)
    assert admissible_turns(scores, group) == 1.0


def test_scores_that_are_noise_give_a_representation_too():
    group = iw.Dihedral(4)
    scores = np.random.default_rng(0).standard_normal((2, 8, 7, 7))
    found = irreps_in_bases(scores, group)
    assert found.representation.dim == 7
    np.testing.assert_allclose(found.bases @ found.bases.swapaxes(1, 2), np.tile(np.eye(7), (2, 1, 1)), atol=1e-12)
    sigma = found.representation.matrix(group.elements()).numpy()
    rho = found.bases.swapaxes(1, 2)[:, None] @ sigma @ found.bases[:, None]
    assert found.score == pytest.approx(np.sum(rho * scores) / 8)
    assert admissible_turns(scores, group) < 0.6


class Gpt2(nn.Module):
    """A real one of Hugging Face, whose weights are stored as (in, out)."""

    def __init__(self, width, heads):
        super().__init__()
        config = {"n_embd": width, "n_layer": 1, "n_head": heads, "vocab_size": 9, "bos_token_id": 1, "eos_token_id": 2}
        package = transformers()
        self.own = package.GPT2Model(package.GPT2Config(**config))

    def forward(self, x):
        return self.own(inputs_embeds=x, use_cache=False).last_hidden_state

    def runs(self):
        own = self.own.h[0].attn
        weight, bias, width = own.c_attn.weight, own.c_attn.bias, own.embed_dim
        queries = [(tensor, axis, start) for start in (0, width) for tensor, axis in ((weight, 1), (bias, 0))]
        return [queries, [(weight, 1, 2 * width), (bias, 0, 2 * width), (own.c_proj.weight, 0, 0)]]


def transformers():
    if importlib.util.find_spec("torchvision") is not None:  # whose operators may be built for another torch
        with contextlib.suppress(RuntimeError):  # defined by another test before
            operators_of_torchvision()
    return pytest.importorskip("transformers")


def test_a_language_model_of_hugging_face_is_recovered():
    net = Gpt2(32, 4)
    x, ends = equivariant(net, iw.Cyclic(4), 32)
    scramble(net, 4)
    fit = iw.fit_representation(net, x, iw.Cyclic(4), "orthogonal", draws=0, **ends)
    assert max(one.residual for one in fit.weights) < 1e-3
    assert max(one.unfitted for one in fit.weights) > 0.5
    assert len(fit.turned) == 2
    with torch.no_grad():
        torch.testing.assert_close(fit.model(x), net(x), rtol=1e-4, atol=1e-5)
