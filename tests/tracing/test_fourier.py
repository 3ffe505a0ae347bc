"""Fourier layers typed from one run: which waves a weight acts on says how the group moves it."""

import copy

import pytest
import torch
from torch import nn

import intertwine as iw
from tests.tracing import fourier_networks as networks

D4, C4 = iw.Dihedral(4), iw.Cyclic(4)
R = D4.regular()
ONE = iw.on_grid(D4.trivial())


def bound(model, rep_in, rep_out, example, **options):
    return iw.bind(model.eval(), rep_in=rep_in, rep_out=rep_out, example=example, **options)


def error(binding, rep_in, rep_out, example):
    binding.project_()
    return float(iw.equivariance_error(binding.model, rep_in, rep_out, example, num_samples=8, group=binding.group))


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


def test_a_fourier_neural_operator_has_one_orbit_of_waves_for_each_pair_of_fields():
    model, x = networks.Operator(lambda width: networks.SpectralConv(width, (5, 5))), torch.randn(2, 1, 16, 16)
    binding = bound(model, ONE, ONE, x)
    assert binding.breakers == ()
    assert not binding.unaccounted
    assert not binding.inference.unknown
    # 5 x 5 waves with their conjugates are 25 real numbers a pair of channels, of 64 the group leaves 8 free pairs.
    assert binding["convs.0.weight"].projector.rank == 25 * 8
    assert [str(rep) for rep in binding["convs.0.weight"].projector.axes[:2]] == ["regular", "regular"]
    assert [str(rep) for rep in binding["skips.0.weight"].projector.axes] == ["regular", "regular"]
    assert binding["convs.1.bias"].projector.rank == 1
    assert binding["norm.weight"].projector.rank == 1
    (call,) = [call for call in binding.types if call.place.module == "convs.0" and call.place.function == "einsum"]
    assert str(call.outputs[0]) == "(2, [regular], ky:5(-2..2), kx:3(0..2))"
    assert error(binding, ONE, ONE, x) < 1e-5


def test_a_grid_of_coordinates_is_the_one_breaker_and_goes_with_it():
    conv = lambda width: networks.SpectralConv(width, (5, 5))  # noqa: E731
    x = torch.randn(2, 1, 16, 16)
    (breaker,) = bound(networks.Operator(conv, grid=True), ONE, ONE, x).breakers
    assert breaker.function == "cat"
    assert "coordinates" in breaker.reason
    assert error(bound(networks.Operator(conv), ONE, ONE, x), ONE, ONE, x) < 1e-5


@pytest.mark.parametrize("side", [15, 16])
def test_a_shift_that_is_not_undone_shows_at_odd_sides(side):
    x, rep = torch.randn(2, 8, side, side), iw.on_grid(R)
    right = bound(networks.SpectralConv(8, (5, 5)), rep, rep, x)
    assert right.breakers == ()
    assert error(right, rep, rep, x) < 1e-5
    twice = bound(networks.SpectralConv(8, (5, 5), back=torch.fft.fftshift), rep, rep, x)
    if side == 16:
        assert twice.breakers == ()
    else:
        assert [one.function for one in twice.breakers] == ["fft_irfftn"]
        assert "ifftshift" in twice.breakers[0].reason


@pytest.mark.parametrize("layer", ["first", "second", "both"])
def test_a_shift_that_is_not_undone_shows_in_a_deep_network_too(layer):
    # Calls that are alike make a second run, which repeats only what was broken and what leads to it.
    bad = {"first": [0], "second": [1], "both": [0, 1]}[layer]
    count = iter(range(2))

    def conv(width):
        back = torch.fft.fftshift if next(count) in bad else torch.fft.ifftshift
        return networks.SpectralConv(width, (5, 5), back=back)

    x = torch.randn(2, 1, 15, 15)
    binding = bound(networks.Operator(conv), ONE, ONE, x)
    assert binding.inference.alike
    assert [one.module for one in binding.breakers] == [f"convs.{number}" for number in bad]
    assert all("ifftshift" in one.reason for one in binding.breakers)
    assert error(binding, ONE, ONE, x) > 1e-4


@pytest.mark.parametrize("side", [12, 13])
def test_two_weights_that_the_group_exchanges_are_typed_as_one(side):
    model, x, rep = networks.TwoWeights(8, (3, 3)), torch.randn(2, 8, side, side), iw.on_grid(R)
    binding = bound(model, rep, rep, x)
    assert binding.breakers == ()
    assert not binding.unaccounted
    assert [entry.name for entry in binding] == ["weights1+weights2"]
    assert binding.entries[0].projector.rank == 25 * 8  # the wave -3 of the first axis has no partner
    before = [weight.clone() for weight in model.parameters()]
    binding.residuals()
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    penalty = binding.penalty(1.0)
    penalty.backward()
    assert all(bool(weight.grad.any()) for weight in model.parameters())
    twin, other = copy.deepcopy((model, binding))
    assert other.penalty(1.0).item() == pytest.approx(penalty.item())
    optimizer = torch.optim.SGD(twin.parameters(), lr=0.5)
    _decay = iw.EquivarianceDecay(optimizer, other, strength=2.0)
    for weight in twin.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    wanted = binding.entries[0].tensor(model).detach().clone()
    binding.entries[0].projector.shrink_(wanted, 0.5)
    assert torch.allclose(other.entries[0].tensor(twin), wanted, atol=1e-6)
    assert error(binding, rep, rep, x) < 1e-5
    assert binding.penalty(1.0).item() < 1e-8


def test_four_weights_in_three_dimensions():
    G = iw.Octahedral()
    x, rep = torch.randn(2, 1, 6, 6, 6), iw.on_grid(G.trivial())
    binding = bound(networks.TwoWeights(1, (2, 2, 2)), rep, rep, x)
    assert [entry.name for entry in binding] == ["weights1+weights2+weights3+weights4"]
    # Waves of (-1, 0, 1)^3 fall into 0, 6 faces, 12 edges, 8 corners; conjugate pairs are one orbit, hence real.
    assert binding.entries[0].projector.rank == 4
    assert binding.breakers == ()
    assert error(binding, rep, rep, x) < 1e-5


def test_burgers_equation_under_its_mirror():
    """u(x) goes to -u(-x): one channel that changes its sign."""
    C2 = iw.Cyclic(2)
    sign = C2.irrep(1)
    rep, x = iw.on_grid(sign, space=sign), torch.randn(2, 1, 32)
    model = networks.Operator(lambda width: networks.SpectralConv(width, (8,)))
    binding = bound(model, rep, rep, x)
    assert binding.breakers == ()
    assert [str(rep) for rep in binding["lift.weight"].projector.axes] == ["4xregular", "1"]
    assert binding["project.bias"].projector.rank == 0
    # 4 complex and one real number (the mean) a pair of channels; of 64 pairs half are free.
    assert binding["convs.0.weight"].projector.rank == (2 * 4 + 1) * 32
    assert error(binding, rep, rep, x) < 1e-5


@pytest.mark.parametrize("side", [4, 5])
def test_filters_over_all_waves_with_channels_last(side):
    model, x, rep = (
        networks.GlobalFilter(side=side),
        torch.randn(2, 3, 4 * side, 4 * side),
        iw.on_grid(3 * D4.trivial()),
    )
    binding = bound(model, rep, None, x)
    assert binding.breakers == ()
    assert not binding.unaccounted
    # One number for each wave and field: channels of the regular field are those of the first, turned.
    assert binding["filter"].projector.rank == side**2
    assert error(binding, rep, None, x) < 1e-5


def test_functions_of_real_and_imaginary_parts_break_where_waves_become_pixels():
    x, rep = torch.randn(2, 8, 8, 8), iw.on_grid(R)
    binding = bound(networks.AdaptiveFilter(), rep, rep, x)
    assert [one.function for one in binding.breakers] == ["fft_irfft2"]
    assert "real and imaginary parts" in binding.breakers[0].reason


def test_factors_along_one_coordinate_are_named_with_the_reason():
    x, rep = torch.randn(2, 8, 16, 16), iw.on_grid(R)
    binding = bound(networks.Factorised(8, (5, 5)), rep, rep, x)
    assert list(binding.unaccounted) == ["factors.2", "factors.3"]
    assert "exchanges" in binding.inference.reasons["factors.2"]
    assert [one.function for one in binding.breakers] == ["fft_irfft2"]


def test_a_transform_along_features_forces_them_to_trivial_and_says_so():
    class Mixer(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(8, 16), nn.Linear(16, 8)

        def forward(self, x):
            return self.b(torch.fft.fft(self.a(x)).real)

    binding = iw.bind(Mixer(), rep_in=R, rep_out=R, example=torch.randn(3, 8))
    assert any("16 features forced to trivial by fft_fft" in note for note in binding.notes)
    assert str(binding["a.weight"].projector.axes[0]) == "16x0+"


@pytest.mark.parametrize(
    ("make", "side", "group"),
    [
        (lambda: networks.SpectralConv(1, (4, 4)), 6, C4),
        (lambda: networks.SpectralConv(1, (5, 5)), 5, D4),
        (lambda: networks.SpectralConv(1, (4, 4)), 4, D4),
        (lambda: networks.TwoWeights(1, (2, 2)), 5, C4),
        (lambda: networks.TwoWeights(1, (2, 2)), 5, D4),
        (lambda: networks.TwoWeights(1, (2, 3)), 4, D4),
    ],
)
def test_the_projection_is_the_null_space_of_the_layers_own_commutator(make, side, group):
    """Brute force: every weight of which ``f(g x) = g f(x)``, but those that the layer does not see."""
    layer, rep = make().double(), iw.on_grid(group.trivial())
    if isinstance(layer, networks.TwoWeights):
        for name, weight in list(layer.named_parameters()):
            setattr(layer, name, nn.Parameter(weight.detach().to(torch.complex128)))
    x = torch.eye(side**2, dtype=torch.float64).reshape(-1, 1, side, side)
    binding = iw.bind(layer, rep_in=rep, rep_out=rep, example=x[:2].clone())
    (entry,) = [entry for entry in binding if entry.attribute != "bias"]
    weights = [weight for name, weight in layer.named_parameters() if name != "bias"]
    numbers = [torch.view_as_real(weight.data) if weight.is_complex() else weight.data for weight in weights]
    if hasattr(layer, "bias"):
        layer.bias.data.zero_()
    seen, broken = [], []
    for place in range(sum(part.numel() for part in numbers)):
        for part in numbers:
            part.zero_()
        flat, offset = numbers, place
        for part in flat:
            if offset < part.numel():
                part.view(-1)[offset] = 1
                break
            offset -= part.numel()
        with torch.no_grad():
            y = layer(x)
            seen.append(y.reshape(-1))
            broken.append(torch.cat([(layer(rep(g, x)) - rep(g, y)).reshape(-1) for g in group.generators]))
    unseen = len(seen) - int(torch.linalg.matrix_rank(torch.stack(seen), atol=1e-9, rtol=0))
    null = len(broken) - int(torch.linalg.matrix_rank(torch.stack(broken), atol=1e-9, rtol=0))
    assert entry.projector.rank == null - unseen
    for part in numbers:
        part.normal_(generator=torch.Generator().manual_seed(1))
    binding.project_()
    with torch.no_grad():
        y = layer(x)
        assert all(float((layer(rep(g, x)) - rep(g, y)).abs().max()) < 1e-12 for g in group.generators)


@pytest.mark.parametrize("side", [8, 12])
def test_waves_that_are_cut_off_at_the_end_of_their_axis_are_the_cause(side):
    class Resized(nn.Module):
        def forward(self, x):
            return torch.fft.irfft2(torch.fft.rfft2(x), s=(side, side))

    x = torch.randn(2, 1, 10, 10)
    (breaker,) = bound(Resized(), ONE, ONE, x).breakers
    assert f"it makes {side} pixels of ky:10" in breaker.reason
