"""Optimisers of other packages at infinite strength: a thousand steps of float32 leave irreps in the subspace.

Needs lion-pytorch, schedulefree, prodigyopt, heavyball, pytorch-optimizer, bitsandbytes; what is missing is skipped.
"""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.split.cases import net

INF = math.inf
REPS = {
    "D4": iw.Dihedral(4).irreps("2x0+ + 1x0- + 2x1"),
    "SO(3)": iw.SO(3).irreps("2x0 + 2x1"),
}
Groups = list[dict[str, Any]]


def of(package: str, name: str, **options: Any) -> Callable[[Groups], torch.optim.Optimizer]:
    """A maker of that class, which skips the test where the package is missing."""

    def made(groups: Groups) -> torch.optim.Optimizer:
        module = pytest.importorskip(package)
        if package == "heavyball":
            module.utils.compile_mode = None
        return getattr(module, name)(groups, **options)

    return made


ENTRYWISE = {
    "Lion": of("lion_pytorch", "Lion", lr=1e-3, weight_decay=0.1),
    "Adafactor": of("torch.optim", "Adafactor", lr=1e-2),
    "AdamWScheduleFree": of("schedulefree", "AdamWScheduleFree", lr=1e-2, warmup_steps=10),
    "Prodigy": of("prodigyopt", "Prodigy", lr=1.0),
}
# Split, AdamW is SplitAdamW; the others mix entries, or round them in blocks: projected around the step, not split.
PROJECTED = {
    "AdamW": of("torch.optim", "AdamW", lr=1e-2),
    "Muon": of("torch.optim", "Muon", lr=1e-2),
    "Shampoo": of("pytorch_optimizer", "Shampoo", lr=1e-2),
    "SOAP": of("pytorch_optimizer", "SOAP", lr=1e-2),
    "heavyball SOAP": of("heavyball", "SOAP", lr=1e-3),
    "AdamW8bit": of("bitsandbytes.optim", "AdamW8bit", lr=1e-2, min_8bit_size=0),
}


def trained(rep: iw.Representation, wrapped: Callable[[nn.Module, iw.Binding], Any], steps: int = 1000) -> float:
    """The largest relative residual, in train and eval mode, after steps on a loss with an equivariant gradient."""
    model, binding = net(rep, rep, dtype=torch.float32)
    binding.project_()
    layer: Any = model[0]
    layer.bias = None
    binding = iw.bind(model, {"0": (rep, rep)})
    start, P = layer.weight.detach().clone(), binding["0.weight"].projector
    n, generator = rep.dim, torch.Generator().manual_seed(1)
    Q = torch.linalg.qr(torch.randn(2 * n, 2 * n, generator=generator, dtype=torch.float64))[0] * (2 * n) ** 0.5
    T = P.project(torch.randn(n, n, generator=generator, dtype=torch.float64))
    x, y = Q[:, :n].float(), (Q[:, :n] @ T.T + Q[:, n:]).float()
    optimizer = wrapped(model, binding)
    getattr(optimizer, "train", lambda: None)()
    for _ in range(steps):
        layer.weight.grad = None
        (layer(x) - y).square().sum(1).mean().backward()
        optimizer.step()
    assert (layer.weight - start).norm() > 0.1 * start.norm()
    found = [binding.residuals()["0.weight"].relative_residual]
    getattr(optimizer, "eval", lambda: None)()
    return max(*found, binding.residuals()["0.weight"].relative_residual)


@pytest.mark.parametrize("rep", REPS)
@pytest.mark.parametrize("name", ENTRYWISE)
def test_components_of_their_own_stay(name: str, rep: str) -> None:
    def wrapped(model: nn.Module, binding: iw.Binding) -> iw.SplitOptimizer:
        return iw.SplitOptimizer(ENTRYWISE[name], model.parameters(), binding, strength=INF)

    assert trained(REPS[rep], wrapped) <= 1e-6


@pytest.mark.parametrize("rep", REPS)
@pytest.mark.parametrize("name", [*ENTRYWISE, *PROJECTED])
def test_gradients_and_weights_that_are_projected_stay(name: str, rep: str) -> None:
    def wrapped(model: nn.Module, binding: iw.Binding) -> torch.optim.Optimizer:
        optimizer = (ENTRYWISE | PROJECTED)[name]([{"params": list(model.parameters())}])
        iw.EquivarianceDecay(optimizer, binding, strength=INF)
        return optimizer

    assert trained(REPS[rep], wrapped) <= 1e-6


def test_alone_adamw_leaves_it() -> None:
    """What the laws above are about."""

    def wrapped(model: nn.Module, binding: iw.Binding) -> torch.optim.Optimizer:
        return torch.optim.AdamW(model.parameters(), lr=1e-2)

    assert trained(REPS["SO(3)"], wrapped, steps=100) > 1e-5
