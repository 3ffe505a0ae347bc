import json
import math

import pytest

import intertwine as iw
from experiments.comparison.selection import Row
from experiments.rotmnist.data import load_split
from experiments.rotmnist.e2cnn import e2cnn_subject
from experiments.rotmnist.findings import conclusions
from experiments.rotmnist.model import (
    digits_subject,
    network,
)
from experiments.rotmnist.pictures import dial_rows, leads
from experiments.rotmnist.task import LABELS, PLANS, TASK, TRAINED, applies
from experiments.rotmnist.training import RotmnistSettings, parse_condition, run_rotmnist
from experiments.runs.record import provenance

SMALL = {"source": "shipped", "side": 14, "training": 60, "validation": 60, "test": 60, "widths": [8, 16, 16],
         "epochs": 2, "batch_size": 30}  # fmt: skip


def settings(method, condition="C4, 10 %", strength=None, seed=0, **options):
    plan = {"condition": condition, "method": method, "seed": seed, "strength": strength, "learning_rate": 0.01}
    return plan | SMALL | options


def split(fraction, seed=0, **options):
    sizes = {"training": 200, "validation": 100, "test": 300, "side": 14, "source": "shipped"}
    return load_split(fraction, seed, **(sizes | options))


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
