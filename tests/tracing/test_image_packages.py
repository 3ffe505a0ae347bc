"""Networks of other packages, where these are installed: what breaks, sides that keep, and what repairs them."""

import pytest
from torch import nn

import intertwine as iw
from benchmarks.models.__main__ import operators_of_torchvision
from benchmarks.models.case import drawn, seeded

D4 = iw.Dihedral(4)
RGB = iw.on_grid(3 * D4.trivial())


@pytest.fixture(autouse=True, scope="module")
def _torchvision():
    operators_of_torchvision()


def bound(net, side, rep_in=RGB, rep_out=None):
    return iw.bind(net, rep_in=rep_in, rep_out=rep_out, example=drawn(1, rep_in.rep.dim, side, side))


def test_the_denoiser_of_diffusers_with_its_breakers_removed_one_by_one():
    pytest.importorskip("diffusers")
    from benchmarks.models.sources import of_diffusers

    case = next(case for case in of_diffusers.cases() if case.name == "UNet2DModel")
    net = case.make()
    binding = iw.bind(net, rep_in=RGB, rep_out=RGB, example=case.example)
    assert [one.module for one in binding.breakers] == ["net.down_blocks.0.downsamplers.0.conv"]
    across = [note for note in binding.notes if "lie across" in note]
    assert ["up_blocks.0.resnets.1.norm1" in across[0], "up_blocks.1.resnets.0.norm1" in across[1]] == [True, True]

    net.net.down_blocks[0].downsamplers[0].conv = nn.Conv2d(32, 32, 2, 2)
    binding = iw.bind(net, rep_in=RGB, rep_out=RGB, example=case.example)
    assert not binding.breakers
    binding.project_()
    assert float(iw.equivariance_error(net, RGB, RGB, case.example)) < 1e-5


@pytest.mark.parametrize(
    ("name", "side"),
    [("densenet121", 61), ("poolformer_s12", 67), ("tf_efficientnet_b0", 65), ("convnextv2_atto", 64)],
)
def test_sides_that_keep_networks_of_timm(name, side):
    timm = pytest.importorskip("timm")
    assert not bound(seeded(lambda: timm.create_model(name)), side).breakers


@pytest.mark.parametrize(("name", "side"), [("squeezenet1_1", 63), ("alexnet", 63), ("googlenet", 77)])
def test_sides_that_keep_networks_of_torchvision(name, side):
    tv = pytest.importorskip("torchvision")
    options = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
    assert not bound(seeded(lambda: getattr(tv.models, name)(**options)), side).breakers


def test_strips_of_inception_next_keep_the_mirrors():
    timm = pytest.importorskip("timm")
    net, mirrors = seeded(lambda: timm.create_model("inception_next_atto")), iw.Dihedral(2)
    assert len(bound(net, 64).breakers) == 24
    rgb = iw.on_grid(3 * mirrors.trivial())
    binding = bound(net, 64, rgb)
    assert not binding.breakers
    assert not binding.unaccounted


def test_segmenters_that_keep_and_one_that_cannot():
    nets = pytest.importorskip("monai.networks.nets")
    grey, masks = iw.on_grid(D4.trivial()), iw.on_grid(2 * D4.trivial())
    basic = seeded(lambda: nets.BasicUNet(2, 1, 2, features=(8, 8, 16, 16, 16, 8)))
    assert not bound(basic, 32, grey, masks).breakers
    usual = seeded(lambda: nets.UNet(2, 1, 2, channels=(8, 16), strides=(2,)))
    assert {one.function for one in bound(usual, 16, grey, masks).breakers} == {"conv2d", "conv_transpose2d"}
    # Its strides want odd sides; what comes back up has a pixel at the end that has no counterpart, whatever the side.
    assert {one.function for one in bound(usual, 17, grey, masks).breakers} == {"conv_transpose2d"}


def test_the_encoder_decides_of_a_segmenter():
    smp = pytest.importorskip("segmentation_models_pytorch")
    net = seeded(lambda: smp.Unet("vgg11_bn", encoder_weights=None, classes=2))
    assert not bound(net, 32, RGB, iw.on_grid(2 * D4.trivial())).breakers
