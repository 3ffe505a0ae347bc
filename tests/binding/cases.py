"""Typed models that the tests share."""

import torch
from torch import nn

import intertwine as iw


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def fill(module: nn.Module, seed: int = 0) -> nn.Module:
    """Random values everywhere, without the global generator."""
    generator = seeded(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64))
    return module


def c4_mlp(dtype: torch.dtype = torch.float64) -> tuple[nn.Module, iw.Binding]:
    """Grid -> regular -> regular -> trivial, with biases."""
    G = iw.Cyclic(4)
    pixels, hidden, logits = G.grid(3, 3), 3 * G.regular(), 5 * G.trivial()
    model = nn.Sequential(nn.Linear(9, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 5)).to(dtype)
    binding = iw.bind(model, {"0": (pixels, hidden), "2": (hidden, hidden), "4": (hidden, logits)})
    return fill(model), binding


def so3_linear(dtype: torch.dtype = torch.float64) -> tuple[nn.Module, iw.Binding]:
    """One layer 3x0 + 2x1 -> 2x0 + 2x1 + 2, whose l = 2 rows have rank 0."""
    G = iw.SO(3)
    rep_in, rep_out = G.irreps("3x0 + 2x1"), G.irreps("2x0 + 2x1 + 2")
    layer = nn.Linear(rep_in.dim, rep_out.dim).to(dtype)
    return fill(layer), iw.bind(layer, {"": (rep_in, rep_out)})


def dense(P: iw.Projector) -> torch.Tensor:
    """P as a matrix on flattened tensors, from its orthonormal basis."""
    Q = P.basis().flatten(1)
    return Q.T @ Q


def linear(rep=None, dtype=torch.float64):
    """A square layer without bias (regular fields of C4) and its binding; zero gradients: a step is the decay alone."""
    rep = iw.Cyclic(4).regular() if rep is None else rep
    layer = fill(nn.Linear(rep.dim, rep.dim, bias=False).to(dtype))
    layer.weight.grad = torch.zeros_like(layer.weight)
    return layer, iw.bind(layer, {"": (rep, rep)})


def proximal(W, pairs, lr):
    """argmin_V |V-W|^2 / 2 + lr sum_i s_i/2 |V - P_i V|^2, by solving for the zero of its gradient."""
    unit = torch.eye(W.numel(), dtype=W.dtype)
    system = unit + lr * sum(s * (unit - dense(P)) for P, s in pairs)
    return torch.linalg.solve(system, W.detach().flatten()).reshape(W.shape)
