"""The decay acts whenever the optimiser updated a parameter, once, and says so when it cannot act."""

import math
import warnings

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.binding.cases import c4_mlp, fill, linear, proximal, seeded
from tests.decay.stand_ins import (
    Accelerated,
    Clearing,
    Lookahead,
    MasterCopies,
    ScheduleFreeWrapper,
    Sharp,
    Stepping,
    SteppingTwice,
)

INF = math.inf


def loss_of(layer: nn.Module, seed: int = 1) -> torch.Tensor:
    x = torch.randn(16, 4, generator=seeded(seed), dtype=torch.float64)
    return (layer(x) - x.roll(1, 0)).square().mean()


def relative(binding: iw.Binding) -> float:
    return max(residual.relative_residual for residual in binding.residuals().values())


# -- gradients that are cleared inside the step --------------------------------------------------------


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("closed", [False, True])
def test_gradients_cleared_inside_the_step(hidden, closed):
    layer, binding = linear()
    optimizer = Clearing(layer.parameters(), 0.1, hidden=hidden)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=INF)
    for _ in range(3):
        if closed:  # as Lightning: the step's first hook sees no gradient
            layer.weight.grad = None
            optimizer.step(lambda: loss_of(layer).backward())
        else:
            loss_of(layer).backward()
            optimizer.step()
        assert layer.weight.grad is None
        assert relative(binding) < 1e-12
    assert decay.steps == 3


def test_cleared_gradients_at_finite_strength():
    layer, binding = linear()
    twin, _ = linear()
    iw.EquivarianceDecay(Clearing(layer.parameters(), 0.1), binding, strength=2.0)
    optimizer = Clearing(twin.parameters(), 0.1)
    for model in (layer, twin):
        model.weight.grad = torch.ones_like(model.weight)
    optimizer.step()
    layer.weight.grad = torch.ones_like(layer.weight)
    expected = proximal(twin.weight, [(binding["weight"].projector, 2.0)], 0.1)
    hooked = Clearing(layer.parameters(), 0.1)
    decay = iw.EquivarianceDecay(hooked, binding, strength=2.0)
    hooked.step()
    torch.testing.assert_close(layer.weight.detach(), expected)
    assert decay.steps == 1


def test_what_the_optimiser_skipped_is_left_alone():
    """No gradient, and none cleared: as before."""
    model, binding = c4_mlp()
    optimizer = Clearing(model.parameters(), 0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=INF)
    before = model[0].weight.detach().clone()
    model[2].weight.grad = torch.zeros_like(model[2].weight)
    optimizer.step()
    assert torch.equal(model[0].weight.detach(), before)
    assert binding["2.weight"].projector.relative_residual(model[2].weight) < 1e-12


def test_an_optimiser_that_does_not_move_yet():
    """RAdam's first steps in some packages, SOAP's set-up: gradients are there, weights stay, and the decay acts."""

    class Waiting(torch.optim.SGD):
        def step(self, closure=None):
            return None

    layer, binding = linear()
    optimizer = Waiting(layer.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=INF)
    optimizer.step()
    assert relative(binding) < 1e-12


# -- nothing to act on -----------------------------------------------------------------------------------


def test_a_step_without_anything_to_decay_says_so_once():
    model, binding = c4_mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=1.0)
    with pytest.warns(iw.DecayWarning, match="updated no typed parameter"):
        optimizer.step()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.step()


def test_strength_zero_is_no_reason_to_warn():
    model, binding = c4_mlp()
    model.requires_grad_(False)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=0.0)
    model.requires_grad_(True)
    iw.EquivarianceDecay(optimizer, binding, strength=lambda step: 0.0)
    optimizer.step()


def test_some_frozen_parameters():
    rep = iw.Cyclic(4).regular()
    layer = torch.nn.Linear(4, 4)
    binding = iw.bind(layer, {"": (rep, rep)})
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=float("inf"))
    layer.weight.requires_grad_(False)
    layer(torch.randn(3, 4)).sum().backward()
    with pytest.warns(iw.DecayWarning, match="frozen, and left as they are: weight"):
        optimizer.step()


def test_frozen_parameters():
    """Adapters: every typed parameter is frozen."""
    layer, binding = linear()
    layer.requires_grad_(False)
    free = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([free], lr=0.1)
    with pytest.warns(iw.DecayWarning, match="every typed parameter is frozen"):
        iw.EquivarianceDecay(optimizer, binding, strength=1.0)


@pytest.mark.parametrize("how", ["assign", "parameter", "module"])
def test_replaced_parameters(how):
    model, binding = c4_mlp()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=INF)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    if how == "assign":
        model.load_state_dict(state, assign=True)
    elif how == "parameter":
        model[2].weight = nn.Parameter(model[2].weight.detach().clone())
    else:
        model[2] = fill(nn.Linear(12, 12).double())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    model(torch.ones(1, 9, dtype=torch.float64)).sum().backward()
    with pytest.raises(iw.errors.ArgumentError, match=r"got none of .*2\.weight.* took the place of another"):
        optimizer.step()
    # Before anything was done.
    assert all(torch.equal(before[name], tensor) for name, tensor in model.state_dict().items())


def test_replaced_and_given_to_the_optimiser():
    layer, binding = linear()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=INF)
    layer.weight = nn.Parameter(layer.weight.detach().clone())
    optimizer.add_param_group({"params": [layer.weight]})
    loss_of(layer).backward()
    optimizer.step()
    assert relative(binding) < 1e-12


def test_param_groups_added_later():
    model, binding = c4_mlp()
    model[4].requires_grad_(False)
    optimizer = torch.optim.SGD([*model[0].parameters(), *model[2].parameters()], lr=0.1)
    iw.EquivarianceDecay(optimizer, binding, strength=INF)
    model[4].requires_grad_(True)
    with pytest.raises(iw.errors.ArgumentError, match=r"got none of 4\.weight, 4\.bias"):
        optimizer.step()
    optimizer.add_param_group({"params": list(model[4].parameters()), "lr": 0.5})
    model(torch.ones(1, 9, dtype=torch.float64)).sum().backward()
    optimizer.step()
    assert relative(binding) < 1e-12


# -- once a step -----------------------------------------------------------------------------------------


def test_a_step_that_runs_its_hooks_twice():
    Stepping([nn.Parameter(torch.zeros(1))], lr=0.1)  # torch hooks a class's step when it is first made
    layer, binding = linear()
    P, before = binding["weight"].projector, layer.weight.detach().clone()
    optimizer = SteppingTwice(layer.parameters(), lr=0.5)
    calls = []
    optimizer.register_step_post_hook(lambda *_: calls.append(1))
    decay = iw.EquivarianceDecay(optimizer, binding, strength=2.0)
    optimizer.step()
    assert len(calls) == 2
    assert decay.steps == 1
    torch.testing.assert_close(P.residual(layer.weight.detach()), P.residual(before / 2) / 2)


def test_a_step_that_fails_does_not_stop_the_decay():
    """Nesting is seen on the stack, not counted: an error inside a step leaves nothing behind."""
    Stepping([nn.Parameter(torch.zeros(1))], lr=0.1)
    layer, binding = linear()
    optimizer = SteppingTwice(layer.parameters(), lr=0.5)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=INF)

    def failing():
        raise KeyError("batch")

    with pytest.raises(KeyError, match="batch"):
        optimizer.step(failing)
    optimizer.step()
    assert decay.steps == 1
    assert relative(binding) < 1e-12


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("strength", [5.0, INF])
def test_a_skipped_step_is_no_step(fused, strength):
    layer, binding = linear(dtype=torch.float32)
    optimizer = torch.optim.Adam(layer.parameters(), lr=0.1, fused=fused)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=strength)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    before = layer.weight.detach().clone()
    for infinite in (True, False):
        optimizer.zero_grad()
        scaler.scale(layer(torch.ones(2, 4)).square().mean()).backward()
        if infinite:
            layer.weight.grad[0, 0] = INF
        scaler.step(optimizer)
        scaler.update()
        assert torch.equal(layer.weight.detach(), before) == infinite
        assert decay.steps == (0 if infinite else 1)
    expected = 0.0 if strength == INF else relative_after(before, binding, 0.1, strength)
    assert relative(binding) == pytest.approx(expected, rel=1e-4, abs=1e-6)


def relative_after(before, binding, lr, strength):
    """The same step by hand, without a scaler."""
    layer, _ = linear(dtype=torch.float32)
    with torch.no_grad():
        layer.weight.copy_(before)
    optimizer = torch.optim.Adam(layer.parameters(), lr=lr)
    optimizer.zero_grad()
    layer(torch.ones(2, 4)).square().mean().backward()
    optimizer.step()
    P = binding["weight"].projector
    W = layer.weight.detach()
    W = P.project(W) + P.residual(W) / (1 + lr * strength)
    return float(P.relative_residual(W))


@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method.*:DeprecationWarning")  # torch's own, on the way
def test_compiled_step():
    layer, binding = linear()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=INF)
    loss_of(layer).backward()
    torch.compile(optimizer.step, backend="eager")()
    assert decay.steps == 1
    assert relative(binding) < 1e-12


# -- wrappers --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wrap", [Accelerated, ScheduleFreeWrapper, lambda o: Accelerated(Accelerated(o))])
def test_takes_the_optimiser_inside(wrap):
    layer, binding = linear()
    inner = torch.optim.SGD(layer.parameters(), lr=0.1)
    optimizer = wrap(inner)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=INF)
    assert decay.optimizer is inner
    for _ in range(3):
        layer.weight.grad = None
        loss_of(layer).backward()
        optimizer.step()
    assert decay.steps == 3
    assert relative(binding) < 1e-12


@pytest.mark.parametrize("wrap", [Lookahead, Sharp])
def test_follows_the_wrapper_itself(wrap):
    """What moves the parameters after the optimiser inside."""
    layer, binding = linear()
    optimizer = wrap(torch.optim.SGD(layer.parameters(), lr=0.1))
    decay = iw.EquivarianceDecay(optimizer, binding, strength=INF)
    assert decay.optimizer is optimizer

    def closure():
        layer.weight.grad = None
        loss = loss_of(layer)
        loss.backward()
        return loss

    for step in range(5):
        optimizer.step(closure)
        assert decay.steps == step + 1
        assert relative(binding) < 1e-12
    if wrap is Lookahead:
        P = binding["weight"].projector
        assert P.relative_residual(optimizer.state[layer.weight]["slow_params"]) < 1e-12


def test_wrappers_that_are_refused():
    layer, binding = linear()
    with pytest.raises(iw.errors.ArgumentError, match=r"got MasterCopies|trains copies of them: call binding.project_"):
        iw.EquivarianceDecay(MasterCopies(torch.optim.SGD(layer.parameters(), lr=0.1)), binding, 1.0)

    class Empty:
        param_groups = ()
        optimizer = None

    for thing in (Empty(), Accelerated(None), None, layer):
        with pytest.raises(iw.errors.ArgumentError, match=r"expected a torch\.optim\.Optimizer; got"):
            iw.EquivarianceDecay(thing, binding, 1.0)


@pytest.mark.parametrize("kind", [torch.optim.AdamW, torch.optim.NAdam, torch.optim.RMSprop])
@pytest.mark.parametrize("closure", [False, True])
def test_at_infinity_moments_hold_nothing_that_is_not_equivariant(
    kind: type[torch.optim.Optimizer], closure: bool
) -> None:
    """Training then is that of the coefficients: the same optimiser on the entries of P's orbits."""
    torch.manual_seed(0)
    V = 2 * iw.Cyclic(4).regular()
    layer = torch.nn.Linear(8, 8, bias=False, dtype=torch.float64)
    binding = iw.bind(layer, {"": (V, V)})
    binding.project_()
    basis = binding["weight"].projector.basis()
    units = basis / basis.abs().flatten(1).amax(1)[:, None, None]
    squares = units.square().flatten(1).sum(1)
    free = torch.nn.Parameter(torch.einsum("kij,ij->k", units, layer.weight.detach()) / squares)
    ours, theirs = kind(layer.parameters(), lr=0.01, eps=1e-14), kind([free], lr=0.01, eps=1e-14)
    decay = iw.EquivarianceDecay(ours, binding, strength=math.inf)
    x, y = torch.randn(16, 8, dtype=torch.float64), torch.randn(16, 8, dtype=torch.float64)

    def loss() -> torch.Tensor:
        ours.zero_grad()
        value = (layer(x) - y).square().mean()
        value.backward()
        return value

    for _ in range(20):
        if closure:
            ours.step(loss)
        else:
            loss()
            ours.step()
        theirs.zero_grad()
        (x @ torch.einsum("k,kij->ij", free, units).T - y).square().mean().backward()
        theirs.step()
    torch.testing.assert_close(
        layer.weight.detach(), torch.einsum("k,kij->ij", free.detach(), units), rtol=1e-7, atol=1e-9
    )
    assert decay.steps == 20


def test_an_expanded_gradient_is_projected_as_a_copy() -> None:
    V = iw.Cyclic(4).regular()
    layer = torch.nn.Linear(4, 4, bias=False)
    binding = iw.bind(layer, {"": (V, V)})
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    decay = iw.EquivarianceDecay(optimizer, binding, strength=math.inf)
    row = torch.arange(4.0)
    layer.weight.grad = row.expand(4, 4)
    optimizer.step()
    assert torch.equal(row, torch.arange(4.0))
    torch.testing.assert_close(layer.weight.grad, torch.full((4, 4), 1.5))
    assert decay.steps == 1
