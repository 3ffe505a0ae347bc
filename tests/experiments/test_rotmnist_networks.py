import math

import numpy as np
import pytest
import torch
from torch import nn

import intertwine as iw
from experiments.e2cnn.layers import GatedFields, e2cnn_draw
from experiments.rotmnist import data as rotmnist_data
from experiments.rotmnist.data import GAIN, SIDE, available_source, load_split, rotate
from experiments.rotmnist.e2cnn import e2cnn_subject
from experiments.rotmnist.model import (
    GROUPS,
    ON_PIXELS,
    digits_subject,
    image_action,
    image_derivative,
    layer_fields,
    network,
)
from experiments.rotmnist.task import TASK
from experiments.runs.data_folder import DATA_VARIABLE

WIDTHS = {14: (8, 16, 16), 28: (8, 8, 16, 16)}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def split(fraction, seed=0, **options):
    sizes = {"training": 200, "validation": 100, "test": 300, "side": 14, "source": "shipped"}
    return load_split(fraction, seed, **(sizes | options))


def smooth_images(side, count=2, channels=1):
    """Random images without sharp edges, zero at their border."""
    x = torch.rand(count, channels, side - 8, side - 8, generator=generator(), dtype=torch.float64)
    return nn.functional.avg_pool2d(nn.functional.pad(x, (8, 8, 8, 8)), 9, 1)


# -- data -----------------------------------------------------------------------------------------


def test_quarter_turns_are_exact_and_counterclockwise():
    x = torch.rand(3, 2, 6, 6, generator=generator(), dtype=torch.float64)
    angles = torch.tensor([math.pi / 2, math.pi, 0.0])
    expected = torch.stack([x[0].rot90(1, (-2, -1)), x[1].rot90(2, (-2, -1)), x[2]])
    torch.testing.assert_close(rotate(x, angles), expected, atol=1e-6, rtol=0)


def test_a_turn_moves_the_place_of_a_dot():
    x = torch.zeros(1, 1, 29, 29)
    x[0, 0, 14, 24] = 1.0  # 10 to the right of the centre
    turned = rotate(x, torch.tensor(math.atan2(3, 4)))[0, 0]
    assert turned.argmax() == (14 - 6) * 29 + 14 + 8  # (8, 6), rows count down
    assert turned.max() > 0.9


def test_the_share_of_turned_digits_is_met_and_nested():
    none, tenth, half, all_ = (split(f) for f in (0.0, 0.1, 0.5, 1.0))
    assert not none.test.angles.any()
    assert [int((s.test.angles != 0).sum()) for s in (tenth, half, all_)] == [30, 150, 300]
    turned = tenth.test.angles != 0
    torch.testing.assert_close(half.test.x[turned], tenth.test.x[turned], atol=0, rtol=0)
    torch.testing.assert_close(half.turned.x, all_.test.x, atol=0, rtol=0)
    untouched = half.test.angles == 0
    torch.testing.assert_close(half.test.x[untouched], none.test.x[untouched], atol=0, rtol=0)
    # Uniform: the mean of 300 unit vectors is short, one in a hundred is longer than this.
    assert abs(torch.polar(torch.ones_like(all_.test.angles), all_.test.angles).mean()) < 0.125


def test_parts_are_disjoint_and_only_training_and_validation_depend_on_the_seed():
    first, second = split(0.0), split(0.0, 1)
    torch.testing.assert_close(first.test.x, second.test.x, atol=0, rtol=0)
    assert not torch.equal(first.training.x, second.training.x)
    images = torch.cat([first.training.x, first.validation.x, first.test.x]).flatten(1)
    assert len(torch.unique(images, dim=0)) == 600
    assert first.training.y.unique().tolist() == list(range(10))


def test_pixels_are_means_of_the_turned_digit():
    small, large = split(1.0), split(1.0, side=28)
    torch.testing.assert_close(small.test.x, nn.functional.avg_pool2d(large.test.x, 2))
    assert large.test.x.max() <= GAIN * (1 + 1e-5)
    assert 0.8 < small.test.x.square().mean() < 1.4


@pytest.mark.parametrize(
    ("options", "argument"),
    [
        ({"fraction": 1.5}, "fraction"),
        ({"side": 9}, "side"),
        ({"training": 1990}, "training, validation, test.*at most 2000.*mnist.npz"),
        ({"test": 0}, "training, validation, test"),
        ({"source": "elsewhere"}, "source.*mnist, shipped"),
    ],
)
def test_refused_data(options, argument):
    with pytest.raises(iw.IntertwineError, match=argument):
        split(options.get("fraction", 0.5), **{k: v for k, v in options.items() if k != "fraction"})


def test_without_a_folder_the_shipped_digits_are_used_and_the_error_says_how_to_give_data(monkeypatch):
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    assert available_source() == "shipped"
    rotmnist_data._shuffled.cache_clear()
    rotmnist_data._part.cache_clear()
    with pytest.raises(iw.errors.ArgumentError, match=r"--data or the variable INTERTWINE_DATA.*fetch_openml"):
        split(0.5, source="mnist")
    cpu = TASK.grid("cpu", 1)
    assert {(run["source"], run["test"]) for run in cpu} == {("shipped", 1000)}
    with pytest.raises(iw.errors.ArgumentError, match="INTERTWINE_DATA"):
        TASK.get_ready("full", None)


def test_the_users_file_is_read(monkeypatch, tmp_path):
    (tmp_path / "mnist").mkdir()
    path = tmp_path / "mnist" / "mnist.npz"
    counts = {"train": 40, "test": 10}
    arrays = {f"x_{part}": np.full((n, SIDE, SIDE), 7, dtype=np.uint8) for part, n in counts.items()}
    arrays |= {f"y_{part}": np.arange(n, dtype=np.uint8) % 10 for part, n in counts.items()}
    np.savez(path, **arrays)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    monkeypatch.setitem(rotmnist_data.SIZES, "mnist", (30, 20))
    rotmnist_data._shuffled.cache_clear()
    rotmnist_data._part.cache_clear()
    assert available_source() == "mnist"
    found = split(0.0, source="mnist", training=20, validation=10, test=20)
    torch.testing.assert_close(found.test.x, torch.full((20, 1, 14, 14), GAIN * 7 / 255))
    assert {run["source"] for run in TASK.grid("cpu", 1)} == {"mnist"}
    np.savez(path, **(arrays | {"x_train": arrays["x_train"].astype(float)}))
    rotmnist_data._shuffled.cache_clear()
    with pytest.raises(iw.errors.ArgumentError, match="uint8 images"):
        split(0.1, source="mnist", training=20, validation=10, test=20)
    rotmnist_data._shuffled.cache_clear()
    rotmnist_data._part.cache_clear()


# -- networks -------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [14, 28])
@pytest.mark.parametrize("group", GROUPS)
def test_networks_are_equivariant_where_the_weights_are_projected(group, side):
    subject = digits_subject(group, side, WIDTHS[side], 0)
    assert subject.binding.unaccounted == {}
    x = torch.randn(4, 1, side, side, generator=generator())
    element = "C4" if group in ("C8", "SO(2)") else group
    act = image_action(element, GROUPS[element].trivial())

    def error():
        return iw.equivariance_error(subject.model, act, subject.act_out, x, group=GROUPS[element]).relative_worst

    assert error() > 0.1
    subject.binding.project_(preserve_norm=True)
    assert error() < 1e-5
    assert subject.model(x).std() > 1e-2
    # It is the projection that does it: any other weight in one layer breaks it.
    with torch.no_grad():
        subject.model.conv2.weight.mul_(torch.rand(subject.model.conv2.weight.shape, generator=generator()))
    assert error() > 1e-3


@pytest.mark.parametrize("group", GROUPS)
def test_hidden_features_move_as_typed(group):
    subject = digits_subject(group, 14, WIDTHS[14], 0)
    subject.binding.project_(preserve_norm=True)
    found = {}
    for name in subject.hidden:
        subject.model.get_submodule(name).register_forward_hook(lambda _, __, y, name=name: found.update({name: y}))
    x = torch.randn(3, 1, 14, 14, generator=generator())
    g = GROUPS[group].elements()[1] if group in ON_PIXELS else torch.tensor([[0.0, -1.0], [1.0, 0.0]]).double()
    subject.model(x)
    before = dict(found)
    subject.model(subject.act_in(g, x))
    assert set(found) == {"act1", "act2", "act3"}
    for name, action in subject.hidden.items():
        torch.testing.assert_close(found[name], action(g, before[name]), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(found["act1"], before["act1"], atol=1e-2)


@pytest.mark.parametrize("side", [14, 28])
@pytest.mark.parametrize("group", GROUPS)
def test_e2cnn_builds_the_same_layers_exactly_equivariant(group, side):
    subject, ours = e2cnn_subject(group, side, WIDTHS[side], 0), digits_subject(group, side, WIDTHS[side], 0)
    x = torch.randn(4, 1, side, side, generator=generator())
    shapes = {}
    for which, other in (("library", subject), ("ours", ours)):
        for name in (f"act{i}" for i in range(1, len(WIDTHS[side]) + 1)):
            other.model.get_submodule(name).register_forward_hook(
                lambda _, __, y, key=(which, name): shapes.update({key: tuple(y.shape)})
            )
        other.model(x)
    assert [s for (which, _), s in shapes.items() if which == "library"] == [
        s for (which, _), s in shapes.items() if which == "ours"
    ]
    element = "C4" if group in ("C8", "SO(2)") else group
    act = image_action(element, GROUPS[element].trivial())

    def error(G=element, action=act):
        return iw.equivariance_error(subject.model, action, subject.act_out, x, group=GROUPS[G]).relative_worst

    trained = subject.model(x)
    assert error() < 1e-5
    with torch.no_grad():
        subject.model.eval()
    # Kernels that are made once are those that are made at each call.
    torch.testing.assert_close(subject.model(x), trained)
    assert error() < 1e-5
    if group != "D4":
        # No more symmetry than the group's.
        assert error("D4", image_action("D4", GROUPS["D4"].trivial())) > 1e-2
    assert not subject.binding.entries
    assert sum(p.numel() for p in subject.model.parameters()) < sum(p.numel() for p in ours.model.parameters()) / 2


@pytest.mark.parametrize("group", GROUPS)
def test_the_librarys_draw_depends_on_the_seed_alone(group):
    first = e2cnn_subject(group, 14, WIDTHS[14], 0).model.state_dict()
    # Torch's global generator has moved on by now.
    again, other = (e2cnn_subject(group, 14, WIDTHS[14], seed).model.state_dict() for seed in (0, 1))
    name = "conv1.convolution.weights"
    assert all(torch.equal(first[key], again[key]) for key in first)
    assert not torch.equal(first[name], other[name])
    assert torch.equal(first["head.weight"], network(group, 14, WIDTHS[14], 0).head.weight)


def test_gated_fields_are_scaled_by_their_own_gates():
    from e2cnn import gspaces

    space = gspaces.Rot2dOnR2(-1, maximum_frequency=2)
    with e2cnn_draw(0):
        layer = GatedFields(space, 2, [space.irrep(1), space.irrep(2)])
    assert (layer.type_in.size, layer.type_out.size) == (8, 6)
    x = torch.randn(3, 8, 2, 2, generator=generator())
    scalars, gates, fields = x.split([2, 2, 4], dim=1)
    scale = torch.sigmoid(gates - layer.gate.bias).repeat_interleave(2, dim=1)
    torch.testing.assert_close(layer(x), torch.cat([nn.functional.silu(scalars), scale * fields], 1))


def test_the_draw_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    with e2cnn_draw(3):
        drawn = torch.rand(4)
    assert torch.equal(torch.random.get_rng_state(), before)
    with e2cnn_draw(3):
        assert torch.equal(torch.rand(4), drawn)


def test_groups_with_regular_fields_share_network_and_draw():
    first, second = network("C4", 14, WIDTHS[14], 0), network("C8", 14, WIDTHS[14], 0)
    for a, b in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(a, b)
    assert [rep.dim for rep in layer_fields("SO(2)", (8, 16, 24))] == [6, 12, 24]
    subject = digits_subject("SO(2)", 14, WIDTHS[14], 0)
    assert not subject.binding["conv1.weight"].projector.exact
    assert digits_subject("C4", 14, WIDTHS[14], 0).binding["conv1.weight"].projector.exact


def test_refused_networks():
    with pytest.raises(iw.errors.ArgumentError, match="widths: expected multiples of 8"):
        network("C4", 14, (4, 16, 16), 0)
    with pytest.raises(iw.errors.ArgumentError, match="side, widths: expected one of 14 with 3 widths"):
        network("C4", 28, (8, 16, 16), 0)
    with pytest.raises(iw.errors.UnknownNameError, match="group: expected one of C4"):
        layer_fields("C5", (8,))


def test_the_derivative_is_that_of_small_turns():
    x = smooth_images(28)
    A, step = iw.SO(2).lie_algebra[0], 1e-3
    rows = torch.arange(28, dtype=torch.float64) - 13.5
    column, height = rows.view(1, -1).expand(28, 28), -rows.view(-1, 1).expand(28, 28)
    # f = x and f = x y have derivatives y and y^2 - x^2 under -grad f . (-y, x).
    inside = (..., slice(1, -1), slice(1, -1))
    linear = torch.stack([column, column * height]).unsqueeze(1)
    expected = torch.stack([height, height**2 - column**2]).unsqueeze(1)
    torch.testing.assert_close(image_derivative(A, linear)[inside], expected[inside])
    turned = (rotate(x, torch.tensor(step)) - rotate(x, torch.tensor(-step))) / (2 * step)
    found = image_derivative(A, x)
    assert (found * turned).sum() / (found.norm() * turned.norm()) > 0.95
    torch.testing.assert_close(image_derivative(2 * A, x), 2 * found)
