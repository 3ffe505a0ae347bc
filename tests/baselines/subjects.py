"""Small typed networks in float64 that the methods are tried on."""

import itertools

import torch
from torch import nn

import intertwine as iw
from intertwine.baselines import Subject, leave
from intertwine.baselines.lie_derivative import lie_action


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def network(*widths, seed=0):
    """Linear layers with tanh between them, drawn from a generator."""
    layers = []
    for before, after in itertools.pairwise(widths):
        layers += [nn.Linear(before, after, dtype=torch.float64), nn.Tanh()]
    model, generator = nn.Sequential(*layers[:-1]), seeded(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn(parameter.shape, dtype=torch.float64, generator=generator) / 3)
    return model


def images(group=None, *, invariant=True, seed=0):
    """3 x 3 pixels to two regular fields, and on to three classes or, if not invariant, one regular field."""
    G = iw.Dihedral(4) if group is None else group
    pixels, hidden = G.grid(3, 3), 2 * G.regular()
    out = 3 * G.trivial() if invariant else G.regular()
    model = network(pixels.dim, hidden.dim, out.dim, seed=seed)
    binding = iw.bind(model, {"0": (pixels, hidden), "2": (hidden, out)})
    act_out = leave if invariant else out.act
    return Subject(model, binding, G, pixels.act, act_out, {"1": hidden.act})


class Vectors(nn.Module):
    """``x -> W x (1 + |x|^2)``: equivariant iff W commutes with rotations."""

    def __init__(self, dim, seed=0):
        super().__init__()
        self.linear = network(dim, dim, seed=seed)[0]
        del self.linear.bias
        self.linear.bias = None

    def forward(self, x):
        return self.linear(x) * (1 + x.square().sum(-1, keepdim=True))


def vectors(group=None, seed=0):
    G = iw.SO(2) if group is None else group
    rep = G.standard()
    model = Vectors(rep.dim, seed)
    binding = iw.bind(model, {"linear": (rep, rep)})
    return Subject(model, binding, G, rep.act, rep.act, {}, lie_action(rep), lie_action(rep))


def kernels(group):
    """A 3 x 3 convolution on images of one channel, to two copies of the trivial representation."""
    model = nn.Sequential(nn.Conv2d(1, 2, 3, bias=False, dtype=torch.float64))
    with torch.no_grad():
        model[0].weight.copy_(torch.randn(2, 1, 3, 3, dtype=torch.float64, generator=seeded()))
    binding = iw.bind(model, {"0": (group.trivial(), 2 * group.trivial())})
    return Subject(model, binding, group, leave, leave)


def data(subject, count=12, seed=1, labels=False):
    """Random inputs, and targets without any symmetry."""
    first = next(p for p in subject.model.parameters() if p.ndim == 2)
    generator = seeded(seed)
    x = torch.randn(count, first.shape[1], dtype=torch.float64, generator=generator)
    with torch.no_grad():
        width = subject.model(x).shape[1]
    if labels:
        return x, torch.randint(width, (count,), generator=generator)
    return x, torch.randn(count, width, dtype=torch.float64, generator=generator)
