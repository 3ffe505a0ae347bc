"""LoRA's factors that start equivariant: their product stays so under gradient descent, and exactly under a decay."""

import math

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.binding.cases import seeded

peft = pytest.importorskip("peft")
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning", "ignore::DeprecationWarning")

INF = math.inf
G = iw.Cyclic(4)
R = 4 * G.regular()


def adapted(*, dora=False, **options):
    """A linear layer with equivariant weights and a fresh adapter, typed as a whole."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(16, 16))
    iw.bind(net, {"0": (R, R)}).project_()
    peft.get_peft_model(net, peft.LoraConfig(r=4, target_modules=["0"], use_dora=dora, **options))
    return net, iw.bind(net, {"0": (R, R)})


def trained(net):
    return [W for W in net.parameters() if W.requires_grad]


def train(net, optimizer, steps):
    """An equivariant target on whole orbits of inputs, so that the loss is invariant."""
    P = iw.projector(R, R)
    target = P.project(torch.randn(16, 16, generator=seeded(1)))
    draws = seeded(2)
    for _ in range(steps):
        x = torch.randn(16, 4, 4, generator=draws)
        x = torch.cat([x.roll(k, -1) for k in range(4)]).flatten(1)
        optimizer.zero_grad()
        (net(x) - x @ target.T).square().mean().backward()
        optimizer.step()


def change(net, binding):
    """The relative residual of what the adapter changes."""
    entry = binding["0.weight"]
    return float(entry.projector.relative_residual(entry.tensor(net).detach() - net[0].base_layer.weight.detach()))


def test_one_step_leaves_the_subspace_from_the_default_start_alone():
    net, binding = adapted()
    train(net, torch.optim.SGD(trained(net), lr=0.1), 1)
    assert change(net, binding) > 0.5
    net, binding = adapted()
    iw.start_adapters_(binding, G.regular(), generator=seeded(0))
    train(net, torch.optim.SGD(trained(net), lr=0.1), 5)
    assert change(net, binding) < 2e-6  # float32, from a product of nearly 0


@pytest.mark.parametrize("dora", [False, True])
@pytest.mark.parametrize("how", ["split", "decay", "penalty"])
def test_training_keeps_the_product_equivariant(how, dora):
    net, binding = adapted(dora=dora)
    factors = iw.start_adapters_(binding, G.regular(), generator=seeded(0))
    start = {name: W.detach().clone() for name, W in net.named_parameters()}
    if how == "split":
        optimizer = iw.SplitAdamW(trained(net), factors, lr=0.01, strength=INF)
    else:
        optimizer = torch.optim.AdamW(trained(net), lr=0.01)
    if how == "decay":
        iw.EquivarianceDecay(optimizer, factors, INF)
    train(net, optimizer, 30)
    # AdamW makes rounding into steps, here small ones: the penalty's factors are not held.
    assert change(net, binding) < (1e-6 if how != "penalty" else 1e-4)
    assert binding.residuals()["0.weight"].relative_residual < 1e-6
    moved = {name for name, W in net.named_parameters() if not torch.equal(W, start[name])}
    assert {name.split(".")[1] for name in moved} >= {"lora_A", "lora_B"}
    assert not any("base_layer" in name for name in moved)
    assert float(factors.penalty()) < 1e-6


def test_the_start_keeps_what_the_model_computes():
    for dora in (False, True):
        net, binding = adapted(dora=dora)
        x = torch.randn(3, 16, generator=seeded(3))
        before, norm = net(x).detach(), float(net[0].lora_A.default.weight.detach().norm())
        state = torch.random.get_rng_state()
        factors = iw.start_adapters_(binding, generator=seeded(0))
        assert torch.equal(state, torch.random.get_rng_state())
        torch.testing.assert_close(net(x).detach(), before, atol=1e-5, rtol=1e-5)
        assert not net[0].lora_B.default.weight.any()
        A = net[0].lora_A.default.weight.detach()
        assert float(A.norm()) == pytest.approx(norm, rel=0.3)
        assert factors.residuals()["0.lora_A.default.weight"].relative_residual < 1e-6
        # The representation that bind chooses: one regular field.
        assert factors["0.lora_A.default.weight"].projector.axes == (G.regular(), R)
        again, other = adapted(dora=dora)
        iw.start_adapters_(other, generator=seeded(0))
        assert torch.equal(A, again[0].lora_A.default.weight)


def test_convolutions_grouped_ones_and_tables():
    D = iw.Dihedral(4)
    images, features = 2 * D.regular(), 4 * D.regular()
    torch.manual_seed(0)
    net = nn.ModuleDict(
        {
            "conv": nn.Conv2d(16, 32, 3, padding=1),
            "grouped": nn.Conv2d(16, 32, 3, padding=1, groups=2),
            "table": nn.Embedding(16, 32),
        }
    ).double()
    types = {"conv": (images, features), "grouped": (images, features), "table": (images, features)}
    iw.bind(net, types).project_()
    peft.get_peft_model(net, peft.LoraConfig(r=16, target_modules=list(types)))
    binding = iw.bind(net, types)
    factors = iw.start_adapters_(binding, lambda width: (width // 8) * D.regular(), generator=seeded(0))
    assert len(factors) == 6
    optimizer = torch.optim.SGD(trained(net), lr=0.1)
    weights = [entry for entry in binding if entry.attribute == "weight"]
    targets = [torch.randn(W.tensor(net).shape, generator=seeded(4), dtype=torch.float64) for W in weights]
    for _ in range(3):
        optimizer.zero_grad()
        terms = [W.tensor(net) - W.projector.project(target) for W, target in zip(weights, targets, strict=True)]
        sum(term.square().sum() for term in terms).backward()
        optimizer.step()
    found = binding.residuals()
    assert all(found[f"{name}.weight"].relative_residual < 1e-12 for name in types)
    assert all(bool(net[name].lora_B.default.weight.any()) for name in ("conv", "grouped"))
    x = torch.randn(2, 16, 7, 7, generator=seeded(5), dtype=torch.float64)
    error = iw.equivariance_error(net["grouped"].eval(), iw.on_grid(images), iw.on_grid(features), x)
    assert float(error) < 1e-10


def test_factors_that_a_run_typed():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 16))
    peft.get_peft_model(net, peft.LoraConfig(r=4, target_modules=["0", "2"]))
    for layer in (net[0], net[2]):
        nn.init.normal_(layer.lora_B.default.weight, generator=seeded(6))
    inferred = iw.bind(net, rep_in=R, rep_out=R, example=torch.randn(4, 16))
    whole = iw.effective_weights(inferred)
    assert [entry.name for entry in whole] == ["0.weight", "0.bias", "2.weight", "2.bias"]
    by_hand = iw.bind(net, {"0": (R, R), "2": (R, R)})
    assert whole.residuals() == by_hand.residuals()
    assert whole.unaccounted == {}
    with pytest.raises(iw.errors.ArgumentError, match=r"adapters that change nothing yet, B A = 0; got others: 0.def"):
        iw.start_adapters_(inferred)
    for layer in (net[0], net[2]):
        nn.init.zeros_(layer.lora_B.default.weight)
    factors = iw.start_adapters_(inferred, generator=seeded(0))
    assert {entry.name for entry in factors} == {f"{n}.lora_{f}.default.weight" for n in "02" for f in "AB"}
    assert factors.residuals()["0.lora_A.default.weight"].relative_residual < 1e-6
    with pytest.raises(iw.errors.ArgumentError, match="rank: expected None, as the factors are typed"):
        iw.start_adapters_(inferred, G.regular())


def test_refusals():
    _, binding = adapted()
    with pytest.raises(
        iw.errors.ShapeError, match=r"rank: expected a representation of C4 of dimension 4, as 0 has r=4"
    ):
        iw.start_adapters_(binding, 2 * G.regular())
    with pytest.raises(iw.errors.ShapeError, match=r"got .* of C2, dimension 4"):
        iw.start_adapters_(binding, 2 * iw.Cyclic(2).regular())
    with pytest.raises(iw.errors.ArgumentError, match="binding: expected a Binding"):
        iw.start_adapters_(None)
    _, pissa = adapted(init_lora_weights="pissa")
    with pytest.raises(iw.errors.ArgumentError, match="PiSSA, OLoRA and their like move a part of the weight"):
        iw.start_adapters_(pissa)
    net = nn.Sequential(nn.Linear(16, 16))
    peft.get_peft_model(net, peft.LoHaConfig(r=4, target_modules=["0"]))
    with pytest.raises(
        iw.errors.ArgumentError, match=r"a product of two factors .*; got peft.tuners.loha.layer.Linear at 0"
    ):
        iw.start_adapters_(iw.bind(net, {"0": (R, R)}))
    plain = iw.bind(nn.Linear(16, 16), {"": (R, R)})
    with pytest.raises(iw.errors.ArgumentError, match="layers with an adapter, of low rank"):
        iw.start_adapters_(plain)
    with pytest.raises(iw.errors.ArgumentError, match="layers with an adapter, whose base is typed"):
        iw.effective_weights(plain)
    lorentz = iw.MatrixGroup(lie_algebra=torch.tensor([[[0.0, 1.0], [1.0, 0.0]]]), name="boosts")
    net = nn.Sequential(nn.Linear(4, 4))
    peft.get_peft_model(net, peft.LoraConfig(r=4, target_modules=["0"]))
    pairs = 2 * lorentz.standard()
    with pytest.raises(iw.errors.NotOrthogonalError, match="rank: expected an orthogonal representation"):
        iw.start_adapters_(iw.bind(net, {"0": (pairs, pairs)}), pairs)
