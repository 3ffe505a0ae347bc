"""What is computed of weights has the same bits inside ``torch.autocast`` and outside, forward and backward."""

import copy
import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.laws.kinds import KINDS, as_real, example

# torch's own decompositions for forward mode are scripted at their first use, of which it warns.
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:torch")
LOWERED = [torch.bfloat16, torch.float16]


@pytest.fixture(params=KINDS)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def lowered(dtype: torch.dtype) -> AbstractContextManager[object]:
    return torch.autocast("cpu", dtype=dtype)


def same(a: torch.Tensor, b: torch.Tensor) -> None:
    assert a.dtype == b.dtype
    assert torch.equal(a, b)


@pytest.mark.parametrize("dtype", LOWERED, ids=str)
@pytest.mark.parametrize("method", ["project", "residual", "squared_residual", "squared_projection"])
@pytest.mark.parametrize("where", ["forward", "backward", "both"])
def test_projections_and_their_gradients(name: str, method: str, where: str, dtype: torch.dtype) -> None:
    P, W = example(name, dtype=torch.float32)

    def run(forward: AbstractContextManager[object], backward: AbstractContextManager[object]) -> list[torch.Tensor]:
        X = W.clone().requires_grad_()
        with forward:
            image = getattr(P, method)(X)
        with backward:
            (first,) = torch.autograd.grad(as_real(image).square().sum(), X, create_graph=True)
            (second,) = torch.autograd.grad(as_real(first).square().sum(), X)
        return [image.detach(), first.detach(), second]

    inside, outside = lowered(dtype), nullcontext()
    got = run(inside if where != "backward" else outside, inside if where != "forward" else outside)
    for a, b in zip(got, run(outside, outside), strict=True):
        same(a, b)


@pytest.mark.parametrize("dtype", LOWERED, ids=str)
def test_steps_and_measurements(name: str, dtype: torch.dtype) -> None:
    P, W = example(name, dtype=torch.float32)

    def run() -> Iterator[torch.Tensor]:
        yield P.relative_residual(W)
        for factor in (0.0, 0.5):
            shrunk = W.clone()
            P.shrink_(shrunk, factor)
            yield shrunk
        with torch.autograd.forward_ad.dual_level():
            dual = torch.autograd.forward_ad.make_dual(W, W.flip(0))
            yield torch.autograd.forward_ad.unpack_dual(P.project(dual)).tangent
            yield torch.autograd.forward_ad.unpack_dual(P.squared_residual(dual)).tangent

    with lowered(dtype):
        inside = list(run())
    for a, b in zip(inside, run(), strict=True):
        same(a, b)


def model_and_binding(*, wide: bool) -> tuple[nn.Module, iw.Binding]:
    """Layers whose projections need matrix products: steerable kernels, weights computed together or alone."""
    G = iw.SO(3)
    rep, out = (
        (G.irreps("2x0 + 2x1"), G.irreps("0 + 1")) if not wide else (G.irreps("32x0 + 32x1"), G.irreps("64x0 + 64x1"))
    )
    if wide:
        model = nn.Sequential(nn.Linear(rep.dim, out.dim))
        types: dict[str, object] = {"0": (rep, out)}
    else:
        model = nn.Sequential(nn.Conv3d(8, 4, 3), nn.Linear(4, 8), nn.Linear(8, 8))
        types = {"0": (rep, out), "1": (out, rep), "2": (rep, rep)}
    for i, parameter in enumerate(model.parameters()):
        nn.init.normal_(parameter, generator=torch.Generator().manual_seed(i))
    return model, iw.bind(model, types)


def penalised(form: str) -> Callable[[nn.Module, iw.Binding], Iterator[torch.Tensor]]:
    def run(model: nn.Module, binding: iw.Binding) -> Iterator[torch.Tensor]:
        value = binding.penalty(strength=0.5, equivariant_strength=0.0 if form == "relative" else 0.25, form=form)
        yield value.detach()
        yield from torch.autograd.grad(value, list(model.parameters()))

    return run


def projected(model: nn.Module, binding: iw.Binding) -> Iterator[torch.Tensor]:
    binding.project_()
    yield from model.parameters()


def rescaled(model: nn.Module, binding: iw.Binding) -> Iterator[torch.Tensor]:
    binding.project_(preserve_norm=True)
    yield from model.parameters()


def initialised(model: nn.Module, binding: iw.Binding) -> Iterator[torch.Tensor]:
    binding.initialize_(generator=torch.Generator().manual_seed(0))
    yield from model.parameters()


def measured(model: nn.Module, binding: iw.Binding) -> Iterator[torch.Tensor]:
    yield torch.tensor([r.squared_residual for r in binding.residuals().values()], dtype=torch.float64)
    yield torch.tensor([p.residual for p in iw.report(binding).parameters], dtype=torch.float64)


def decayed(strength: float) -> Callable[[nn.Module, iw.Binding], Iterator[torch.Tensor]]:
    def run(model: nn.Module, binding: iw.Binding) -> Iterator[torch.Tensor]:
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        iw.EquivarianceDecay(optimizer, binding, strength=strength)
        for parameter in model.parameters():
            parameter.grad = torch.ones_like(parameter)
        optimizer.step()
        yield from model.parameters()

    return run


ACTIONS = {
    "squared": penalised("squared"),
    "norm": penalised("norm"),
    "relative": penalised("relative"),
    "project_": projected,
    "project_ keeping norms": rescaled,
    "initialize_": initialised,
    "residuals and report": measured,
    "decay": decayed(2.0),
    "decay, projected": decayed(math.inf),
}


@pytest.mark.parametrize("wide", [False, True], ids=["small", "wide"])
@pytest.mark.parametrize("dtype", LOWERED, ids=str)
@pytest.mark.parametrize("action", ACTIONS)
def test_what_a_binding_does(action: str, dtype: torch.dtype, wide: bool) -> None:
    model, binding = model_and_binding(wide=wide)
    twin, twin_binding = copy.deepcopy((model, binding))
    with lowered(dtype):
        inside = list(ACTIONS[action](model, binding))
    for a, b in zip(inside, ACTIONS[action](twin, twin_binding), strict=True):
        same(a, b)


def test_kernels_projected_inside_autocast_are_equivariant() -> None:
    rep = iw.SO(3).irreps("2x0 + 2x1")
    conv = nn.Conv3d(8, 8, 3)
    binding = iw.bind(conv, {"": (rep, rep)})
    with torch.autocast("cpu", dtype=torch.bfloat16):
        binding.project_()
    assert float(binding["weight"].projector.relative_residual(conv.weight)) < 1e-6


@pytest.mark.parametrize("dtype", LOWERED, ids=str)
def test_actions_on_features(dtype: torch.dtype) -> None:
    rep = iw.SO(3).irreps("2x0 + 2x1")
    (g,) = rep.group.sample(1, generator=torch.Generator().manual_seed(0))
    x = torch.randn(5, rep.dim, generator=torch.Generator().manual_seed(1))
    with lowered(dtype):
        inside = rep.act(g, x)
    same(inside, rep.act(g, x))
    exact = rep.act(g, x.to(dtype).double())
    same(rep.act(g, x.to(dtype)), exact.float().to(dtype))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("dtype", LOWERED, ids=str)
def test_compiled_in_one_graph_inside_autocast(dtype: torch.dtype) -> None:
    P, W = example("steerable kernel", dtype=torch.float32)
    compiled = torch.compile(P.squared_residual, fullgraph=True, backend="aot_eager")
    with lowered(dtype):
        X = W.clone().requires_grad_()
        value = compiled(X)
        (gradient,) = torch.autograd.grad(value, X)
    Y = W.clone().requires_grad_()
    torch.testing.assert_close(value, P.squared_residual(Y), rtol=1e-6, atol=0)
    torch.testing.assert_close(gradient, torch.autograd.grad(P.squared_residual(Y), Y)[0], rtol=1e-5, atol=1e-6)
