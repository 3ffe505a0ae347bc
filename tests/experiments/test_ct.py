import numpy as np
import pytest
import torch

from experiments.comparison.own_rates import at_the_usual_rate
from experiments.ct.data import SCANS
from experiments.ct.e2cnn import e2cnn_subject
from experiments.ct.findings import conclusions
from experiments.ct.model import GROUP, LAST_SCALE, CorrectionNetwork, ct_subject
from experiments.ct.pictures import draw
from experiments.ct.scores import mean_psnr, mean_ssim, psnr, sample_image, sample_index, sample_text
from experiments.ct.split import CtPairs
from experiments.ct.task import LABELS, PLANS, TASK, TRAINED, make_grid
from experiments.ct.training import CtSettings, run_ct, train
from intertwine.diagnostics import equivariance_error
from intertwine.errors import ArgumentError

pytest.importorskip("skimage")

TINY = {"training": 4, "test": 3, "variants": 1, "every": 3, "widths": (4, 4, 4), "epochs": 1}
LI = "from LI-MAR"


@pytest.fixture(scope="module", autouse=True)
def generated(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("INTERTWINE_CACHE", str(tmp_path_factory.mktemp("generated")))
    yield
    patch.undo()


# -- network ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", [17, 33])
@pytest.mark.parametrize("inputs", [2, 3])
def test_the_network_is_equivariant_exactly_where_its_weights_are(inputs, side):
    subject = ct_subject(inputs, (4, 8, 8), seed=0)
    subject.model.double()
    x = torch.rand(2, inputs, side, side, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def error():
        return float(equivariance_error(subject.model, subject.act_in, subject.act_out, x, group=GROUP))

    assert error() > 1e-3
    assert not subject.binding.unaccounted
    subject.binding.project_(preserve_norm=True)
    assert error() < 1e-12


def test_hidden_actions_are_those_of_the_features():
    subject = ct_subject(3, (4, 8, 8), seed=0)
    subject.binding.project_(preserve_norm=True)
    modules, x = dict(subject.model.named_modules()), torch.rand(1, 3, 17, 17)
    g = GROUP.generators[0]
    seen = []
    hooks = [modules[name].register_forward_hook(lambda m, a, y: seen.append(y)) for name in subject.hidden]
    subject.model(x)
    subject.model(subject.act_in(g, x))
    for hook in hooks:
        hook.remove()
    still, moved = seen[: len(hooks)], seen[len(hooks) :]
    for name, before, after in zip(subject.hidden, still, moved, strict=True):
        torch.testing.assert_close(subject.hidden[name](g, before), after, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("inputs", [2, 3])
def test_e2cnn_builds_the_same_layers_exactly_equivariant(inputs):
    subject, ours = e2cnn_subject(inputs, (4, 8, 12), 0), ct_subject(inputs, (4, 8, 12), 0)
    x = torch.rand(2, inputs, 17, 17, generator=torch.Generator().manual_seed(0))
    shapes = []
    for model in (subject.model, ours.model):
        for name, layer in model.named_children():
            layer.register_forward_hook(lambda _, __, y, name=name: shapes.append((name, y.shape)))
        model(x)
    assert len(shapes) == 16
    assert shapes[:8] == shapes[8:]

    def error():
        return float(equivariance_error(subject.model, subject.act_in, subject.act_out, x, group=GROUP))

    def correction():
        with torch.no_grad():
            return float((subject.model(x) - x[:, :1]).norm())

    assert correction() < 0.01 * float(x[:, :1].norm())
    with torch.no_grad():
        # As large as the other layers, so that the error is not that of the image which is corrected.
        subject.model.leave.convolution.weights.mul_(1 / LAST_SCALE)
    assert error() < 1e-5
    assert correction() > 0.05 * float(x[:, :1].norm())
    assert sum(p.numel() for p in subject.model.parameters()) < sum(p.numel() for p in ours.model.parameters()) / 2
    assert not subject.binding.entries
    again, other = (e2cnn_subject(inputs, (4, 8, 12), seed).model.middle.convolution.weights for seed in (0, 1))
    assert torch.equal(subject.model.middle.convolution.weights, again)
    assert not torch.equal(again, other)


def test_metal_is_left_alone():
    network = CorrectionNetwork(2, (4, 4, 4), torch.Generator().manual_seed(0))
    x = torch.rand(1, 2, 17, 17)
    x[:, 1] = (x[:, 1] > 0.8).float()
    output = network(x)
    changed = output != x[:, :1]
    assert not changed[x[:, 1:] > 0].any()
    assert changed[x[:, 1:] == 0].any()
    with pytest.raises(ArgumentError, match="multiples of 4"):
        CorrectionNetwork(2, (4, 6, 4))


# -- scores -----------------------------------------------------------------------------------------------------------


def test_scores_count_outside_the_metal_alone():
    generator = torch.Generator().manual_seed(0)
    y = 2 * torch.rand(3, 1, 15, 15, generator=generator)
    metal = torch.zeros(3, 1, 15, 15)
    metal[:, :, 4:6, 4:6] = 1
    pairs = CtPairs(torch.cat([y, metal], 1), y)
    spoilt = torch.where(metal > 0, 5.0, y)
    assert mean_ssim(spoilt, pairs) == pytest.approx(1)
    assert mean_psnr(spoilt, pairs) == float("inf")
    shifted = (y + 0.02).clamp(0, 2)
    expected = -10 * np.log10(np.square((shifted - y)[metal == 0].view(3, -1).numpy()).mean(1) / 4)
    assert psnr(shifted, pairs).numpy() == pytest.approx(expected, rel=1e-4)
    assert mean_ssim(shifted, pairs) < 1


def test_the_sample_has_the_median_artefact():
    y = torch.ones(3, 1, 9, 9)
    artefacts = y + torch.tensor([0.3, 0.1, 0.2]).view(3, 1, 1, 1)
    pairs = CtPairs(torch.cat([y, artefacts, 0 * y], 1), y)
    assert sample_index(pairs) == 2
    assert (sample_image(sample_text(artefacts[:1])) - artefacts[:1]).abs().max() < 0.004
    assert len(sample_text(torch.full((1, 1, 9, 9), float("nan")))) > 0


# -- runs -------------------------------------------------------------------------------------------------------------


def test_a_run_gives_what_tables_need_and_the_same_again():
    settings = {"condition": LI, "method": "plain", "seed": 0, "strength": None, "learning_rate": 1e-3, "device": "cpu"}
    result = run_ct({**settings, **TINY})
    again = run_ct({**settings, **TINY})
    for name in ("validation_loss", "psnr", "ssim", "psnr_turned", "equivariance_error", "relative_residual", "chance"):
        assert np.isfinite(result[name])
        assert result[name] == again[name]
    assert result["held_out"] == "torso"
    assert result["parameters"] == sum(p.numel() for p in ct_subject(3, (4, 4, 4), 0).model.parameters())
    assert result["peak_memory"] > 4 * 65 * 65 * 4
    variants = result["variants"]
    assert set(variants) == {"train_then_project", "orbit_averaging"}
    for variant in variants.values():
        assert variant["equivariance_error"] < 1e-5 < result["equivariance_error"]
        assert variant["psnr"] == pytest.approx(variant["psnr_turned"], abs=1e-3)
    assert variants["train_then_project"]["relative_residual"] == pytest.approx(0, abs=1e-6)
    assert variants["orbit_averaging"]["relative_residual"] == result["relative_residual"] > 0.5


@pytest.mark.parametrize("method", TRAINED)
def test_every_method_trains(method):
    strength = PLANS["cpu"].strengths.get(method, (None,))[0]
    trained = train(CtSettings(condition=LI, method=method, seed=1, strength=strength, **TINY))
    make = e2cnn_subject if method == "e2cnn" else ct_subject
    subject, before = trained.subject, make(3, (4, 4, 4), 1).model
    model = trained.method.finish()
    moved = [not torch.equal(a, b) for a, b in zip(subject.model.parameters(), before.parameters(), strict=True)]
    assert all(moved)
    if method in ("exact", "e2cnn"):
        x = trained.split.test.x
        assert float(equivariance_error(model, subject.act_in, subject.act_out, x, group=GROUP)) < 1e-5


def test_e2cnn_has_no_residual():
    settings = {"condition": LI, "method": "e2cnn", "seed": 0, **TINY}
    result, again = run_ct(settings), run_ct(settings)
    assert {"relative_residual", "chance", "variants"}.isdisjoint(result)
    assert result["validation_loss"] == again["validation_loss"]
    assert result["equivariance_error"] < 1e-5
    assert result["psnr"] == pytest.approx(result["psnr_turned"], abs=1e-3)
    assert result["parameters"] == sum(p.numel() for p in e2cnn_subject(3, (4, 4, 4), 0).model.parameters())
    assert run_ct(settings | {"learning_rate": 1e30}).keys() == result.keys()


def test_a_diverged_run_has_infinite_loss():
    result = run_ct({"condition": LI, "method": "plain", "seed": 0, "learning_rate": 1e30, **TINY})
    assert result["validation_loss"] == result["equivariance_error"] == float("inf")


def test_training_lowers_the_error():
    options = {"condition": LI, "seed": 0, "training": 12, "test": 3, "variants": 1, "every": 3}
    trained = run_ct({**options, "method": "exact", "widths": (4, 8, 8), "epochs": 6})
    interpolated, started = (run_ct({**options, "method": method}) for method in ("interpolation", "uncorrected"))
    assert trained["validation_loss"] < interpolated["validation_loss"] - 0.4
    assert interpolated["psnr"] > started["psnr"] + 5
    assert interpolated["psnr_turned"] == pytest.approx(interpolated["psnr"], abs=1e-4)


# -- task -------------------------------------------------------------------------------------------------------------


def test_budgets_are_equal_and_references_run_once():
    for size, plan in PLANS.items():
        tuned = {len(values) for values in plan.strengths.values()}
        assert tuned == {len(plan.learning_rates)}, size
        every = make_grid(plan, 2, "cpu")
        grid = [run for run, _ in at_the_usual_rate([(run, {}) for run in every], plan.own_rates)]
        count = {name: sum(run["method"] == name for run in grid) for name in plan.methods}
        once = 2 * len(plan.conditions)
        assert {count["uncorrected"], count["interpolation"]} == {once}
        assert {count[name] for name in TRAINED} == {once * len(plan.learning_rates)}
    assert set(PLANS["cpu"].methods) <= set(LABELS)
    assert PLANS["cpu"].seeds % len(SCANS) == 0


def test_the_task_writes_tables_conclusions_and_pictures(tmp_path):
    methods = ("uncorrected", "interpolation", "plain", "exact", "e2cnn", "penalty")
    runs = [(run, run_ct(run)) for run in TASK.grid("smoke") if run["method"] in methods]
    outcome = TASK.outcome(runs, {})
    assert [row.method for row in outcome.rows] == [name for name in LABELS if name in {r.method for r in outcome.rows}]
    found = conclusions(outcome.rows, LABELS)
    assert len(found) == 3
    assert "dB (one seed) against the network that e2cnn builds" in found[0]
    assert "LI-MAR alone has" in found[1]
    assert found[2].count("exactly equivariant, e2cnn") == 3
    assert list(LABELS)[list(LABELS).index("exact") + 1] == "e2cnn"
    library = next(row for row in outcome.record()["rows"] if row["method"] == "e2cnn")
    assert library["relative_residual"]["mean"] is None
    assert "torso" in found[1]
    pictures = draw(outcome.rows, tmp_path, LABELS)
    assert [name for name, _ in pictures] == ["slices_from_li_mar.png"]
    assert (tmp_path / pictures[0][0]).stat().st_size > 10_000
