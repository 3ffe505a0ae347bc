"""Smoke plumes. ``phiflow_plume.npz`` holds steps of one plume that PhiFlow 3.4.0 (MIT) made: a reference run."""

import dataclasses
import json
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import map_coordinates

import intertwine as iw
from experiments.runs.data_folder import CACHE_VARIABLE
from experiments.smoke import data as smoke_data
from experiments.smoke.data import generate, load_plumes, quarter_turns, symmetry_error
from experiments.smoke.methods import METHODS, smoke_method
from experiments.smoke.model import NETWORKS, network_error, smoke_subject
from experiments.smoke.recipes import RECIPES, SYMMETRIES, probe_runs, recipe_runs
from experiments.smoke.roll_out import RollOut
from experiments.smoke.simulation import Plume, simulate
from experiments.smoke.split import held_out, load_split, stream
from experiments.smoke.task import PLANS, is_run
from experiments.smoke.training import errors_by_step, run_smoke
from experiments.smoke.turns import turn_fields, turn_frames, turn_history
from intertwine.errors import ArgumentError, MissingExtraError, UnknownNameError

REFERENCE = Path(__file__).parents[1] / "data" / "phiflow_plume.npz"
C4 = iw.Cyclic(4)
SIZES = {"history": 2, "width": 8, "side": 8, "steps": 2, "depth": 2}
SMALL = {"data": "smoke", "width": 8, "depth": 1, "history": 2, "horizon": 2, "roll_out": 2, "epochs": 2}
STRENGTHS = {**PLANS["cpu"].strengths, "split": (1.0, 10.0, 100.0)}


def draws(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def settings(method, condition="rotation", **options):
    strength = STRENGTHS[method][1] if method in STRENGTHS else None
    plan = {"condition": condition, "method": method, "seed": 0, "strength": strength, "learning_rate": 1e-2}
    return plan | SMALL | options


def subject(condition, network, seed=0, **options):
    return smoke_subject(condition, network, seed, **(SIZES | options))


def waves(plumes, cells, steps, *, time_step=1.0, side=None):
    """Stands in for PhiFlow: waves that grow with the force and travel along it."""
    side = side or cells
    y, x = np.mgrid[:side, :side] / side
    frames = []
    for plume in plumes:
        across, up = plume.force
        phase = [
            2 * np.pi * (x * np.sign(across) + (1 - y) * np.sign(up)) + 0.3 * t + plume.radius for t in range(steps)
        ]
        frames.append(
            [[(1 + t) * (across + 0.01) * np.sin(p), (1 + t) * (up + 0.01) * np.cos(p)] for t, p in enumerate(phase)]
        )
    return np.array(frames, dtype=np.float32)


@pytest.fixture
def data(monkeypatch, tmp_path):
    """A folder of its own and waves in the place of smoke; the list holds how many runs each call simulated."""
    calls = []

    def counted(plumes, *sizes, **options):
        calls.append(len(plumes))
        return waves(plumes, *sizes, **options)

    monkeypatch.setenv(CACHE_VARIABLE, str(tmp_path))
    monkeypatch.setattr(smoke_data, "simulate", counted)
    monkeypatch.setattr(smoke_data, "phiflow", lambda: None)
    monkeypatch.setattr(smoke_data, "version", lambda _: "3.4.0")
    load_plumes.cache_clear()
    yield calls
    load_plumes.cache_clear()


# -- simulation -----------------------------------------------------------------------------------


def test_the_plume_is_the_reference_run():
    pytest.importorskip("phi")
    with np.load(REFERENCE) as file:
        faces, steps = np.pad(file["faces"], ((0, 0), (0, 0), (0, 1), (0, 1))).astype(float), file["steps"]
    across, up = faces[:, 0, :64], faces[:, 1, :, :64]
    centred = np.stack([across[..., :-1] + across[..., 1:], up[:, :-1] + up[:, 1:]], 1)[:, :, ::-1] / 2
    frames = simulate([Plume((32, 5), 5, (0, 0.1))], 64, 3)[0, steps - 1]
    assert np.abs(frames - centred).max() < 2e-5 * np.abs(centred).max()


def test_a_turned_plume_gives_turned_frames_and_a_batch_its_single_runs():
    pytest.importorskip("phi")
    plumes = [Plume((8, 2), 2, (0, 0.1)), Plume((14, 8), 2, (-0.1, 0)), Plume((5, 3), 3, (0, 0.3), right=2.0)]
    frames = simulate(plumes, 16, 5, side=8)
    assert frames.shape == (3, 5, 2, 8, 8)
    np.testing.assert_allclose(frames[1], quarter_turns(frames[0], 1), atol=2e-5 * np.abs(frames[0]).max())
    alone = simulate(plumes[2:], 16, 5, side=8)[0]
    np.testing.assert_allclose(frames[2], alone, atol=1e-4 * np.abs(alone).max())


def test_boxes_that_pixels_do_not_divide_are_interpolated():
    pytest.importorskip("phi")
    cells, pixels = (simulate([Plume((10, 10), 5, (0.02, 0.1))], 20, 1, side=side)[0, 0] for side in (20, 8))
    places = np.meshgrid(*2 * [(np.arange(8) + 0.5) * 20 / 8 - 0.5], indexing="ij")
    expected = np.stack([map_coordinates(component, places, order=1, mode="nearest") for component in cells])
    # PhiFlow interpolates the faces, this the centres of cells.
    np.testing.assert_allclose(pixels, expected, atol=0.1 * np.abs(expected).max())


def test_without_phiflow_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "phi", None)
    with pytest.raises(MissingExtraError, match=r"intertwine\[smoke\]"):
        simulate([Plume((8, 2), 2, (0, 0.1))], 16, 1)


def test_nothing_to_simulate_is_refused():
    with pytest.raises(ArgumentError, match="plumes"):
        simulate([], 16, 1)


# -- recipes --------------------------------------------------------------------------------------


def test_full_rotation_has_the_published_forces():
    runs = recipe_runs("rotation", RECIPES["full"])
    assert len(runs) == 36
    assert [run.plume.inflow for run in runs[:4]] == [(32, 5), (59, 32), (32, 59), (5, 32)]
    forces = [run.plume.force for run in runs[:4]]
    np.testing.assert_allclose(forces, [(0, 0.01), (-0.02, 0), (0, -0.033), (0.04, 0)], atol=1e-12)
    assert len(recipe_runs("translation", RECIPES["full"])) == 35
    scale = recipe_runs("scale", RECIPES["full"])
    assert (len(scale), scale[0].cells, scale[-1].cells) == (38, 64, 301)


def test_the_dial_weakens_three_directions_and_leaves_the_first():
    recipe = RECIPES["cpu"]
    whole, broken = recipe_runs("break 0", recipe), recipe_runs("break 0.9", recipe)
    ratio = [np.linalg.norm(b.plume.force) / np.linalg.norm(a.plume.force) for a, b in zip(whole, broken, strict=True)]
    np.testing.assert_allclose(ratio, 6 * [1, 0.7, 0.4, 0.1])
    assert [run.plume.inflow for run in whole] == [run.plume.inflow for run in broken]
    assert len(probe_runs("break 0.9", recipe)) == 4
    assert not probe_runs("scale", recipe)


def test_resolved_and_plain_scales_are_one_plume_in_pixels():
    recipe = dataclasses.replace(RECIPES["cpu"], zooms=3)
    plain, resolved = (recipe_runs("scale", dataclasses.replace(recipe, resolved=r)) for r in (False, True))
    for one, other in zip(plain, resolved, strict=True):
        zoom = other.zoom
        assert other.cells == round(recipe.cells * zoom)
        assert other.plume.radius / zoom == pytest.approx(one.plume.radius)
        assert other.plume.force[1] / zoom == pytest.approx(one.plume.force[1])


def test_unknown_conditions_are_refused():
    with pytest.raises(UnknownNameError, match="reflection"):
        recipe_runs("reflection", RECIPES["cpu"])


# -- data -----------------------------------------------------------------------------------------


def test_what_is_kept_is_not_simulated_again(data, tmp_path, monkeypatch):
    folder = generate("smoke", conditions=("rotation", "scale"))
    assert data == [8 + 4 + 8]
    generate("smoke", conditions=("rotation", "scale", "break 0.5"))
    assert data[1:] == [8 + 4]
    manifest = json.loads((folder / "manifest.json").read_text())
    assert sorted(manifest) == ["break 0.5", "rotation", "scale"]
    assert manifest["rotation"]["recipe"]["cells"] == 16
    monkeypatch.setattr(smoke_data, "VERSION", smoke_data.VERSION + 1)
    generate("smoke", conditions=("scale",))
    assert data[2:] == [8]
    assert load_plumes("scale", "smoke").frames.shape == (8, 8, 2, 8, 8)


def test_an_unknown_size_is_refused(data):
    with pytest.raises(UnknownNameError, match="huge"):
        generate("huge")


def test_the_symmetry_error_of_turned_copies_is_zero_and_of_scaled_ones_as_computed():
    frames = draws(3, 2, 8, 8).numpy()
    copies = np.stack([quarter_turns(frames, j) for j in range(4)])
    assert symmetry_error(copies) < 1e-6
    factors = np.array([1, 0.8, 0.5, 0.1])
    pairs = sum((a - b) ** 2 for a in factors for b in factors)
    expected = math.sqrt(pairs / (3 * np.square(factors).sum()))
    assert symmetry_error(copies * factors[:, None, None, None, None]) == pytest.approx(expected, rel=1e-5)
    assert symmetry_error(np.stack(4 * [frames])) > 1


def test_windows_are_those_of_the_frames(data):
    split = load_split("rotation", "smoke", 3, history=2, horizon=2, roll_out=2)
    frames = load_plumes("rotation", "smoke").frames / split.scale
    held = held_out(8, 3)
    kept = [run for run in range(8) if run not in held]
    assert len(held) == 4
    # 8 frames: 4 for training, 2 for validation, 2 for the future.
    for windows, start in ((split.training, 0), (split.validation, 2), (split.future, 4)):
        assert torch.equal(windows.x, frames[kept, start : start + 2].flatten(1, 2))
        assert torch.equal(windows.y, frames[kept, start + 2 : start + 4])
    assert torch.equal(split.domain.y[0], frames[min(held), 2:4])
    assert float(frames[kept, :4].square().mean()) == pytest.approx(1)
    assert split.change == pytest.approx(float(frames[kept, :4].diff(dim=1).square().mean().sqrt()))


def test_windows_that_do_not_fit_are_refused(data):
    with pytest.raises(ArgumentError, match="8 frames"):
        load_split("rotation", "smoke", 0, history=2, horizon=2, roll_out=3)


def test_each_direction_loses_as_many_runs_and_seeds_differ():
    assert [sorted(run % 4 for run in held_out(36, seed)) for seed in (0, 1)] == 2 * [
        3 * [0] + 3 * [1] + 3 * [2] + 3 * [3]
    ]
    assert held_out(36, 0) != held_out(36, 1)


# -- networks -------------------------------------------------------------------------------------


def test_frames_and_fields_turn_as_their_representations():
    frames, fields = draws(1, 2, 4, 4), draws(1, 8, 4, 4)
    pixels = C4.grid(4, 4)
    for g in C4.elements():
        vectors = C4.standard().tensor(pixels).act(g, frames.flatten(1))
        torch.testing.assert_close(turn_frames(g, frames).flatten(1), vectors)
        channels = (2 * C4.regular()).tensor(pixels).act(g, fields.flatten(1))
        torch.testing.assert_close(turn_fields(g, fields).flatten(1), channels)
    np.testing.assert_allclose(quarter_turns(frames.numpy(), 1), turn_frames(C4.generators[0], frames), atol=1e-6)


@pytest.mark.parametrize("network", [name for name in NETWORKS["rotation"] if name != "e2cnn"])
def test_rotation_networks_are_equivariant_when_projected_and_only_then(network):
    made = subject("rotation", network)
    x = draws(3, 4, 8, 8)
    with torch.no_grad():
        for _, weight in made.binding.tensors():
            weight.add_(torch.randn(weight.shape, generator=stream(0, "method")), alpha=0.3)
        assert network_error(made.model, "rotation", x) > 1e-2
        made.binding.project_()
        assert network_error(made.model, "rotation", x) < 1e-5
        # Hidden features turn as penalties on activations take them to.
        g = C4.generators[0]
        found = {}
        for name, module in made.model.named_modules():
            module.register_forward_hook(lambda _, inputs, output, name=name: found.setdefault(name, []).append(output))
        made.model.steps = 1
        made.model(x)
        made.model(turn_history(g, x))
        for name, action in made.hidden.items():
            first, second = found[name]
            torch.testing.assert_close(second, action(g, first), atol=1e-5, rtol=1e-4)
    assert len(made.hidden) == 2


def test_relaxed_translation_commutes_with_shifts_when_its_weights_do_not_vary():
    made = subject("translation", "relaxed_group")
    x = draws(2, 4, 8, 8)
    with torch.no_grad():
        assert network_error(made.model, "translation", x) < 1e-6
        made.model.step.conv1.relaxed_weights[0, 0] += 1
        assert network_error(made.model, "translation", x) > 1e-2
        made.binding.project_()
        assert network_error(made.model, "translation", x) < 1e-6


def test_the_scale_error_compares_an_image_with_every_second_of_its_pixels():
    class Constant(torch.nn.Module):
        def forward(self, x):
            return x[:, None, -2:] + 1.0

    # g halves velocities, a constant change stays: |1 - 1/2| / |1/2|.
    assert network_error(Constant(), "scale", draws(2, 4, 8, 8)) == pytest.approx(1.0, rel=1e-5)


def test_roll_outs_are_the_recursion_that_they_claim():
    step = torch.nn.Conv2d(4, 2, 1)
    x, c = draws(2, 4, 8, 8), 0.3
    frames = [x[:, :2], x[:, 2:]]
    for _ in range(3):
        change = step(torch.cat([(frames[-1] - frames[-2]) / c, frames[-1]], 1))
        frames.append(frames[-1] + c * change)
    torch.testing.assert_close(RollOut(step, 3, c)(x), torch.stack(frames[2:], 1))


def test_all_networks_of_a_seed_share_their_draw_and_others_do_not():
    first, second, other = (subject("rotation", "convolutional", seed).model.step.conv0.weight for seed in (0, 0, 1))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_networks_that_do_not_exist_are_refused():
    with pytest.raises(UnknownNameError, match="relaxed_steerable"):
        subject("scale", "relaxed_steerable")
    with pytest.raises(ArgumentError, match="width"):
        subject("rotation", "convolutional", width=6)


# -- runs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("condition", SYMMETRIES)
def test_every_method_runs_and_reports(data, condition):
    for method in [name for name in METHODS if is_run(condition, name)]:
        result = run_smoke(settings(method, condition))
        finite = ("validation_loss", "rmse", "domain_rmse", "still_rmse", "equivariance_error")
        assert all(math.isfinite(result[name]) for name in finite), method
        typed = method != "e2cnn" and not (method == "plain" and condition != "rotation")
        assert [name in result for name in ("relative_residual", "chance")] == [typed, typed], method
        assert len(result["rmse_by_step"]) == 2
        assert result["peak_memory"] > 0
        assert result["parameters"] > 0
        assert (result["data_error"] is None) == (condition != "rotation")
        json.dumps(result)


def test_exact_runs_are_equivariant_and_plain_ones_are_not(data):
    exact, plain = run_smoke(settings("exact")), run_smoke(settings("plain"))
    assert exact["equivariance_error"] < 1e-5
    assert exact["relative_residual"] < 1e-5
    assert plain["equivariance_error"] > 1e-2
    assert plain["relative_residual"] == pytest.approx(plain["chance"], abs=0.1)
    for name in ("train_then_project", "orbit_averaging"):
        assert plain["variants"][name]["equivariance_error"] < 1e-5
        assert plain["variants"][name]["rmse"] != plain["rmse"]


def test_a_run_depends_on_its_settings_alone(data):
    timed = ("seconds_per_epoch",)
    first, second = (
        {name: value for name, value in run_smoke(settings("augmentation")).items() if name not in timed}
        for _ in range(2)
    )
    assert first == second


def test_training_lowers_the_error(data):
    short, long = (run_smoke(settings("plain", epochs=epochs))["validation_loss"] for epochs in (1, 40))
    assert long < 0.9 * short


def test_a_training_that_diverges_is_infinite_and_no_crash(data):
    result = run_smoke(settings("plain", learning_rate=1e30))
    assert result["validation_loss"] == result["rmse"] == result["relative_residual"] == math.inf


def test_errors_by_step_are_mean_squares(data):
    windows = load_split("rotation", "smoke", 0, history=2, horizon=2, roll_out=2).future

    class Still(torch.nn.Module):
        def forward(self, x):
            return x[:, None, -2:].expand(-1, 2, -1, -1, -1)

    expected = [(windows.x[:, -2:] - windows.y[:, t]).square().mean().item() for t in range(2)]
    assert errors_by_step(Still(), windows).tolist() == pytest.approx(expected, rel=1e-5)


def test_unknown_methods_are_refused():
    with pytest.raises(UnknownNameError, match="magic"):
        smoke_method("magic", subject("rotation", "convolutional"), None, stream(0, "method"))
