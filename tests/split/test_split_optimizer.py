"""SplitOptimizer: other optimisers on the components of weights, and what an optimiser has to be."""

import copy
import math

import pytest
import torch
from torch import nn

import intertwine as iw
from intertwine.errors import ArgumentError, DtypeError
from tests.decay.stand_ins import ScheduleFree
from tests.split.cases import FINITE, IRREPS, TURNS, assert_goes_on, gradients, net

INF = math.inf


class Lion(torch.optim.Optimizer):
    """Chen et al. 2023, arXiv 2302.06675."""

    def __init__(self, params, lr: float = 1e-3) -> None:
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    m = self.state[p].setdefault("m", torch.zeros_like(p))
                    p.sub_(group["lr"] * (0.9 * m + 0.1 * p.grad).sign())
                    m.lerp_(p.grad, 0.01)


class ScheduleFreeSign(ScheduleFree):
    """An entrywise optimiser that averages."""

    def step(self, closure=None):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.grad.sign_()
        super().step(closure)


@pytest.mark.parametrize("rep", [FINITE, IRREPS, TURNS], ids=str)
@pytest.mark.parametrize("strength", [0.0, 3.0, INF, lambda n: [1.0, INF, 0.0, 2.0][n]])
def test_adamw_inside_takes_the_steps_of_split_adamw(rep: iw.Representation, strength: object) -> None:
    options, found = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}, []
    for split in (True, False):
        model, binding = net(rep, 2 * rep, rep)
        optimizer = (
            iw.SplitAdamW(model.parameters(), binding, **options, strength=strength)
            if split
            else iw.SplitOptimizer(
                lambda groups: torch.optim.AdamW(groups, **options), model.parameters(), binding, strength=strength
            )
        )
        for step in range(4):
            gradients(model, step)
            optimizer.step()
        found.append([W.detach() for W in model.parameters()])
    for a, b in zip(*found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_components_of_nested_groups_are_parameters_each() -> None:
    rep, found = 2 * iw.Cyclic(4).regular(), []
    for split in (True, False):
        torch.manual_seed(0)
        model = nn.Linear(8, 8, bias=False, dtype=torch.float64)
        within = rep.restrict(iw.Cyclic(2))
        bindings = [iw.bind(model, {"": (rep, rep)}), iw.bind(model, {"": (within, within)})]
        optimizer = (
            iw.SplitAdamW(model.parameters(), bindings, lr=0.1, strength=[1.0, 5.0])
            if split
            else iw.SplitOptimizer(
                lambda groups: torch.optim.AdamW(groups, lr=0.1), model.parameters(), bindings, strength=[1.0, 5.0]
            )
        )
        for step in range(3):
            gradients(model, step)
            optimizer.step()
        found.append(model.weight.detach())
    torch.testing.assert_close(*found, rtol=1e-10, atol=1e-12)
    assert len(optimizer.inside.param_groups[0]["params"]) == 3


@pytest.mark.parametrize("kind", [torch.optim.NAdam, torch.optim.RMSprop, torch.optim.Adamax])
def test_at_infinity_it_is_the_optimiser_on_the_coefficients(kind: type[torch.optim.Optimizer]) -> None:
    model, binding = net(2 * FINITE, FINITE)
    binding.project_()
    W, P = model[0].weight, binding["0.weight"].projector
    B = P.basis().sign()  # in units of the entries
    free = nn.Parameter(torch.einsum("k...,...->k", B, W.detach()) / B[0].sum())
    inside = kind([free], lr=0.01, eps=1e-14)
    optimizer = iw.SplitOptimizer(
        lambda groups: kind(groups, lr=0.01, eps=1e-14), model.parameters(), binding, strength=INF
    )
    for step in range(20):
        gradients(model, step)
        free.grad = torch.einsum("k...,...->k", B, W.grad)
        optimizer.step()
        inside.step()
    wanted = torch.einsum("k,k...->...", free.detach(), B)
    torch.testing.assert_close(W.detach(), wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize(
    "make",
    [
        lambda groups: Lion(groups, lr=1e-3),
        lambda groups: torch.optim.Adafactor(groups, lr=1e-2),
        lambda groups: ScheduleFreeSign(groups, 1e-3),
        lambda groups: torch.optim.RMSprop(groups, lr=1e-3),
    ],
)
def test_irreps_stay_in_the_subspace_for_a_thousand_steps(make) -> None:
    rep = iw.SO(3).irreps("2x0 + 2x1")
    model, binding = net(rep, rep, rep, dtype=torch.float32)
    binding.project_()
    start = model[0].weight.detach().clone()
    optimizer = iw.SplitOptimizer(make, model.parameters(), binding, strength=INF)
    generator = torch.Generator().manual_seed(3)
    for _ in range(1000):
        x = torch.randn(16, rep.dim, generator=generator)
        optimizer.zero_grad()
        (model(x) + x).square().mean().backward()
        optimizer.step()
    assert (model[0].weight - start).norm() > 0.1 * start.norm()
    for mode in (optimizer.train, optimizer.eval):
        mode()
        assert max(r.relative_residual for r in binding.residuals().values()) <= 1e-6


@pytest.mark.parametrize(
    "make",
    [
        lambda params: torch.optim.SGD(params, lr=0.05),
        lambda params: ScheduleFree(params, 0.05),
        lambda params: ScheduleFree(params, 0.05, reference=True),
    ],
)
def test_a_linear_optimiser_does_not_see_the_split(make) -> None:
    """What depends on gradients linearly is the decay beside the same optimiser, in train and eval weights."""
    found = []
    for split in (True, False):
        model, binding = net(IRREPS, IRREPS)
        if split:
            optimizer = iw.SplitOptimizer(make, model.parameters(), binding, strength=4.0)
        else:
            optimizer = make(list(model.parameters()))
            iw.EquivarianceDecay(optimizer, binding, strength=4.0)
        for step in range(5):
            gradients(model, step)
            optimizer.step()
        found.append([W.detach().clone() for W in model.parameters()])
        if hasattr(optimizer, "eval"):
            optimizer.eval()
            found[-1] += [W.detach().clone() for W in model.parameters()]
    for a, b in zip(*found, strict=False):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("strength", [2.0, INF])
@pytest.mark.parametrize(
    "make", [lambda groups: torch.optim.NAdam(groups, lr=0.01), lambda g: ScheduleFreeSign(g, 0.01)]
)
def test_resuming_goes_on_bit_by_bit(make, strength: float) -> None:
    def built() -> tuple[nn.Module, iw.SplitOptimizer]:
        model, binding = net(FINITE, 2 * FINITE, dtype=torch.float32)
        return model, iw.SplitOptimizer(make, model.parameters(), binding, strength=strength)

    assert_goes_on(built)


def test_untyped_parameters_groups_schedulers_and_scalers() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 3), nn.Linear(3, 2))
    other = copy.deepcopy(model)
    binding = iw.bind(model, {"0": (FINITE, FINITE)})
    optimizer = iw.SplitOptimizer(
        lambda groups: torch.optim.NAdam(groups, lr=0.1),
        [{"params": model[0].parameters()}, {"params": model[1].parameters(), "lr": 0.02}],
        binding,
        strength=1.0,
    )
    theirs = torch.optim.NAdam([{"params": other[1].parameters(), "lr": 0.02}], lr=0.1)
    for by, part in ((optimizer, model), (theirs, other)):
        by.add_param_group({"params": part[2].parameters(), "lr": 0.3})
    schedulers = [torch.optim.lr_scheduler.StepLR(by, 1, gamma=0.5) for by in (optimizer, theirs)]
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0)
    before = model[0].weight.detach().clone()
    scaler.scale(model(torch.full((1, 4), INF)).sum()).backward()
    scaler.step(optimizer)
    scaler.update()
    assert torch.equal(model[0].weight, before)
    for step in range(3):
        for part, by in ((model, optimizer), (other, theirs)):
            gradients(part, step)
            by.step()
        for scheduler in schedulers:
            scheduler.step()
    for i in (1, 2):
        torch.testing.assert_close(model[i].weight, other[i].weight)
    assert not torch.equal(model[0].weight, before)
    assert optimizer.param_groups[2]["lr"] == theirs.param_groups[1]["lr"] == 0.3 / 8
    assert optimizer.param_groups[0]["steps_taken"] == 3


def test_weights_without_gradient_stay_and_closures_are_run() -> None:
    model, binding = net(FINITE, FINITE)
    optimizer = iw.SplitOptimizer(lambda g: torch.optim.NAdam(g, lr=0.1), model.parameters(), binding, strength=1.0)
    before = copy.deepcopy(model.state_dict())

    def closure() -> torch.Tensor:
        gradients(model, 0)
        model[0].bias.grad = None
        return torch.tensor(3.0)

    assert optimizer.step(closure) == 3.0
    assert torch.equal(model[0].bias, before["0.bias"])
    assert not torch.equal(model[0].weight, before["0.weight"])


def test_what_it_cannot_do_is_refused_by_name() -> None:
    model, binding = net(FINITE, FINITE)

    def nadam(groups):
        return torch.optim.NAdam(groups)

    for make in (3, lambda groups: None, lambda groups: torch.optim.SGD(model.parameters())):
        with pytest.raises(ArgumentError, match=r"^make"):
            iw.SplitOptimizer(make, model.parameters(), binding, strength=1.0)
    with pytest.raises(ArgumentError, match="every typed parameter"):
        iw.SplitOptimizer(nadam, [model[0].bias], binding, strength=1.0)
    with pytest.raises(ArgumentError, match=r"^strength"):
        iw.SplitOptimizer(nadam, model.parameters(), binding, strength=-1.0)
    optimizer = iw.SplitOptimizer(nadam, model.parameters(), binding, strength=1.0)
    with pytest.raises(ArgumentError, match="SplitOptimizer"):
        optimizer.load_state_dict(torch.optim.NAdam(model.parameters()).state_dict())
    half, bound = net(FINITE, FINITE, dtype=torch.bfloat16)
    with pytest.raises(DtypeError, match="half precision"):
        iw.SplitOptimizer(nadam, half.parameters(), bound, strength=1.0)
    P = iw.spectral_projector(iw.Cyclic(4).regular(), iw.Cyclic(4).regular(), (4, 4))
    own = nn.Module()
    own.W = nn.Parameter(torch.randn([4 if n is None else n for n in P.shape], dtype=torch.complex128))
    with pytest.raises(ArgumentError, match="which has its own"):
        iw.SplitOptimizer(nadam, own.parameters(), iw.bind(own, {"W": P}), strength=1.0)
    model[0].weight = nn.Parameter(torch.zeros(4, 4, dtype=torch.float64))
    gradients(model, 0)
    with pytest.raises(ArgumentError, match="every typed parameter"):
        optimizer.step()
