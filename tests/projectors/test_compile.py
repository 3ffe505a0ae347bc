"""torch.compile takes penalty, projection and proximal step whole, without a graph break, with the same numbers."""

import math
import warnings
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch._dynamo.utils import counters

import intertwine as iw
from intertwine.projectors.norms.joint import JointMaps
from intertwine.projectors.norms.proximal import Shrinkage, shrink_

# Dynamo instantiates autograd functions, of which torch itself warns.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning", "ignore::FutureWarning")

CASES: dict[str, Callable[[], iw.Projector]] = {
    "orbit": lambda: iw.projector(4 * iw.Cyclic(4).regular(), 2 * iw.Cyclic(4).regular()),
    "schur": lambda: iw.projector(iw.SO(3).irreps("3x0 + 2x1"), iw.SO(3).irreps("2x0 + 3x1")),
    "kernel on pixels": lambda: iw.projector(iw.Cyclic(4).regular(), iw.Cyclic(4).regular(), kernel=(3, 3)),
    "steerable kernel": lambda: iw.projector(iw.SO(2).irrep(1), 2 * iw.SO(2).irrep(1), kernel=(3, 3)),
}


@pytest.mark.parametrize("name", CASES)
def test_compiles_in_one_graph(name: str) -> None:
    P = CASES[name]()
    W = torch.randn(P.shape, generator=torch.Generator().manual_seed(0)).requires_grad_()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        compiled = torch.compile(lambda W: P.squared_residual(W) / 2, fullgraph=True, backend="aot_eager")
        value = compiled(W)
        (gradient,) = torch.autograd.grad(value, W)
        image = torch.compile(P.project, fullgraph=True, backend="aot_eager")(W)
    torch.testing.assert_close(value, P.squared_residual(W) / 2)
    torch.testing.assert_close(gradient, P.residual(W.detach()))
    torch.testing.assert_close(image, P.project(W))


def bound() -> iw.Binding:
    """A model that was not looked at yet: what the first call keeps is not there."""
    torch.manual_seed(0)
    R, S = iw.Dihedral(4).regular(), iw.Dihedral(4).irreps("1 + 0-")
    model = nn.Sequential(nn.Linear(16, 3), nn.Linear(3, 8))
    return iw.bind(model, {"0": (2 * R, S), "1": (S, R)})


def whole(function: Callable[..., Any]) -> Callable[..., Any]:
    return torch.compile(function, fullgraph=True, backend="aot_eager")


@pytest.mark.parametrize(
    "options",
    [
        {"strength": {"0": 2.0, "1.weight": 0.5}, "equivariant_strength": 0.1},
        {"form": "relative"},
        {"every": 2, "step": 0},
    ],
    ids=str,
)
def test_the_penalty_of_a_model_is_one_graph(options: dict[str, Any]) -> None:
    torch.compiler.reset()
    binding = bound()
    parameters = list(binding.model.parameters())
    value = whole(lambda: binding.penalty(**{"strength": 0.3, **options}))()
    expected = binding.penalty(**{"strength": 0.3, **options})
    torch.testing.assert_close(value, expected)
    if expected.requires_grad:
        torch.testing.assert_close(*(torch.autograd.grad(v, parameters) for v in (value, expected)))


@pytest.mark.parametrize("strength", [0.5, math.inf])
def test_the_proximal_steps_of_a_model_are_one_graph(strength: float) -> None:
    torch.compiler.reset()
    found = []
    for compiled in (False, True):
        binding = bound()
        tensors = [tensor.detach() for _, tensor in binding.tensors()]
        projectors = [entry.projector for entry in binding]

        def take(tensors: list[torch.Tensor] = tensors, projectors: list[iw.Projector] = projectors) -> None:
            shrink_(
                [Shrinkage(W, ((P, strength),), 0.1) for W, P in zip(tensors, projectors, strict=True)], JointMaps()
            )

        (whole(take) if compiled else take)()
        found.append(tensors)
    torch.testing.assert_close(*found)


def test_a_compiled_step_of_an_optimiser_is_decayed_and_is_traced_once() -> None:
    found, graphs = [], []
    for decayed, compiled in ((False, True), (True, False), (True, True)):
        torch.compiler.reset()
        counters.clear()
        binding = bound()
        optimizer = torch.optim.SGD(binding.model.parameters(), lr=0.1)
        decay = iw.EquivarianceDecay(optimizer, binding, strength=0.5) if decayed else None
        step = torch.compile(lambda o=optimizer: o.step(), backend="aot_eager") if compiled else optimizer.step
        for number in range(3):
            for parameter in binding.model.parameters():
                parameter.grad = torch.full_like(parameter, 0.01 * (number + 1))
            step()
        assert decay is None or decay.steps == 3
        found.append([tensor.detach() for _, tensor in binding.tensors()])
        graphs.append(counters["stats"]["unique_graphs"])
    torch.testing.assert_close(found[2], found[1], rtol=1e-4, atol=1e-4)
    assert graphs[2] == graphs[0]
