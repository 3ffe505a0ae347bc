"""Sequence models of torch itself, and networks that control robots."""

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

import intertwine as iw
from benchmarks.models.case import Case, randomised

Made = Callable[[], nn.Module]


def cases() -> list[Case]:
    """Transformers and recurrent nets under C2 and D4, policies under a robot's mirror and a group of two mirrors."""
    tokens, others = _drawn(2, 6, 32), _drawn(2, 5, 32)
    found = []
    for group, copies in ((iw.Cyclic(2), 16), (iw.Dihedral(4), 4)):
        rep = copies * group.regular()
        found += [_case(name, make, rep, rep, tokens, "6x32") for name, make in _sequences().items()]
        pair = (tokens, others)
        found += [_case(name, make, (rep, rep), rep, pair, "6x32, 5x32") for name, make in _pairs().items()]
    return [*found, *_policies()]


def _case(name: str, make: Made, rep_in: Any, rep_out: Any, example: Any, size: str) -> Case:
    def made() -> nn.Module:
        torch.manual_seed(0)
        return randomised(make().eval())

    group = next(rep.group for rep in _leaves((rep_in, rep_out)))
    return Case(f"{name} under {group}", f"torch {torch.__version__}", made, rep_in, rep_out, example, size)


def _leaves(reps: Any) -> list[Any]:
    if isinstance(reps, tuple | dict):
        return [leaf for rep in (reps.values() if isinstance(reps, dict) else reps) for leaf in _leaves(rep)]
    return [] if reps is None else [reps]


def _drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


class Called(nn.Module):
    """Modules called in one way."""

    def __init__(self, call: Callable[..., Any], **modules: nn.Module) -> None:
        super().__init__()
        self.call = call
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, *args: Any, **named: Any) -> Any:
        """What the call gives."""
        return self.call(self, *args, **named)


def _causal(length: int) -> torch.Tensor:
    return nn.Transformer.generate_square_subsequent_mask(length)


def _attend(**options: Any) -> Made:
    def call(own: Any, x: torch.Tensor) -> torch.Tensor:
        q, k, v = own.qkv(x).unflatten(-1, (3, 4, 8)).permute(2, 0, 3, 1, 4).unbind(0)
        return own.out(F.scaled_dot_product_attention(q, k, v, **options).transpose(1, 2).flatten(2))

    return lambda: Called(call, qkv=nn.Linear(32, 96), out=nn.Linear(32, 32))


def _flexible() -> nn.Module:
    from torch.nn.attention.flex_attention import flex_attention

    def softcapped(score: torch.Tensor, batch: Any, head: Any, q: Any, k: Any) -> torch.Tensor:
        return 5 * torch.tanh(score / 5)

    def call(own: Any, x: torch.Tensor) -> torch.Tensor:
        q, k, v = own.qkv(x).unflatten(-1, (3, 4, 8)).permute(2, 0, 3, 1, 4).unbind(0)
        return own.out(flex_attention(q, k, v, score_mod=softcapped).transpose(1, 2).flatten(2))

    return Called(call, qkv=nn.Linear(32, 96), out=nn.Linear(32, 32))


def _recurrent(kind: type[nn.Module], **options: Any) -> Made:
    wide = options.get("proj_size", 48) * (2 if options.get("bidirectional") else 1)

    def call(own: Any, x: torch.Tensor) -> torch.Tensor:
        return own.out(own.inner(x)[0])

    return lambda: Called(call, inner=kind(32, 48, batch_first=True, **options), out=nn.Linear(wide, 32))


def _packed() -> nn.Module:
    def call(own: Any, x: torch.Tensor) -> torch.Tensor:
        packed = nn.utils.rnn.pack_padded_sequence(x, torch.tensor([6, 4]), batch_first=True)
        return own.out(nn.utils.rnn.pad_packed_sequence(own.inner(packed)[0], batch_first=True)[0])

    return Called(call, inner=nn.GRU(32, 48, 2, batch_first=True), out=nn.Linear(48, 32))


def _stepped() -> nn.Module:
    def call(own: Any, x: torch.Tensor) -> torch.Tensor:
        state, steps = (torch.zeros(len(x), 48),) * 2, []
        for step in x.unbind(1):
            state = own.cell(step, state)
            steps.append(own.out(state[0]))
        return torch.stack(steps, 1)

    return Called(call, cell=nn.LSTMCell(32, 48), out=nn.Linear(48, 32))


def _sequences() -> dict[str, Made]:
    layer = functools.partial(nn.TransformerEncoderLayer, 32, 4, 64)
    mask = torch.zeros(2, 6, dtype=torch.bool)
    mask[1, 4:] = True

    def masked(own: Any, x: torch.Tensor) -> torch.Tensor:
        return own.inner(x, mask=_causal(6), src_key_padding_mask=mask, is_causal=True)

    def first(own: Any, x: torch.Tensor) -> torch.Tensor:
        return own.inner(x.transpose(0, 1)).transpose(0, 1)

    return {
        "TransformerEncoder": lambda: nn.TransformerEncoder(layer(batch_first=True), 2),
        "TransformerEncoder, norms first, gelu": lambda: nn.TransformerEncoder(
            layer(batch_first=True, norm_first=True, activation="gelu"), 2, enable_nested_tensor=False
        ),
        "TransformerEncoder, sequence first": lambda: Called(first, inner=nn.TransformerEncoder(layer(), 2)),
        "TransformerEncoder, masks": lambda: Called(masked, inner=nn.TransformerEncoder(layer(batch_first=True), 2)),
        "attention, causal": _attend(is_causal=True),
        "attention, float mask": _attend(attn_mask=_causal(6)),
        "attention, boolean mask": _attend(attn_mask=torch.ones(6, 6, dtype=torch.bool).tril()),
        "flex_attention": _flexible,
        "LSTM": _recurrent(nn.LSTM, num_layers=2),
        "LSTM, both directions, proj_size": _recurrent(nn.LSTM, num_layers=2, bidirectional=True, proj_size=16),
        "GRU, both directions": _recurrent(nn.GRU, num_layers=2, bidirectional=True),
        "RNN, relu": _recurrent(nn.RNN, nonlinearity="relu"),
        "GRU, packed sequences": _packed,
        "LSTMCell in a loop": _stepped,
    }


def _pairs() -> dict[str, Made]:
    options: dict[str, Any] = {"nhead": 4, "dim_feedforward": 64, "batch_first": True}

    def causal(own: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return own.inner(x, y, tgt_mask=_causal(y.shape[1]), tgt_is_causal=True)

    def other(own: Any, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return own.inner(x, own.narrow(y), own.narrow(y), need_weights=False)[0]

    def attention(**more: Any) -> Made:
        sizes = {"kdim": 16, "vdim": 16, "batch_first": True}
        return lambda: Called(other, narrow=nn.Linear(32, 16), inner=nn.MultiheadAttention(32, 4, **sizes, **more))

    return {
        "Transformer": lambda: nn.Transformer(32, num_encoder_layers=2, num_decoder_layers=2, **options),
        "Transformer, norms first, causal": lambda: Called(
            causal, inner=nn.Transformer(32, num_encoder_layers=1, num_decoder_layers=1, norm_first=True, **options)
        ),
        "MultiheadAttention, kdim and vdim": attention(),
        "MultiheadAttention, bias_k, zeros": attention(add_bias_kv=True, add_zero_attn=True),
    }


class Normalised(nn.Module):
    """Observations less their running mean, over their running deviation, clipped, as trainers for robots do."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("var", torch.ones(width))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The normalised observation."""
        return ((x - self.mean) / torch.sqrt(self.var + 1e-8)).clamp(-5, 5)


class Joints(nn.Module):
    """A token a joint, which the group permutes: attention over them, one action each."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.kind = nn.Linear(3, 32), nn.Parameter(torch.randn(6, 32))
        layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True)
        self.encoder, self.head = nn.TransformerEncoder(layer, 2), nn.Linear(32, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Positions, velocities and last actions (batch, 18) to actions (batch, 6)."""
        joints = self.embed(x.unflatten(-1, (3, 6)).transpose(1, 2)) + self.kind
        return self.head(self.encoder(joints)).squeeze(-1)


def _policies() -> list[Case]:
    C2, K4 = iw.Cyclic(2), iw.Dihedral(2)
    swap = C2.permutation([[3, 4, 5, 0, 1, 2]])
    state = 3 * C2.trivial() + 2 * C2.irrep(1) + swap
    # Four legs, under the half turn and under the mirror between left and right.
    legs = K4.permutation([[3, 2, 1, 0], [1, 0, 3, 2]])

    def trunk(inputs: int, width: int = 64) -> nn.Sequential:
        first, last = nn.Linear(inputs, width), nn.Linear(width, width)
        return nn.Sequential(first, nn.LayerNorm(width), nn.ELU(), last, nn.Tanh())

    def actor_critic(own: Any, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        hidden = own.trunk(own.norm(x))
        return own.actor(hidden), own.critic(hidden)

    def gaussian(own: Any, x: torch.Tensor) -> dict[str, torch.Tensor]:
        mean, log_std = own.head(own.trunk(x)).chunk(2, -1)
        return {"mean": torch.tanh(mean), "std": log_std.clamp(-5, 2).exp()}

    def dictionary(own: Any, base: torch.Tensor, joints: torch.Tensor, command: torch.Tensor) -> torch.Tensor:
        hidden = torch.cat([own.a(base), own.b(joints), command], -1)
        return own.head(own.trunk(hidden)) * own.log_std.exp()

    class Scaled(Called):
        def __init__(self) -> None:
            parts = {"a": nn.Linear(2, 8), "b": nn.Linear(12, 32), "trunk": trunk(43), "head": nn.Linear(64, 4)}
            super().__init__(dictionary, **parts)
            self.log_std = nn.Parameter(torch.zeros(4))

    def heads() -> nn.Module:
        parts = {"norm": Normalised(11), "trunk": trunk(11), "actor": nn.Linear(64, 6), "critic": nn.Linear(64, 1)}
        return Called(actor_critic, **parts)

    both = {"base": K4.standard(), "joints": 3 * legs, "command": 3 * K4.trivial()}
    given = {"base": _drawn(4, 2), "joints": _drawn(4, 12), "command": _drawn(4, 3)}
    names = ("actor and critic, normalised observations", "gaussian policy", "transformer of joints", "dictionaries")
    return [
        _case(names[0], heads, state, (swap, None), _drawn(4, 11), "11"),
        _case(
            names[1],
            lambda: Called(gaussian, trunk=trunk(11), head=nn.Linear(64, 12)),
            *(state, {"mean": swap, "std": swap}, _drawn(4, 11), "11"),
        ),
        _case(names[2], Joints, 3 * swap, swap, _drawn(4, 18), "6 joints"),
        _case(names[3], Scaled, both, legs, given, "2, 12, 3"),
    ]
