"""Whole typed networks: with W = PW they are equivariant, without they are not."""

import pytest
import torch
from torch import nn

import intertwine as iw


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def so3_network():
    G = iw.SO(3)
    rep_x, rep_h, rep_y = G.irreps("2x0 + 3x1"), G.irreps("8x0 + 4x1 + 2x2"), G.irreps("2x0 + 1x1")
    gate, activation = iw.nn.Gate(rep_h), iw.nn.NormActivation(rep_h)
    # l = 2 arises from no linear map of l <= 1: those features are zero at W = PW.
    model = nn.Sequential(
        nn.Linear(rep_x.dim, gate.rep_in.dim),
        gate,
        iw.nn.FieldNorm(rep_h),
        nn.Linear(rep_h.dim, rep_h.dim),
        activation,
        nn.Linear(rep_h.dim, rep_y.dim),
    ).double()
    types = {"0": (rep_x, gate.rep_in), "2.weight": 14 * G.trivial(), "3": (rep_h, rep_h), "5": (rep_h, rep_y)}
    return model, iw.bind(model, types), rep_x, rep_y


def c4_network():
    G = iw.Cyclic(4)
    pixels, hidden = G.grid(8, 8), 8 * G.regular()
    readout = iw.nn.InvariantReadout(hidden)
    model = nn.Sequential(
        nn.Linear(64, 32), nn.ReLU(), iw.nn.FieldNorm(hidden), nn.Linear(32, 32), nn.ReLU(), readout, nn.Linear(8, 10)
    ).double()
    logits = 10 * G.trivial()
    types = {"0": (pixels, hidden), "2.weight": 8 * G.trivial(), "3": (hidden, hidden), "6": (readout.rep_out, logits)}
    return model, iw.bind(model, types), pixels, logits


def largest_error(model, rep_in, rep_out):
    group = rep_in.group
    x = torch.randn(6, rep_in.dim, generator=seeded(3), dtype=torch.float64)
    elements = group.elements() if group.is_finite else group.sample(6, generator=seeded(4))
    with torch.no_grad():
        y = model(x)
        return max(float((model(rep_in.act(g, x)) - rep_out.act(g, y)).norm() / y.norm()) for g in elements)


@pytest.mark.parametrize("network", [so3_network, c4_network])
def test_equivariant_at_the_projection(network):
    model, binding, rep_in, rep_out = network()
    assert binding.unaccounted == {}
    binding.initialize_(generator=seeded(1))
    assert largest_error(model, rep_in, rep_out) < 1e-10
    # Broken on purpose: one weight off its projection is enough.
    with torch.no_grad():
        model[0].weight.add_(0.1 * torch.randn(model[0].weight.shape, generator=seeded(2), dtype=torch.float64))
    assert largest_error(model, rep_in, rep_out) > 1e-3
    binding.project_()
    assert largest_error(model, rep_in, rep_out) < 1e-10


@pytest.mark.parametrize("network", [so3_network, c4_network])
def test_features_do_not_starve(network):
    """Initialised field by field, outputs are as large as those of the plain network."""
    model, binding, rep_in, _ = network()
    x = torch.randn(64, rep_in.dim, generator=seeded(3), dtype=torch.float64)
    binding.initialize_(generator=seeded(1))
    kept = model(x).detach().std()
    with torch.random.fork_rng([]):
        torch.manual_seed(1)
        for module in model:
            if isinstance(module, nn.Linear):
                module.reset_parameters()
    plain = model(x).detach().std()
    binding.project_()
    starved = model(x).detach().std()
    assert 0.5 < float(kept / plain) < 2.5
    assert starved < kept


def test_trains_end_to_end():
    """Penalty, decay and projected training all learn; only the last stays equivariant."""
    for method in ("penalty", "decay", "projected"):
        model, binding, rep_in, rep_out = c4_network()
        binding.initialize_(generator=seeded(1))
        x = torch.randn(64, 64, generator=seeded(5), dtype=torch.float64)
        labels = torch.randint(10, (64,), generator=seeded(6))
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
        if method != "penalty":
            iw.EquivarianceDecay(optimizer, binding, strength=1.0 if method == "decay" else float("inf"))
        losses = []
        for _ in range(25):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x), labels)
            losses.append(loss.item())
            (loss + binding.penalty(strength=0.1) if method == "penalty" else loss).backward()
            optimizer.step()
        assert losses[-1] < 0.7 * losses[0]
        error = largest_error(model, rep_in, rep_out)
        assert error < 1e-10 if method == "projected" else error > 1e-6
