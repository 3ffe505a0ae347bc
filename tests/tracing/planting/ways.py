"""How a broken function is built into a model."""

import torch
from torch import nn
from torch.nn import functional as F

from tests.tracing.planting.kinds.registry import Broken


class Planted(nn.Module):
    """A broken function in one of the ways in which models hide it."""

    def __init__(self, broken: Broken, way: str):
        super().__init__()
        self.broken, self.way = broken, way
        if way == "zero":
            self.gamma = nn.Parameter(torch.zeros(()))
        if way == "compiled":
            self.compiled = torch.compile(broken)

    def forward(self, h):
        way, broken = self.way, self.broken
        if way == "residual":
            return h + 0.3 * broken(h)
        if way == "small":
            return h + 1e-3 * broken(h)
        if way == "checkpoint":
            return torch.utils.checkpoint.checkpoint(broken, h, use_reentrant=False)
        if way == "no_grad":
            with torch.no_grad():
                return broken(h)
        if way == "compiled":
            return self.compiled(h)
        if way == "zero":
            return h + self.gamma * broken(h)
        if way == "dead":
            return h + F.relu(broken(h) - 1e4)
        if way == "relu":
            return F.relu(broken(h)) + h
        if way == "double":
            return broken(h.double()).to(h.dtype)
        if way == "half":
            return h + broken(h.bfloat16()).to(h.dtype)
        if way == "detached":
            return h + broken(h.detach().clone())
        if way == "two":
            return broken(broken(h))
        if way == "mean":
            return h + broken(h).flatten(1).mean(1).reshape(-1, *[1] * (h.ndim - 1))
        return broken(h)


WAYS = (
    *("plain", "residual", "small", "checkpoint", "no_grad", "compiled", "zero", "dead", "relu", "double", "half"),
    *("detached", "two", "mean"),
)
