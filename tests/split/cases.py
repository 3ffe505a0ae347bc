"""Typed layers with gradients to step along, and what it takes to go on from a checkpoint or a copy."""

import copy
import io
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import nn

import intertwine as iw

FINITE = iw.Cyclic(4).regular()
IRREPS = iw.SO(3).irreps("4x0 + 2x1 + 1x2")
SIGNED = 2 * iw.Mirror("x").permutation([[3, 4, 5, 0, 1, 2]], signs=[[-1, 1, 1, -1, 1, 1]])
CYCLIC = iw.Cyclic(5).irreps("2x0 + 2x1 + 1x2")
TURNS = iw.SO(2).irreps("3x0 + 2x1 + 2x2")


def net(*reps: iw.Representation, dtype: torch.dtype = torch.float64, seed: int = 0) -> tuple[nn.Module, iw.Binding]:
    """Linear layers without anything between, and their binding."""
    torch.manual_seed(seed)
    pairs = list(pairwise(reps))
    layers = nn.Sequential(*[nn.Linear(a.dim, b.dim, dtype=dtype) for a, b in pairs])
    return layers, iw.bind(layers, {str(i): pair for i, pair in enumerate(pairs)})


def gradients(model: nn.Module, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    for W in model.parameters():
        W.grad = torch.randn(W.shape, generator=generator, dtype=torch.float64).to(W.dtype)


def assert_goes_on(made: Callable[[], tuple[nn.Module, torch.optim.Optimizer]]) -> None:
    """An optimiser that is loaded from a file, or copied with its model, takes the same steps to the bit."""
    model, optimizer = made()
    for step in range(3):
        gradients(model, step)
        optimizer.step()
    file = io.BytesIO()
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, file)
    file.seek(0)
    saved = torch.load(file, weights_only=True)
    other, resumed = made()
    other.load_state_dict(saved["model"])
    resumed.load_state_dict(saved["optimizer"])
    copied_model, copied = copy.deepcopy((model, optimizer))
    for step in range(3, 6):
        for part, by in ((model, optimizer), (other, resumed), (copied_model, copied)):
            gradients(part, step)
            by.step()
    for part in (other, copied_model):
        for a, b in zip(model.parameters(), part.parameters(), strict=True):
            assert torch.equal(a, b)
    assert resumed.param_groups[0]["steps_taken"] == 6
