import json
import math

import numpy as np
import pytest
import torch
from torch import nn

import intertwine as iw
from experiments.comparison.selection import Row
from experiments.e2cnn.layers import GatedFields, e2cnn_draw
from experiments.rotmnist import data as rotmnist_data
from experiments.rotmnist.data import GAIN, SIDE, available_source, load_split, rotate
from experiments.rotmnist.e2cnn import e2cnn_subject
from experiments.rotmnist.findings import conclusions
from experiments.rotmnist.model import (
    GROUPS,
    ON_PIXELS,
    digits_subject,
    image_action,
    image_derivative,
    layer_fields,
    network,
)
from experiments.rotmnist.pictures import dial_rows, leads
from experiments.rotmnist.task import LABELS, PLANS, TASK, TRAINED, applies
from experiments.rotmnist.training import RotmnistSettings, parse_condition, run_rotmnist
from experiments.runs.data_folder import DATA_VARIABLE
from experiments.runs.record import provenance

SMALL = {"source": "shipped", "side": 14, "training": 60, "validation": 60, "test": 60, "widths": [8, 16, 16],
         "epochs": 2, "batch_size": 30}  # fmt: skip
WIDTHS = {14: (8, 16, 16), 28: (8, 8, 16, 16)}


def settings(method, condition="C4, 10 %", strength=None, seed=0, **options):
    plan = {"condition": condition, "method": method, "seed": seed, "strength": strength, "learning_rate": 0.01}
    return plan | SMALL | options


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


# -- runs -----------------------------------------------------------------------------------------


def test_parse_condition():
    assert parse_condition("SO(2), 100 %") == ("SO(2)", 1.0)
    assert RotmnistSettings("C4, 2.5 %", "plain", 0).fraction == 0.025
    for text in ("C4", "C4, ten %", "C5, 10 %", "C4, 10"):
        with pytest.raises(iw.errors.ArgumentError, match=r"condition: expected a text such as 'C4, 10 %'"):
            parse_condition(text)


def test_a_run_depends_on_its_settings_alone():
    first, second = run_rotmnist(settings("decay", strength=3.0)), run_rotmnist(settings("decay", strength=3.0))
    for found in (first, second):
        assert found.pop("seconds_per_epoch") > 0
    assert json.loads(json.dumps(first)) == second
    assert run_rotmnist(settings("decay", strength=3.0, seed=1))["validation_loss"] != first["validation_loss"]


def test_a_run_measures_what_the_methods_promise():
    plain, exact = run_rotmnist(settings("plain")), run_rotmnist(settings("exact"))
    assert plain["equivariance_error"] == plain["quarter_turn_error"] > 0.05
    assert exact["equivariance_error"] < 1e-5
    assert exact["rotation_error"] > 1e-2
    assert exact["relative_residual"] < 1e-6 < plain["relative_residual"]
    # Of a random draw, before any training.
    drawn = digits_subject("C4", 14, (8, 16, 16), 0).binding.residuals().values()
    numel, rank = sum(math.prod(r.shape) for r in drawn), sum(r.rank for r in drawn)
    assert plain["chance"] == pytest.approx(math.sqrt(1 - rank / numel))
    assert plain["parameters"] == sum(p.numel() for p in network("C4", 14, (8, 16, 16), 0).parameters())
    assert plain["peak_memory"] > 0 < plain["seconds_per_epoch"]
    projected, averaged = plain["variants"]["train_then_project"], plain["variants"]["orbit_averaging"]
    assert projected["relative_residual"] < 1e-6
    assert max(projected["equivariance_error"], averaged["equivariance_error"]) < 1e-5
    assert averaged["relative_residual"] == plain["relative_residual"]
    assert plain["turned_accuracy"] != plain["test_accuracy"]
    turned = run_rotmnist(settings("exact", "SO(2), 100 %"))
    assert turned["turned_accuracy"] == turned["test_accuracy"]
    assert turned["quarter_turn_error"] < 1e-5 < turned["equivariance_error"] == turned["rotation_error"]


@pytest.mark.parametrize("condition", ["D4, 100 %", "SO(2), 100 %"])
def test_e2cnn_is_trained_as_plain_and_has_no_residual(condition):
    found, again = (run_rotmnist(settings("e2cnn", condition)) for _ in range(2))
    for run in (found, again):
        assert run.pop("seconds_per_epoch") > 0
    assert found == again
    assert found["quarter_turn_error"] < 1e-5 < found["rotation_error"]
    assert {"relative_residual", "chance", "variants"}.isdisjoint(found)
    model = e2cnn_subject(condition.split(",")[0], 14, (8, 16, 16), 0).model
    assert found["parameters"] == sum(p.numel() for p in model.parameters())
    assert found["peak_memory"] > 0
    assert run_rotmnist(settings("e2cnn", condition, learning_rate=1e20)).keys() == found.keys() | {"seconds_per_epoch"}
    with pytest.raises(iw.errors.ArgumentError, match="strength"):
        run_rotmnist(settings("e2cnn", condition, strength=1.0))


def test_training_learns():
    options = {"training": 400, "test": 300, "widths": [8, 16, 32], "epochs": 8}
    for method in ("exact", "e2cnn"):
        assert run_rotmnist(settings(method, "C4, 0 %", **options))["test_accuracy"] > 0.6


def test_a_diverged_training_is_infinite():
    found = run_rotmnist(settings("plain", learning_rate=1e20))
    assert found["validation_loss"] == found["equivariance_error"] == found["relative_residual"] == math.inf


# -- the task -------------------------------------------------------------------------------------


def test_every_method_has_the_same_number_of_configurations():
    for size, plan in PLANS.items():
        counts = {method: len(plan.configurations(method)) for method in TRAINED}
        tries = len(plan.learning_rates)
        assert {counts[m] for m in TRAINED if m not in plan.own_rates} == {tries}, size
        assert {counts[m] for m in plan.own_rates} <= {tries**2}
        assert plan.learning_rate == sorted(plan.learning_rates)[len(plan.learning_rates) // 2]
    assert PLANS["cpu"].seeds >= 5


def test_methods_run_where_they_have_a_meaning():
    groups = {method: {c[:2] for c in PLANS["cpu"].conditions if applies(method, c)} for method in TRAINED}
    assert groups["sampled_operator"] == {"C4", "D4"}
    assert groups["lie_derivative"] == {"SO"}
    assert groups["penalty"] == groups["e2cnn"] == {"C4", "D4", "C8", "SO"}


def test_the_smoke_size_writes_everything(tmp_path):
    grid = TASK.grid("smoke")
    runs = [(run, run_rotmnist(run)) for run in grid if run["condition"] == "SO(2), 100 %"]
    assert {run["method"] for run, _ in runs} == set(TRAINED) - {"sampled_operator"}
    by = {run["method"]: result for run, result in runs}
    # The dial's two points, with numbers that tell them apart.
    for condition, lead in (("C4, 10 %", 0.1), ("C4, 100 %", -0.1)):
        runs += [
            (run | {"condition": condition}, by[run["method"]] | {"test_accuracy": 0.5 + lead * (method == "decay")})
            for run, _ in runs[: len(by)]
            for method in [run["method"]]
        ]
    head = provenance("python -m experiments reproduce rotmnist --smoke", ()) | {
        "device": "cpu", "seeds": [0], "runs": 1, "runs_from_cache": 0, "workers": 1,
    }  # fmt: skip
    paths = TASK.write(runs, head, tmp_path)
    assert {"record.json", "README.md", "error.png", "time.png", "dial.png"} <= {path.name for path in paths}
    record = json.loads((tmp_path / "record.json").read_text())
    assert {row["method"] for row in record["rows"]} == set(LABELS) - {"sampled_operator"}
    # Nothing where there is no residual, in the record and in the tables.
    library = [row for row in record["rows"] if row["method"] == "e2cnn"]
    assert len(library) == 3
    assert {row["relative_residual"]["mean"] for row in library} == {None}
    assert list(LABELS)[list(LABELS).index("exact") + 1] == "e2cnn"
    assert "nan" not in (tmp_path / "README.md").read_text()
    text = " ".join(record["conclusions"])
    assert "against plain: one seed at" in text
    assert "C4, 10 % (+0.100)" in text
    assert "Measured on the 3000 digits" in text


def row(condition, method, accuracies, **others):
    values = {"seconds_per_epoch": 1.0, "quarter_turn_error": 1e-7, "rotation_error": 0.3} | others
    runs = tuple({"test_accuracy": accuracy, **values} for accuracy in accuracies)
    chosen = tuple({"strength": None, "source": "mnist"} for _ in runs)
    return Row(condition, method, tuple(range(len(runs))), chosen, runs)


def test_conclusions_say_where_it_goes_against_us():
    rows = [
        row("C4, 10 %", "plain", (0.80, 0.81, 0.82)),
        row("C4, 10 %", "exact", (0.90, 0.91, 0.92)),
        row("C4, 10 %", "penalty", (0.85, 0.86, 0.871), seconds_per_epoch=1.5),
        row("C4, 10 %", "decay", (0.70, 0.70, 0.70)),
        row("C4, 10 %", "remul", (0.95, 0.96, 0.97), seconds_per_epoch=2.5),
    ]
    limits, field, projected = conclusions(rows, LABELS)
    assert (
        "against plain: ahead at C4, 10 % (+0.050 ± 0.000); against exactly equivariant: behind at C4, 10 % (-0.0"
        in limits
    )
    assert "behind at C4, 10 % [REMUL] (-0.100 ± 0.000)" in field
    assert "REMUL 2.5; penalty 1.5; decay 1.0" in field
    assert "W = PW at most 1.0e-07 under quarter turns, under random ones C4 0.30." in projected
    assert "e2cnn" not in limits + field + projected
    rows.append(row("C4, 10 %", "e2cnn", (0.92, 0.93, 0.941), seconds_per_epoch=3.0, rotation_error=0.2))
    limits, field, projected = conclusions(rows, LABELS)
    assert (
        "exactly equivariant, e2cnn: behind at C4, 10 % (-0.070 ± 0.000); exactly equivariant itself against" in limits
    )
    assert "e2cnn builds: behind at C4, 10 % (-0.020" in limits
    assert "exactly equivariant 1.0; exactly equivariant, e2cnn 3.0; REMUL 2.5" in field
    assert "C4 0.30; that of e2cnn at most 1.0e-07 under quarter turns, under random ones C4 0.20." in projected


def test_the_dial_is_that_of_c4_in_order():
    rows = [row(c, "plain", (0.5,)) for c in ("C4, 100 %", "C4, 0 %", "D4, 100 %", "C4, 30 %")]
    assert [share for share, _ in dial_rows(rows)] == [0.0, 0.3, 1.0]


def test_leads_are_over_plain_at_the_same_share():
    rows = [
        row("C4, 0 %", "plain", (0.9, 0.8)),
        row("C4, 0 %", "decay", (0.91, 0.83)),
        row("C4, 30 %", "decay", (0.5, 0.5)),
        row("D4, 0 %", "decay", (0.1, 0.1)),
    ]
    found = leads(dial_rows(rows), "test_accuracy")
    assert found["plain"][0.0].mean == 0
    assert found["decay"][0.0].mean == pytest.approx(0.02)
    assert 0.3 not in found["decay"]
