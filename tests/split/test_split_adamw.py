"""SplitAdamW: its formula, AdamW inside the subspace at infinite strength, and what an optimiser has to be."""

import copy
import math

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.errors import ArgumentError
from intertwine.split import components, layout, runs
from tests.split.cases import CYCLIC, FINITE, IRREPS, SIGNED, TURNS, assert_goes_on, gradients, net


@pytest.fixture(params=["by entry", "side by side", "apart", "sorted", "sorted in pieces", "rows", "rows in pieces"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How typed weights take their steps: projector and size decide, which here do not count."""
    if request.param == "by entry":
        monkeypatch.setattr(components, "are_means", lambda P, W: False)
    elif request.param != "side by side":
        monkeypatch.setattr(layout, "LEAST", 1)
        monkeypatch.setattr(layout, "SPARSE", 1 if request.param == "apart" else -1)
        monkeypatch.setattr(runs, "LEAST_WIDTH", 1 if "rows" in request.param else math.inf)
    if "pieces" in request.param:
        monkeypatch.setattr(layout, "ENTRIES", 96)
    return request.param


def formula(W, P, grads, *, lr, betas, eps, wd, strengths):
    """The docstring's equations, one weight, dense, one line each."""
    b1, b2 = betas
    m, v_e, v_r = torch.zeros_like(W), torch.zeros_like(W), torch.zeros_like(W)
    for t, (g, s) in enumerate(zip(grads, strengths, strict=True), start=1):
        m = b1 * m + (1 - b1) * g
        v_e = b2 * v_e + (1 - b2) * P.project(g) ** 2
        v_r = b2 * v_r + (1 - b2) * P.residual(g) ** 2
        root = math.sqrt(1 - b2**t)
        u_e = P.project(m) / (1 - b1**t) / (v_e.sqrt() / root + eps)
        u_r = P.residual(m) / (1 - b1**t) / (v_r.sqrt() / root + eps)
        W = (1 - lr * wd) * W - lr * (P.project(u_e) + P.residual(u_r))
        W = P.project(W) + P.residual(W) / (1 + lr * s)
    return W


@pytest.mark.parametrize("rep", [FINITE, 2 * FINITE + FINITE.group.trivial(), SIGNED, IRREPS, TURNS, CYCLIC], ids=str)
@pytest.mark.parametrize("strength", [0.0, 3.0, math.inf])
def test_step_is_its_formula(rep: iw.Representation, strength: float, way: str) -> None:
    model, binding = net(rep, 2 * rep)
    W, P = model[0].weight, binding["0.weight"].projector
    options = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6}
    optimizer = iw.SplitAdamW(model.parameters(), binding, **options, weight_decay=0.1, strength=strength)
    start, grads = W.detach().clone(), []
    for step in range(4):
        gradients(model, step)
        grads.append(W.grad.clone())
        optimizer.step()
    wanted = formula(start, P, grads, **options, wd=0.1, strengths=[strength] * 4)
    torch.testing.assert_close(W.detach(), wanted, rtol=1e-10, atol=1e-12)


def test_schedules_of_rate_and_strength_are_followed(way: str) -> None:
    model, binding = net(FINITE, FINITE)
    W, P = model[0].weight, binding["0.weight"].projector
    optimizer = iw.SplitAdamW(
        model.parameters(), binding, lr=0.1, weight_decay=0.0, strength=lambda n: [1.0, math.inf, 0.0][n]
    )
    start, grads = W.detach().clone(), []
    for step in range(3):
        gradients(model, step)
        grads.append(W.grad.clone())
        optimizer.step()
    wanted = formula(start, P, grads, lr=0.1, betas=(0.9, 0.999), eps=1e-8, wd=0.0, strengths=[1.0, math.inf, 0.0])
    torch.testing.assert_close(W.detach(), wanted, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("rep", [2 * FINITE, 2 * iw.Dihedral(4).regular(), IRREPS], ids=str)
def test_at_infinity_it_is_adamw_on_the_coefficients(rep: iw.Representation, way: str) -> None:
    """Orbits and irreps of real type: P's coefficients are entries, on which AdamW does not depend but for eps."""
    model, binding = net(rep, rep)
    binding.project_()
    names = [entry.name for entry in binding]
    # In units of the entries: a coefficient's step of size lr is then one of the entries.
    bases = {name: binding[name].projector.basis() for name in names}
    bases = {name: B / B.abs().flatten(1).amax(1).reshape(-1, *[1] * (B.ndim - 1)) for name, B in bases.items()}
    stored = dict(model.named_parameters())
    squares = {name: B.square().flatten(1).sum(1) for name, B in bases.items()}
    free = {
        name: nn.Parameter(torch.einsum("k...,...->k", bases[name], stored[name].detach()) / squares[name])
        for name in names
    }
    options = {"lr": 0.01, "eps": 1e-14, "weight_decay": 0.1}
    inside = torch.optim.AdamW(free.values(), **options)
    optimizer = iw.SplitAdamW(model.parameters(), binding, **options, strength=math.inf)
    x, y = torch.randn(32, rep.dim, dtype=torch.float64), torch.randn(32, rep.dim, dtype=torch.float64)
    for _ in range(30):
        optimizer.zero_grad()
        (model(x) - y).square().mean().backward()
        optimizer.step()
        inside.zero_grad()
        made = {name: torch.einsum("k,k...->...", free[name], bases[name]) for name in names}
        (torch.func.functional_call(model, made, (x,)) - y).square().mean().backward()
        inside.step()
    for name in names:
        wanted = torch.einsum("k,k...->...", free[name].detach(), bases[name])
        torch.testing.assert_close(stored[name].detach(), wanted, rtol=1e-7, atol=1e-9)


def test_irreps_trained_from_the_subspace_on_an_equivariant_loss_stay_in_it(way: str) -> None:
    """Under AdamW they leave it within ten steps, by rounding that its second moments make into steps of full size."""
    rep = iw.SO(3).irreps("4x0 + 4x1 + 2x2")
    drift = {}
    for kind in ("split", "adamw"):
        model, binding = net(rep, rep, rep, dtype=torch.float32)
        binding.project_()
        optimizer: torch.optim.Optimizer = (
            iw.SplitAdamW(model.parameters(), binding, lr=1e-2, strength=math.inf)
            if kind == "split"
            else torch.optim.AdamW(model.parameters(), lr=1e-2)
        )
        target = net(rep, rep, seed=1, dtype=torch.float32)[1]
        target.project_()
        generator = torch.Generator().manual_seed(3)
        for _ in range(1000 if kind == "split" else 10):
            x = torch.randn(16, rep.dim, generator=generator)
            # All of the group's mean: the loss of equivariant data on a sphere of inputs.
            loss = (model(x) - target.model(x).detach()).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        drift[kind] = max(r.relative_residual for r in binding.residuals().values())
    assert drift["split"] <= 1e-6
    assert drift["adamw"] > 1e-4


def test_untyped_parameters_take_torchs_step() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3))
    other = copy.deepcopy(model)
    binding = iw.bind(model, {"0": (FINITE, FINITE)})
    optimizer = iw.SplitAdamW(model.parameters(), binding, lr=0.1, strength=1.0)
    theirs = torch.optim.AdamW(other.parameters(), lr=0.1)
    for step in range(3):
        for part in (model, other):
            gradients(part, step)
        optimizer.step()
        theirs.step()
    assert torch.equal(model[1].weight, other[1].weight)
    assert torch.equal(model[1].bias, other[1].bias)
    assert not torch.equal(model[0].weight, other[0].weight)


@pytest.mark.parametrize("foreach", [True, False])
@pytest.mark.parametrize("capturable", [True, False])
def test_foreach_and_capturable_change_nothing(foreach: bool, capturable: bool, way: str) -> None:
    found = []
    for options in ({}, {"foreach": foreach, "capturable": capturable}):
        model, binding = net(FINITE, 2 * FINITE, FINITE)
        optimizer = iw.SplitAdamW(model.parameters(), binding, lr=0.1, strength={"0": 1.0, "1": math.inf}, **options)
        for step in range(3):
            gradients(model, step)
            optimizer.step()
        found.append([W.detach() for W in model.parameters()])
    # Steps that are counted on the device make bias corrections in float32, as torch's own do.
    tolerance = 1e-4 if capturable else 1e-12
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize("strength", [2.0, math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_resuming_goes_on_bit_by_bit(strength: float, dtype: torch.dtype, way: str) -> None:
    def made() -> tuple[nn.Module, iw.SplitAdamW]:
        model, binding = net(FINITE, 2 * FINITE, dtype=dtype)
        return model, iw.SplitAdamW(model.parameters(), binding, lr=0.01, strength=strength)

    assert_goes_on(made)


def test_half_precision_trains_a_copy_in_float32(way: str) -> None:
    model, binding = net(FINITE, FINITE, dtype=torch.bfloat16)
    wide, other = net(FINITE, FINITE, dtype=torch.float32)
    wide.load_state_dict(model.state_dict())
    optimizer = iw.SplitAdamW(model.parameters(), binding, lr=1e-4, strength=0.5)
    theirs = iw.SplitAdamW(wide.parameters(), other, lr=1e-4, strength=0.5)
    for step in range(20):
        gradients(model, step)
        for W, V in zip(model.parameters(), wide.parameters(), strict=True):
            V.grad = W.grad.float()
        optimizer.step()
        theirs.step()
    for W, V in zip(model.parameters(), wide.parameters(), strict=True):
        torch.testing.assert_close(optimizer.state[W]["master"], V.detach())
        assert torch.equal(W, V.to(torch.bfloat16))
    with torch.no_grad():
        model[0].weight.fill_(3.0)
    gradients(model, 0)
    optimizer.step()
    assert bool((model[0].weight > 2.9).all())


def test_nested_groups_have_a_moment_for_each_component() -> None:
    """Quarter turns among half turns: W = P4 W + (P2 - P4) W + (1 - P2) W, three of four components."""
    torch.manual_seed(0)
    rep = 2 * iw.Cyclic(4).regular()
    model = nn.Linear(8, 8, bias=False, dtype=torch.float64)
    within = rep.restrict(iw.Cyclic(2))
    bindings = [iw.bind(model, {"": (rep, rep)}), iw.bind(model, {"": (within, within)})]
    P4, P2 = (binding["weight"].projector for binding in bindings)
    optimizer = iw.SplitAdamW(model.parameters(), bindings, lr=0.1, weight_decay=0.0, strength=[1.0, 5.0])
    parts = {
        "++": (P4.project, 1.0),
        "-+": (lambda X: P2.project(P4.residual(X)), 1 / (1 + 0.1)),
        "--": (P2.residual, 1 / (1 + 0.1 * 6.0)),
    }
    W, m = model.weight.detach().clone(), torch.zeros(8, 8, dtype=torch.float64)
    v = dict.fromkeys(parts, m)
    for t in range(1, 4):
        gradients(model, t)
        g = model.weight.grad
        m = 0.9 * m + 0.1 * g
        new = torch.zeros_like(W)
        for name, (C, factor) in parts.items():
            v[name] = 0.999 * v[name] + 0.001 * C(g) ** 2
            root = (v[name] / (1 - 0.999**t)).sqrt() + 1e-8
            new = new + factor * C(W - 0.1 * C(m) / (1 - 0.9**t) / root)
        W = new
        optimizer.step()
    torch.testing.assert_close(model.weight.detach(), W, rtol=1e-10, atol=1e-12)
    assert {key for key in optimizer.state[model.weight] if "sq" in key} == {f"exp_avg_sq_{name}" for name in parts}


def test_state_is_three_tensors_a_weight_and_two_at_infinity() -> None:
    """Where the coefficients are no means of entries."""
    G = iw.Dihedral(3)
    rep = G.standard() + G.regular()
    for strength, count in ((1.0, 3), (math.inf, 2)):
        model, binding = net(rep, 2 * rep)
        optimizer = iw.SplitAdamW(model.parameters(), binding, strength=strength)
        gradients(model, 0)
        optimizer.step()
        state = optimizer.state[model[0].weight]
        assert sum(value.shape == model[0].weight.shape for value in state.values()) == count


def test_complex_weights_have_moments_of_real_and_imaginary_parts() -> None:
    G = iw.Cyclic(3)
    rep = G.regular()
    model = nn.Linear(3, 3, bias=False, dtype=torch.complex128)
    binding = iw.bind(model, {"": (rep, rep)})
    P, start = binding["weight"].projector, model.weight.detach().clone()
    optimizer = iw.SplitAdamW(model.parameters(), binding, lr=0.1, weight_decay=0.0, eps=0.0, strength=0.0)
    model.weight.grad = g = torch.randn(3, 3, dtype=torch.complex128)
    optimizer.step()
    # A first step is the gradient's sign, of both parts of both components.
    signs = [torch.complex(X.real.sign(), X.imag.sign()) for X in (P.project(g), P.residual(g))]
    wanted = start - 0.1 * (P.project(signs[0]) + P.residual(signs[1]))
    torch.testing.assert_close(model.weight.detach(), wanted)


def test_spectral_weights_keep_the_proximal_step_of_their_own_norm() -> None:
    """Their projector is orthogonal in another norm than that of the stored numbers."""
    G = iw.Cyclic(4)
    P = iw.spectral_projector(G.regular(), G.regular(), (4, 4))
    W = nn.Parameter(torch.randn([4 if n is None else n for n in P.shape], dtype=torch.complex128))
    model = nn.Module()
    model.W = W
    binding = iw.bind(model, {"W": P})
    optimizer = iw.SplitAdamW([W], binding, lr=0.1, strength=2.0)
    other = W.detach().clone()
    P.shrink_(other, 1 / (1 + 0.1 * 2.0))
    W.grad = torch.zeros_like(W)
    optimizer.param_groups[0]["weight_decay"] = 0.0
    optimizer.step()
    torch.testing.assert_close(W.detach(), other)
    inside = iw.SplitAdamW([W], binding, lr=0.1, strength=math.inf)
    W.grad = torch.randn_like(W)
    inside.step()
    assert float(P.relative_residual(W)) < 1e-12


def test_running_statistics_are_projected_at_infinity_and_named_otherwise() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.BatchNorm1d(4))
    binding = iw.bind(model, {"0": (FINITE, FINITE), "1": FINITE})
    model[1].running_mean.copy_(torch.arange(4.0))
    with pytest.warns(iw.DecayWarning, match="running_mean"):
        iw.SplitAdamW(model.parameters(), binding, strength={"0": math.inf})
    optimizer = iw.SplitAdamW(model.parameters(), binding, strength=math.inf)
    model(torch.randn(8, 4)).sum().backward()
    optimizer.step()
    assert binding.residuals()["1.running_mean"].relative_residual < 1e-6


def test_frozen_parameters_and_those_without_gradient_stay() -> None:
    model, binding = net(FINITE, FINITE)
    model[0].bias.requires_grad_(False)
    optimizer = iw.SplitAdamW([W for W in model.parameters() if W.requires_grad], binding, strength=1.0)
    before = model[0].weight.detach().clone()
    optimizer.step()
    assert torch.equal(model[0].weight, before)


def test_what_it_cannot_do_is_refused_by_name() -> None:
    model, binding = net(FINITE, FINITE)
    for options, argument in (
        ({"betas": (0.9, 1.0)}, r"betas\[1\]"),
        ({"betas": 0.9}, "betas"),
        ({"lr": -1.0}, "lr"),
        ({"lr": math.nan}, "lr"),
        ({"eps": -1e-8}, "eps"),
        ({"weight_decay": "a"}, "weight_decay"),
        ({"foreach": 1}, "foreach"),
        ({"strength": -1.0}, "strength"),
        ({"strength": lambda n: 1.0, "capturable": True}, "strength"),
    ):
        with pytest.raises(ArgumentError, match=f"^{argument}"):
            iw.SplitAdamW(model.parameters(), binding, **{"strength": 1.0, **options})
    with pytest.raises(ArgumentError, match="every typed parameter"):
        iw.SplitAdamW([model[0].bias], binding, strength=1.0)
    optimizer = iw.SplitAdamW(model.parameters(), binding, strength=1.0)
    plain = torch.optim.AdamW(model.parameters())
    gradients(model, 0)
    plain.step()
    optimizer.state.update({W: dict(state) for W, state in plain.state.items()})
    with pytest.raises(ArgumentError, match="SplitAdamW over the same bindings"):
        optimizer.step()
    model[0].weight = nn.Parameter(torch.zeros(4, 4, dtype=torch.float64))
    gradients(model, 0)
    with pytest.raises(ArgumentError, match="every typed parameter"):
        optimizer.step()
    turned = nn.utils.parametrizations.weight_norm(nn.Linear(4, 4))
    with pytest.raises(ArgumentError, match="parametrisation or an adapter computes"):
        iw.SplitAdamW(turned.parameters(), iw.bind(turned, {"": (FINITE, FINITE)}), strength=1.0)


def test_a_grad_scaler_and_schedulers_take_it_for_an_optimiser(way: str) -> None:
    model, binding = net(FINITE, FINITE, dtype=torch.float32)
    optimizer = iw.SplitAdamW(model.parameters(), binding, lr=0.1, strength=1.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=4, cycle_momentum=False)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    before = model[0].weight.detach().clone()
    scaler.scale(model(torch.full((1, 4), math.inf)).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert torch.equal(model[0].weight, before)
    optimizer.zero_grad()
    scaler.scale(model(torch.ones(1, 4)).sum()).backward()
    scaler.step(optimizer)
    scheduler.step()
    assert not torch.equal(model[0].weight, before)
    assert optimizer.param_groups[0]["steps_taken"] == 1
