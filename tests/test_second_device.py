"""All that the library does gives the same on a second device, and its hot paths move nothing between devices.

The device is a stand-in (``tests/far_device.py``); with CUDA at hand the same is asked of it.
"""

import copy
import math
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch import nn

import intertwine as iw
from experiments.runs.experiment import experiment, missing_packages
from tests.adapted_layer import AdaptedLinear
from tests.binding.cases import c4_mlp, so3_linear
from tests.far_device import FAR, Watch, far_device
from tests.laws.registry import CASES, Case
from tests.projectors.test_joint import built, drawn, kernels
from tests.test_cnn_end_to_end import Case as Network

DEVICES = ["stand-in", *(["cuda"] if torch.cuda.is_available() else [])]
MEASURED_OTHERWISE = ("seconds", "memory")  # the costs, which are of the device


@contextmanager
def second(device: str) -> Iterator[tuple[str, Watch]]:
    """The device's name, and the count of what crosses; CUDA's is empty."""
    if device == "cuda":
        yield "cuda:0", Watch()
        return
    with far_device() as watch:
        yield FAR, watch


def near(x: torch.Tensor) -> torch.Tensor:
    return x.detach().cpu()


def close(got: torch.Tensor, expected: torch.Tensor) -> None:
    torch.testing.assert_close(near(got), expected.detach(), rtol=1e-9, atol=1e-9)


def test_the_stand_in_refuses_and_counts() -> None:
    x = torch.arange(6.0).reshape(2, 3)
    with far_device() as watch:
        far = x.to(FAR)
        assert far.device == torch.device(FAR)
        assert watch.crossed == {"to far": 1}
        with pytest.raises(RuntimeError, match="same device"):
            far @ x.T
        assert (far @ far.T).device == far.device
        assert torch.ones(2, device=FAR).device == far.device
        assert watch.crossed == {"to far": 1}
        assert float(far.sum()) == 15
        assert watch.crossed["_local_scalar_dense"] == 1
        assert torch.equal((far * 2).cpu(), x * 2)
        assert watch.crossed["to cpu"] == 1
        assert torch.equal(far[torch.tensor([1])].cpu(), x[1:])
        assert watch.crossed["index"] == 1


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("case", CASES, ids=str)
def test_projectors(case: Case, device: str) -> None:
    check_projectors(built(case), device)


@pytest.mark.parametrize("device", DEVICES)
def test_projectors_of_kernels_and_free_axes(device: str) -> None:
    check_projectors(kernels(), device)


@pytest.mark.parametrize("device", DEVICES)
def test_projectors_on_equal_inputs(device: str) -> None:
    G = iw.Cyclic(4)
    check_projectors([iw.projector(axes=(None, *(G.regular() + G.irrep(1),) * 3), symmetric=(1, 2, 3))], device)


def check_projectors(projectors: list[iw.Projector], device: str) -> None:
    for P in projectors:
        W = drawn(P, 0, torch.float64)
        shrunk = W.clone()
        P.shrink_(shrunk, 0.25)
        with second(device) as (name, watch):
            there = W.to(name)
            for call in range(2):
                watch.crossed.clear()
                results = [P.project(there), P.residual(there), P.squared_residual(there)]
                other = there.clone()
                P.shrink_(other, 0.25)
                assert call == 0 or not watch.crossed
            for got, expected in zip(
                [*results, other], [P.project(W), P.residual(W), P.squared_residual(W), shrunk], strict=True
            ):
                assert got.device == there.device
                close(got, expected)


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("form", ["squared", "norm", "relative"])
@pytest.mark.parametrize("make", [c4_mlp, so3_linear])
def test_penalty_decay_and_projection_of_a_model(make, form: str, device: str) -> None:
    model, binding = make()
    other, moved = copy.deepcopy((model, binding))
    state = trained(model, binding, form)
    with second(device) as (name, watch):
        other.to(name)
        first = trained(other, moved, form, watch)
        for got, expected in zip(first, state, strict=True):
            close(got, expected)
        moved.project_()
        binding.project_()
        for got, expected in zip(other.parameters(), model.parameters(), strict=True):
            close(got, expected)
        for one, two in zip(moved.residuals().values(), binding.residuals().values(), strict=True):
            assert one.norm == pytest.approx(two.norm)
        moved.initialize_(generator=torch.Generator().manual_seed(0))
        assert max(r.relative_residual for r in moved.residuals().values() if r.norm) < 1e-12


@pytest.mark.parametrize("device", DEVICES)
def test_effective_weights_of_an_adapter(device: str) -> None:
    V = 2 * iw.Cyclic(4).regular()
    model = nn.Sequential(AdaptedLinear(nn.Linear(8, 8, dtype=torch.float64), rank=4))
    other = copy.deepcopy(model)
    binding = iw.bind(model, {"0": (V, V)})
    factors = iw.start_adapters_(binding, generator=torch.Generator().manual_seed(0))
    binding.penalty(0.3).backward()
    with second(device) as (name, watch):
        other.to(name)
        moved = iw.bind(other, {"0": (V, V)})
        started = iw.start_adapters_(moved, generator=torch.Generator().manual_seed(0))
        for _ in range(2):
            watch.crossed.clear()
            other.zero_grad()
            moved.penalty(0.3).backward()
        assert not watch.crossed
        if device != "cuda":  # which has a generator of its own
            for got, expected in zip(started.tensors(), factors.tensors(), strict=True):
                close(got[1], expected[1])
            close(other[0].lora_B["default"].weight.grad, model[0].lora_B["default"].weight.grad)
        assert moved.project_().residuals()["0.weight"].relative_residual < 1e-12


def trained(model: nn.Module, binding: iw.Binding, form: str, watch: Watch | None = None) -> list[torch.Tensor]:
    """The penalties of three steps, and the weights after them."""
    optimizer = torch.optim.SGD(model.parameters(), 0.01)
    decay = iw.EquivarianceDecay(optimizer, binding, 0.5)
    penalties = []
    for step in range(3):
        if watch is not None:
            watch.crossed.clear()
        loss = binding.penalty(0.3, 0.0 if form == "relative" else 0.1, form=form)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        penalties.append(loss)
        assert step == 0 or watch is None or not watch.crossed
    decay.remove()
    return [*penalties, *model.parameters()]


@pytest.mark.parametrize("device", DEVICES)
def test_diagnostics_of_a_network(device: str) -> None:
    network = Network(iw.Dihedral(4), "stride")
    expected = float(network.error())
    found = iw.first_breaker(network.model, network.reps, network.rep_in, network.x)
    text = str(iw.report(network.binding, split=False))
    with second(device) as (name, _):
        network.model.to(name)
        network.x = network.x.to(name)
        assert float(network.error()) == pytest.approx(expected, rel=1e-4)
        assert iw.first_breaker(network.model, network.reps, network.rep_in, network.x).name == found.name
        assert iw.geometry(network.model, network.x, group=iw.Dihedral(4)).breaking[0].name == "conv"
        assert str(iw.report(network.binding, split=False)) == text


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", ["rings", "ct", "medical3d", "rotmnist", "smoke"])
def test_every_method_of_a_task(name: str, device: str) -> None:
    task = experiment(name)
    for package in missing_packages(task):
        pytest.skip(f"needs {package}")
    there = "cuda:0" if device == "cuda" else FAR
    seen = set()
    for here, far in zip(task.grid("smoke", 1, "cpu"), task.grid("smoke", 1, there), strict=True):
        if here["method"] in seen:
            continue
        seen.add(here["method"])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", iw.RankZeroWarning)
            expected = dict(numbers(task.run(here)))
            with second(device):
                got = dict(numbers(task.run(far)))
        assert got.keys() == expected.keys()
        for key, value in expected.items():
            if not any(word in key for word in MEASURED_OTHERWISE):
                assert got[key] == pytest.approx(value, rel=1e-3, abs=1e-6, nan_ok=True), (here["method"], key)
    assert len(seen) >= 6


def numbers(result: object, key: str = "") -> Iterator[tuple[str, float]]:
    """All numbers of a nested result with the way to them."""
    items = (
        result.items() if isinstance(result, dict) else enumerate(result) if isinstance(result, list | tuple) else ()
    )
    for name, value in items:
        yield from numbers(value, f"{key}/{name}")
    if isinstance(result, int | float) and not isinstance(result, bool) and not math.isnan(result):
        yield key, float(result)
