"""The networks of the rings: circular harmonics, two linear maps and an invariant pairing; a perceptron beside them."""

import base64
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import nn

from experiments.rings.data import stream
from intertwine.errors import ArgumentError, UnknownNameError, listing
from intertwine.groups import SO
from intertwine.representations import Representation

# Frequencies 0 .. 4: of real signals the harmonics m and -m are conjugates, so these are all of m = -4 .. 4.
FREQUENCIES = 4
RADIAL_CHANNELS = 4
LARGEST_RADIUS = 4.0
HIDDEN_CHANNELS = 8
PERCEPTRON_WIDTH, PERCEPTRON_LAYERS = 96, 4
# Points a side of the square on which decisions are kept for pictures.
MESH = 80
NETWORKS = {
    "harmonic": "circular harmonics m = -4 .. 4 times 4 Gaussian radial channels -> two linear maps to 8 channels of "
    "all m -> invariant pairing -> linear",
    "perceptron": "2 -> 96 -> 96 -> 96 -> 96 -> 1 with GELU",
}


class CircularHarmonics(nn.Module):
    """Points -> ``R_k(r) (cos m phi, sin m phi)``, k = 1 .. channels, m = 0 .. frequencies; nothing is trained.

    ``R_k`` is a Gaussian around the k-th of equally spaced radii from 0 to ``largest_radius``, of the spacing's
    deviation. Exactly equivariant: standard -> ``channels x 0 + channels x 1 + ...``.

    Shapes:
        (count, 2) -> (count, channels * (1 + 2 * frequencies)), multiplicity-major as ``harmonic_type``.

    Examples:
        >>> CircularHarmonics()(torch.tensor([[1.0, 0.0]])).shape
        torch.Size([1, 36])
    """

    def __init__(
        self,
        frequencies: int = FREQUENCIES,
        channels: int = RADIAL_CHANNELS,
        largest_radius: float = LARGEST_RADIUS,
    ) -> None:
        super().__init__()
        centres = torch.linspace(0, largest_radius, channels)
        self.scale = max(1, channels - 1) / largest_radius
        self.register_buffer("centres", centres, persistent=False)
        self.register_buffer("orders", torch.arange(1, frequencies + 1, dtype=torch.float32), persistent=False)
        self.centres: torch.Tensor
        self.orders: torch.Tensor

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        radius = x.square().sum(1, keepdim=True).clamp(min=1e-12).sqrt()
        radial = ((radius - self.centres.to(x.dtype)).square() * (-(self.scale**2) / 2)).exp()
        angles = torch.atan2(x[:, 1:], x[:, :1]) * self.orders.to(x.dtype)
        circular = torch.stack([angles.cos(), angles.sin()], dim=-1)
        turning = radial[:, None, :, None] * circular[:, :, None, :]
        return torch.cat([radial, turning.flatten(1)], dim=1)


class InvariantPairing(nn.Module):
    """Two features of ``harmonic_type(channels)`` -> ``conj(u) v`` in every channel and frequency.

    Real part ``u . v`` and imaginary part ``u x v`` are invariant, as both turn by the same angle; for m = 0 there is
    the product alone.

    Shapes:
        (count, channels * (1 + 2 * frequencies)) twice -> the same.

    Args:
        channels: an even number, so that pairs of columns can be seen as complex numbers without a copy.

    Raises:
        ArgumentError: an odd number of channels.

    Examples:
        >>> pairing = InvariantPairing(channels=2)
        >>> u = torch.randn(3, 18)
        >>> v = harmonic_type(2).act(SO(2).sample(1)[0], u)
        >>> torch.allclose(pairing(u, u), pairing(v, v), atol=1e-5)
        True
    """

    def __init__(self, channels: int = HIDDEN_CHANNELS) -> None:
        super().__init__()
        if channels < 2 or channels % 2:
            raise ArgumentError("channels", expected="an even number >= 2", got=channels)
        self.channels = channels

    def forward(self, u: torch.Tensor, v: torch.Tensor) -> torch.Tensor:
        widths = [self.channels, u.shape[1] - self.channels]
        (u_still, u_turning), (v_still, v_turning) = u.split(widths, dim=1), v.split(widths, dim=1)
        a, b = (torch.view_as_complex(t.unflatten(1, (-1, 2))) for t in (u_turning, v_turning))
        return torch.cat([u_still * v_still, torch.view_as_real(a.conj() * b).flatten(1)], dim=1)


class HarmonicNetwork(nn.Module):
    """``harmonics -> (first, second) -> pairing -> head``, one logit a point.

    ``first`` and ``second`` are free linear maps without biases, which mix all frequencies; the network is equivariant
    where they are.

    Examples:
        >>> HarmonicNetwork()(torch.randn(5, 2)).shape
        torch.Size([5])
    """

    def __init__(self, channels: int = HIDDEN_CHANNELS) -> None:
        super().__init__()
        rep_in, rep_hidden = harmonic_type(RADIAL_CHANNELS), harmonic_type(channels)
        self.harmonics = CircularHarmonics()
        self.first = nn.Linear(rep_in.dim, rep_hidden.dim, bias=False)
        self.second = nn.Linear(rep_in.dim, rep_hidden.dim, bias=False)
        self.pairing = InvariantPairing(channels)
        self.head = nn.Linear(rep_hidden.dim, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.harmonics(x)
        logits: torch.Tensor = self.head(self.pairing(self.first(features), self.second(features)))
        return logits.squeeze(1)


def harmonic_type(channels: int, frequencies: int = FREQUENCIES) -> Representation:
    """``channels x 0 + channels x 1 + ... + channels x frequencies`` of SO(2).

    Examples:
        >>> harmonic_type(4)
        Representation(SO(2): 4x0 + 4x1 + 4x2 + 4x3 + 4x4)
    """
    return SO(2).irreps(" + ".join(f"{channels}x{m}" for m in range(frequencies + 1)))


def harmonic_types(channels: int = HIDDEN_CHANNELS) -> Mapping[str, tuple[Representation, Representation]]:
    """How SO(2) acts on both sides of the two linear maps; the head reads invariants and needs no type.

    P sets blocks of unlike frequencies to zero and keeps of a 2 x 2 block of like ones the part that commutes with
    turns, ``[[a, -b], [b, a]]``: what a complex linear map does that masks unlike m.
    """
    pair = (harmonic_type(RADIAL_CHANNELS), harmonic_type(channels))
    return {"first": pair, "second": pair}


def initial_network(seed: int, network: str = "harmonic") -> nn.Module:
    """One of ``NETWORKS`` with torch's own initialisation, the same for every method of a seed.

    Raises:
        UnknownNameError: no such network.
    """
    if network not in NETWORKS:
        raise UnknownNameError("network", expected=f"one of {listing(NETWORKS)}", got=repr(network))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream(seed, "weights").initial_seed())
        if network == "harmonic":
            return HarmonicNetwork()
        widths = [2] + [PERCEPTRON_WIDTH] * PERCEPTRON_LAYERS
        hidden = [
            module for i, width in enumerate(widths[:-1]) for module in (nn.Linear(width, widths[i + 1]), nn.GELU())
        ]
        return nn.Sequential(*hidden, nn.Linear(PERCEPTRON_WIDTH, 1), nn.Flatten(0))


def decisions_text(model: Callable[[torch.Tensor], torch.Tensor]) -> str:
    """Signs of the logits on ``mesh_points()``, packed in base64: enough for a picture of the decision regions."""
    with torch.no_grad():
        outer = (model(mesh_points()) > 0).numpy()
    return base64.b64encode(np.packbits(outer)).decode()  # type: ignore[arg-type]  # numpy arrays are buffers


def decisions(text: str) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """What ``decisions_text`` packed, shape (80, 80), True for the outer class; rows from below.

    Examples:
        >>> text = decisions_text(lambda x: x[:, 0] - 1)  # x > 1
        >>> decisions(text)[0, [0, 79]].tolist()
        [False, True]
    """
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text), dtype=np.uint8))
    return bits[: MESH * MESH].reshape(MESH, MESH).astype(bool)


def mesh_points() -> torch.Tensor:
    """A mesh of the square [-4, 4]^2, shape (6400, 2): rows from below, each from the left."""
    line = torch.linspace(-LARGEST_RADIUS, LARGEST_RADIUS, MESH)
    return torch.cartesian_prod(line, line).flip(1)
