"""The gated network as e3nn makes it: what it shares with the typed one, and that it is equivariant."""

import math
import sys

import pytest
import torch

import intertwine as iw
from experiments.medical3d.data import load_medical_split
from experiments.medical3d.e3nn import CONDITIONS, E3NN, VoxelConvolution, e3nn_network
from experiments.medical3d.model import typed_network
from experiments.medical3d.rotation import turn_voxels
from experiments.medical3d.training import MedicalSettings, run_medical3d, train

e3nn = pytest.importorskip("e3nn")
o3 = pytest.importorskip("e3nn.o3")

SHORT = {"pool": 4, "training": 32, "evaluated": 40, "epochs": 1, "learning_rate": 0.03}
# Rows: first, middle, last index of a voxel in terms of x, y, z.
INDICES = torch.tensor([[0.0, 0.0, 1.0], [0.0, -1.0, 0.0], [1.0, 0.0, 0.0]])
FIELDS = {"SO(3)": "3x0e + 2x1e + 1x2e", "O(3)": "3x0e + 1x0o + 2x1o + 1x2e"}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def convolution(irreps, size, padding, stride=2):
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return VoxelConvolution(o3.Irreps(irreps), o3.Irreps(irreps), size, stride, padding)


@torch.no_grad()
def error(layer, irreps, side):
    """The worst relative error of a layer under the rotations of the cube, mirrors among them if it knows parities."""
    irreps = o3.Irreps(irreps)
    G = iw.Octahedral(reflections=any(ir.p < 0 for _, ir in irreps))
    x = torch.randn(2, irreps.dim, side, side, side, generator=generator())
    result, worst = layer(x), 0.0
    for g in G.elements():
        on_fields = irreps.D_from_matrix(INDICES @ g.float() @ INDICES.T)

        def act(f, g=g, on_fields=on_fields):
            return torch.einsum("ij,bj...->bi...", on_fields, turn_voxels(g, f))

        worst = max(worst, float((layer(act(x)) - act(result)).norm() / result.norm()))
    return worst


@pytest.mark.parametrize("group", FIELDS)
@pytest.mark.parametrize(("size", "padding", "side"), [(4, 1, 8), (3, 1, 7), (2, 0, 4), (3, 0, 7), (5, 2, 5)])
def test_convolutions_are_equivariant_where_they_keep_the_centre(group, size, padding, side):
    assert error(convolution(FIELDS[group], size, padding), FIELDS[group], side) < 1e-5


def test_broken_convolutions_are_not():
    # A stride that moves the centre; axes in another order; a part at the centre that looks at the wrong voxel.
    assert error(convolution(FIELDS["SO(3)"], 3, 1), FIELDS["SO(3)"], 8) > 0.1
    turned, shifted = (convolution(FIELDS["SO(3)"], 3, 1) for _ in range(2))
    turned.angular.copy_(turned.angular.transpose(0, 1).clone())
    assert error(turned, FIELDS["SO(3)"], 7) > 0.1
    shifted.centre, centre = None, shifted.centre

    def forward(x):
        below = x[:, :, 1::2, 1::2, 1::2].movedim(1, -1)
        return shifted(x)[..., :3, :3, :3] + centre(below).movedim(-1, 1)

    assert error(forward, FIELDS["SO(3)"], 7) > 0.1


def test_every_voxel_of_a_kernel_has_weights():
    for size in (2, 3, 4):
        layer = convolution(FIELDS["SO(3)"], size, 0)
        found = layer.kernel().square().sum((0, 1)) > 1e-6
        # That at the centre has the linear map.
        assert int((~found).sum()) == size % 2
        assert (layer.centre is not None) == bool(size % 2)
        # With no padding and one voxel to be at, a kernel of the input's size is a scalar product.
        x = torch.randn(1, 14, size, size, size, generator=generator())
        centre = 0 if layer.centre is None else layer.centre(x[..., 1, 1, 1])
        expected = torch.einsum("oixyz,bixyz->bo", layer.kernel(), x) + centre
        torch.testing.assert_close(layer(x)[..., 0, 0, 0], expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_network_is_the_typed_one_of_other_parameters(name):
    found, typed = (make(name, 3, 14, 2, 0) for make in (e3nn_network, typed_network))
    assert [n for n, _ in found.model.named_children()] == [n for n, _ in typed.model.named_children()]
    x = load_medical_split("adrenal", 0, pool=2).test.x[:4]
    here, there = x, x
    for (layer_name, layer), other in zip(found.model.named_children(), typed.model.children(), strict=True):
        here, there = layer(here), other(there)
        assert here.shape == there.shape, layer_name
        if layer_name.startswith("conv"):
            assert layer.kernel().shape == other.weight.shape
            # e3nn's weights are free, and more than P keeps of ours, whose radial functions are fewer.
            rank = next(e.projector.rank for e in typed.binding if e.name == f"{layer_name}.weight")
            free = sum(p.numel() for p in layer.parameters())
            assert rank < free < other.weight.numel()
    assert found.group == typed.group
    assert found.pooled == typed.pooled
    assert len(found.binding) == 0


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_network_is_equivariant_until_a_kernel_is_broken(name):
    network = e3nn_network(name, 2, 14, 1, 0)
    x = load_medical_split("adrenal", 0, pool=2).test.x[:4]
    network.model.train()(x)
    network.model.eval()
    assert float(network.error(x)) < 1e-5
    with torch.no_grad():
        assert float(network.model(x).std(0).min()) > 1e-3  # no network of constants
        network.model.conv2.angular[0] *= 1.5
    assert float(network.error(x)) > 1e-3


def test_seeds_draw_networks_and_the_settings_of_e3nn_are_left_alone():
    before = e3nn.get_optimization_defaults()
    state = torch.get_rng_state()
    first, again, other = (e3nn_network("SO(3) gated", 2, 7, 1, seed).model.conv1.weight for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(state, torch.get_rng_state())
    assert e3nn.get_optimization_defaults() == before


def test_a_run_has_no_residual_and_stays_equivariant():
    settings = {"condition": "SO(3) gated", "method": E3NN, "seed": 0, "device": "cpu", **SHORT}
    first, second = run_medical3d(settings), run_medical3d(settings)
    times = ("seconds_per_epoch",)
    assert {k: v for k, v in first.items() if k not in times} == {k: v for k, v in second.items() if k not in times}
    assert not {"relative_residual", "chance", "variants", "projected_error"} & set(first)
    assert first["equivariance_error"] < 1e-5
    assert math.isfinite(first["validation_loss"])
    untrained = e3nn_network("SO(3) gated", 2, 7, 1, 0).model
    assert first["parameters"] == sum(p.numel() for p in untrained.parameters())
    trained = train(MedicalSettings(**settings)).network.model
    moved = [float((a - b).detach().norm()) for a, b in zip(trained.parameters(), untrained.parameters(), strict=True)]
    assert min(moved) > 0
    wrecked = run_medical3d(settings | {"learning_rate": 1e30, "epochs": 2})
    assert wrecked["validation_loss"] == wrecked["equivariance_error"] == math.inf
    assert not {"relative_residual", "chance"} & set(wrecked)


def test_where_there_is_no_such_network():
    match = r"condition: expected one of SO\(3\) gated, O\(3\) gated, as it is e3nn's; got 'SO\(3\) dense'"
    with pytest.raises(iw.errors.UnknownNameError, match=match):
        e3nn_network("SO(3) dense", 2, 14, 1, 0)


def test_a_missing_e3nn_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "e3nn", None)
    with pytest.raises(iw.errors.MissingExtraError, match=r"e3nn.*intertwine\[medical\]"):
        e3nn_network("SO(3) gated", 2, 14, 1, 0)
