"""Fits of whole networks: scrambled equivariant ones are recovered, chance is what luck gives, wrong input is named."""

import copy
import time

import numpy as np
import pytest
import torch
from torch import nn

import intertwine as iw


class MeanPixel(nn.Module):
    def forward(self, x):
        return x.flatten(2).mean(-1)


def seeded(number=0):
    return torch.Generator().manual_seed(number)


def equivariant_net(group, widths=(16, 24), *, activation=nn.ReLU, dim=2, noise=0.0, space=None):
    """A scrambled equivariant CNN with noise on its weights, its input, and how the group acts on that."""
    conv = nn.Conv2d if dim == 2 else nn.Conv3d
    layers = [conv(1, widths[0], 3), activation(), conv(*widths, 3), activation(), MeanPixel(), nn.Linear(widths[1], 5)]
    net = nn.Sequential(*layers)
    generator = seeded()
    x = torch.randn(16, 1, *[7] * dim, generator=generator)
    images = iw.on_grid(group.trivial(), space=space)
    iw.bind(net, rep_in=images, rep_out=None, example=x, group=group).initialize_(generator=generator)
    with torch.no_grad():
        for p in net.parameters():
            p.add_(noise * p.square().mean().sqrt() * torch.randn(p.shape, generator=generator))
    for made, read in ((net[0], net[2]), (net[2], net[5])):
        scramble(made, read, torch.randperm(made.weight.shape[0], generator=generator))
    return net, x, images


@torch.no_grad()
def scramble(made, read, order, factors=None):
    factors = torch.ones(len(order)) if factors is None else factors
    made.weight.copy_((made.weight.transpose(0, -1) * factors).transpose(0, -1)[order])
    made.bias.copy_((made.bias * factors)[order])
    read.weight.copy_((read.weight.transpose(1, -1) / factors).transpose(1, -1)[:, order])


def weights(fit):
    return {one.name: one for one in fit.weights}


@pytest.mark.parametrize(
    ("group", "dim"),
    [(iw.Cyclic(4), 2), (iw.Dihedral(4), 2), (iw.Dihedral(2), 2), (iw.Octahedral(), 3)],
    ids=str,
)
def test_a_scrambled_network_is_recovered(group, dim):
    net, x, _ = equivariant_net(group, (24, 24) if dim == 3 else (16, 24), dim=dim)
    fit = iw.fit_representation(net, x, group, draws=0)
    assert max(one.residual for one in fit.weights) < 1e-5
    assert all(one.homomorphism_defect == 0 and one.admissible == 1.0 for one in fit.unknowns)
    assert weights(fit)["2.weight"].unfitted > 0.7
    assert float(fit.error) < 1e-5


def test_a_mirror_along_the_width_is_recovered():
    group = iw.Mirror()
    space = group.representation([[[-1.0, 0.0], [0.0, 1.0]]])
    net, x, images = equivariant_net(group, (6, 10), space=space)
    fit = iw.fit_representation(net, x, rep_in=images, draws=0)
    assert max(one.residual for one in fit.weights) < 1e-5
    assert [one.orbits for one in fit.unknowns] == [{2: 3}, {2: 5}]


@pytest.mark.parametrize("noise", [0.05, 0.1, 0.2])
def test_behind_noise_the_residual_is_the_noise(noise):
    """Noise of relative size e leaves e sqrt(1 - rank/numel) / sqrt(1 + e^2) of itself behind the right projector."""
    net, x, _ = equivariant_net(iw.Cyclic(4), (32, 32), noise=noise)
    fit = iw.fit_representation(net, x, iw.Cyclic(4), draws=0)
    expected = noise * 0.75**0.5 / (1 + noise**2) ** 0.5
    assert weights(fit)["2.weight"].residual == pytest.approx(expected, rel=0.05)
    assert weights(fit)["0.weight"].residual == pytest.approx(expected, rel=0.15)


@pytest.mark.slow
def test_512_channels_take_seconds():
    """To 1e-3 in at most five seconds a layer, on one thread."""
    net, x, _ = equivariant_net(iw.Cyclic(4), (512, 512))
    start = time.process_time()
    fit = iw.fit_representation(net, x, iw.Cyclic(4), draws=0)
    assert (time.process_time() - start) / len(fit.unknowns) < 5
    assert max(one.residual for one in fit.weights) < 1e-3


def test_chance_is_that_of_the_fit():
    """Random weights are no better than their own shuffles, though far better than the representation's chance."""
    net, x, _ = equivariant_net(iw.Cyclic(4), (16, 24), noise=50.0)
    fit = iw.fit_representation(net, x, iw.Cyclic(4), draws=5)
    first, second = weights(fit)["0.weight"], weights(fit)["2.weight"]
    assert abs(first.residual - first.chance) < 6 * first.chance_spread + 0.02
    assert abs(second.residual - second.chance) < 6 * second.chance_spread + 0.02
    assert first.chance < 0.85
    assert fit.unknowns[0].admissible < 0.9


def test_the_same_shuffles_give_the_same_chance():
    net, x, _ = equivariant_net(iw.Cyclic(4), (8, 8), noise=0.3)
    one, two = (iw.fit_representation(net, x, iw.Cyclic(4), draws=2, generator=seeded(7)) for _ in range(2))
    assert [w.chance for w in one.weights] == [w.chance for w in two.weights]
    assert all(w.chance_spread is not None and w.below_chance > 0 for w in one.weights if "weight" in w.name)


def test_the_fit_binds_measures_and_projects():
    """In the fitted basis projection takes little off; in channel order it takes nearly all."""
    group = iw.Cyclic(4)
    net, x, _ = equivariant_net(group, noise=0.05)
    fit = iw.fit_representation(net, x, group, draws=0)
    binding = fit.bind()
    assert {n: r.relative_residual for n, r in binding.residuals().items()} == pytest.approx(
        {one.name: one.residual for one in fit.weights}
    )
    assert binding.breakers == ()
    twin = copy.deepcopy(net)
    fit.bind(twin, check=False).project_()
    images = iw.on_grid(group.trivial())
    assert float(iw.equivariance_error(twin, images, None, x)) < 1e-5
    with torch.no_grad():
        kept = float((twin(x) - net(x)).norm() / net(x).norm())
    assert kept < 0.2
    by_order = iw.bind(net, rep_in=images, rep_out=None, example=x, check=False)
    assert by_order.penalty().item() > 50 * binding.penalty().item()
    with pytest.raises(iw.errors.ArgumentError, match="a fit to this model"):
        fit.bind(equivariant_net(group, (8, 8))[0])


def test_positive_factors_are_folded_where_the_function_stays():
    net, x, _ = equivariant_net(iw.Cyclic(4))
    for made, read in ((net[0], net[2]), (net[2], net[5])):
        size = made.weight.shape[0]
        scramble(made, read, torch.randperm(size, generator=seeded(2)), 0.2 + 3 * torch.rand(size, generator=seeded(3)))
    before = copy.deepcopy(net.state_dict())
    plain = iw.fit_representation(net, x, iw.Cyclic(4), draws=0)
    fit = iw.fit_representation(net, x, iw.Cyclic(4), draws=0, scalings=True)
    assert weights(plain)["2.weight"].residual > 0.1
    assert max(one.residual for one in fit.weights) < 1e-5
    assert len(fit.rescaled) == 2
    with torch.no_grad():
        assert torch.allclose(fit.model(x), net(x), rtol=1e-4, atol=1e-6)
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


@pytest.mark.parametrize("activation", [nn.GELU, nn.Sigmoid])
def test_factors_stay_where_a_function_would_change(activation):
    net, x, _ = equivariant_net(iw.Cyclic(4), activation=activation)
    fit = iw.fit_representation(net, x, iw.Cyclic(4), draws=0, scalings=True)
    assert fit.rescaled == ()
    assert all(torch.equal(a, b) for a, b in zip(fit.model.parameters(), net.parameters(), strict=True))
    assert max(one.residual for one in fit.weights) < 1e-5


def test_signs_are_found_behind_odd_functions_alone():
    found = {}
    for activation in (nn.Tanh, nn.ReLU):
        net, x, _ = equivariant_net(iw.Cyclic(4), activation=activation)
        for made, read in ((net[0], net[2]), (net[2], net[5])):
            size = made.weight.shape[0]
            signs = 1.0 - 2.0 * torch.randint(2, (size,), generator=seeded(5))
            scramble(made, read, torch.randperm(size, generator=seeded(2)), signs)
        found[activation] = iw.fit_representation(net, x, iw.Cyclic(4), draws=0)
    assert {one.kind for one in found[nn.Tanh].unknowns} == {"signed permutation"}
    assert max(one.residual for one in found[nn.Tanh].weights) < 1e-5
    assert found[nn.Tanh].bind().breakers == ()
    assert {one.kind for one in found[nn.ReLU].unknowns} == {"permutation"}
    assert weights(found[nn.ReLU])["2.weight"].residual > 0.3


class Residual(nn.Module):
    """A residual stream, a norm layer, a depthwise convolution: channels that many layers share."""

    def __init__(self, width):
        super().__init__()
        self.stem = nn.Conv2d(1, width, 3, padding=1)
        self.into, self.norm = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.each = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.back, self.head = nn.Conv2d(width, width, 1), nn.Linear(width, 3)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.back(torch.relu(self.each(torch.relu(self.norm(self.into(x))))))
        return self.head(torch.relu(x).mean((2, 3)))


def test_layers_that_share_channels_share_a_representation():
    group, generator = iw.Dihedral(4), seeded()
    net, x = Residual(16), torch.randn(24, 1, 7, 7, generator=generator)
    with torch.no_grad():
        for p in (net.norm.weight, net.norm.running_var, net.norm.running_mean):
            p.copy_(0.5 + torch.rand(p.shape, generator=generator))
    iw.bind(net, rep_in=iw.on_grid(group.trivial()), rep_out=None, example=x).project_()
    p, q = (torch.randperm(16, generator=generator) for _ in range(2))
    with torch.no_grad():
        for tensor in (net.stem.weight, net.stem.bias, net.back.bias):
            tensor.copy_(tensor[p])
        net.into.weight.copy_(net.into.weight[q][:, p])
        for tensor in (*net.norm.parameters(), net.norm.running_mean, net.norm.running_var, *net.each.parameters()):
            tensor.copy_(tensor[q])
        net.back.weight.copy_(net.back.weight[p][:, q])
        net.head.weight.copy_(net.head.weight[:, p])
    fit = iw.fit_representation(net, x, group, draws=0)
    assert len(fit.unknowns) == 2
    assert max(one.residual for one in fit.weights) < 1e-5
    assert {"norm.running_var", "each.weight", "back.weight"} <= set(weights(fit))


def test_turned_features_are_found_with_orthogonal_freedom():
    """Linear layers in any basis; permutations alone do not see them."""
    group, generator = iw.Cyclic(4), seeded()
    net = nn.Sequential(nn.Conv2d(1, 12, 3), nn.Conv2d(12, 12, 3), nn.Conv2d(12, 4, 1))
    x, images, features = (
        torch.randn(16, 1, 9, 9, generator=generator),
        *map(iw.on_grid, (group.trivial(), group.regular())),
    )
    iw.bind(net, rep_in=images, rep_out=features, example=x).initialize_(generator=generator)
    for i in (0, 1):
        turn = torch.linalg.qr(torch.randn(12, 12, generator=generator))[0]
        with torch.no_grad():
            net[i].weight.copy_(torch.einsum("ab,bc...->ac...", turn, net[i].weight))
            net[i].bias.copy_(turn @ net[i].bias)
            net[i + 1].weight.copy_(torch.einsum("ab...,cb->ac...", net[i + 1].weight, turn))
    given = {"rep_in": images, "rep_out": features, "draws": 0}
    fit = iw.fit_representation(net, x, group, "orthogonal", **given)
    assert max(one.residual for one in fit.weights) < 1e-5
    assert all(one.kind == "orthogonal" and one.homomorphism_defect < 1e-6 for one in fit.unknowns)
    permuted = iw.fit_representation(net, x, group, **given)
    assert weights(permuted)["1.weight"].residual > 0.3


def test_orthogonal_freedom_stops_at_pointwise_functions():
    net, x, _ = equivariant_net(iw.Cyclic(4))
    fit = iw.fit_representation(net, x, iw.Cyclic(4), "orthogonal", draws=0)
    assert {one.kind for one in fit.unknowns} == {"permutation"}
    assert max(one.residual for one in fit.weights) < 1e-5


def test_the_table_and_the_record_say_what_was_found():
    net, x, _ = equivariant_net(iw.Cyclic(4), (8, 8))
    told = []
    fit = iw.fit_representation(net, x, iw.Cyclic(4), draws=1, progress=lambda share, what: told.append((share, what)))
    text, record = str(fit), fit.to_dict()
    for one in fit.weights:
        assert one.name in text
        assert f"{one.chance:.3f}" in text
    assert "2 of 4" in text
    assert record["weights"][0]["residual"] == fit.weights[0].residual
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert any("chance, draw 1" in what for _, what in told)


def test_the_model_is_left_as_it_was():
    net, x, _ = equivariant_net(iw.Cyclic(4), (8, 8))
    net.train()
    before, state = copy.deepcopy(net.state_dict()), torch.get_rng_state()
    iw.fit_representation(net, x, iw.Cyclic(4), draws=1, scalings=True)
    assert net.training
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(before[name], value) for name, value in net.state_dict().items())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"group": "C4"}, "group: expected a group"),
        ({"group": iw.SO(2)}, "a finite group, whose elements can be matched"),
        ({"group": None}, "rep_in: expected how the group acts"),
        ({"freedom": "unitary"}, "'permutation', 'orthogonal'"),
        ({"draws": -1}, "draws: expected an integer >= 0"),
        ({"scalings": 1}, "scalings: expected True or False"),
        ({"generator": 0}, "generator: expected a torch.Generator"),
        ({"model": torch.relu}, "model: expected a torch.nn.Module"),
        ({"model": nn.Sequential(nn.ReLU())}, "hidden features whose representation is open"),
        ({"example": {"x": 1}}, "not one tensor of images"),
        ({"group": iw.Symmetric(6)}, "at most 192 elements"),
        ({"rep_in": iw.on_grid(iw.Cyclic(2).trivial())}, "a representation of C4"),
    ],
)
def test_wrong_input_is_named(changes, message):
    net, x, _ = equivariant_net(iw.Cyclic(4), (4, 4))
    given = {"model": net, "example": x, "group": iw.Cyclic(4), "draws": 0} | changes
    with pytest.raises(iw.errors.IntertwineError, match=message):
        iw.fit_representation(given.pop("model"), given.pop("example"), **given)


def test_weights_that_are_no_numbers_are_named():
    net, x, _ = equivariant_net(iw.Cyclic(4), (4, 4))
    net[2].weight.data[0, 0, 0, 0] = np.nan
    with pytest.raises(iw.errors.NonFiniteError, match=r"2\.weight"):
        iw.fit_representation(net, x, iw.Cyclic(4))
