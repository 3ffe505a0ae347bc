import math

from experiments.comparison.own_rates import at_the_usual_rate
from experiments.comparison.selection import Row
from experiments.medical3d.e3nn import CONDITIONS, E3NN
from experiments.medical3d.findings import conclusions
from experiments.medical3d.model import ARCHITECTURES
from experiments.medical3d.task import LABELS, ONLY_IN, PLANS, TASK
from experiments.medical3d.training import (
    EQUAL_STRENGTHS,
    MedicalSettings,
    run_medical3d,
)
from experiments.runs.data_folder import DATA_VARIABLE


def test_every_method_has_the_same_budget_where_it_applies():
    for size in ("cpu", "full"):
        plan = PLANS[size]
        assert {len(values) for values in plan.strengths.values()} == {len(plan.learning_rates)}
    grid = TASK.grid("cpu")
    counts = {}
    for run, _ in at_the_usual_rate([(run, {}) for run in grid], PLANS["cpu"].own_rates):
        key = run["condition"], run["method"], run["seed"]
        counts[key] = counts.get(key, 0) + 1
    assert set(counts.values()) == {3}
    assert {run["seed"] for run in grid} == set(range(10, 15))  # others were looked at while it was made
    for condition in PLANS["cpu"].conditions:
        here = {run["method"] for run in grid if run["condition"] == condition}
        kind = ARCHITECTURES[condition].kind
        assert here == {m for m in PLANS["cpu"].methods if kind in ONLY_IN.get(m, (kind,))}
    assert set(PLANS["cpu"].methods) < set(LABELS)
    for size in ("smoke", "cpu", "full"):
        assert {run["condition"] for run in TASK.grid(size, 1) if run["method"] == E3NN} <= set(CONDITIONS)
    assert list(LABELS)[list(LABELS).index("exact") + 1] == E3NN


def test_other_data_sets_join_the_full_size_where_they_are_at_hand(tmp_path, monkeypatch):
    monkeypatch.setattr("experiments.medical3d.task.find_spec", lambda name: None)
    monkeypatch.setenv(DATA_VARIABLE, str(tmp_path))
    assert {run["condition"] for run in TASK.grid("full", 1)} == set(ARCHITECTURES)
    (tmp_path / "medmnist3d").mkdir()
    (tmp_path / "medmnist3d" / "organmnist3d.npz").write_bytes(b"")
    conditions = {run["condition"] for run in TASK.grid("full", 1)}
    assert conditions == set(ARCHITECTURES) | {f"organ: {name}" for name in ARCHITECTURES}
    chosen = MedicalSettings("organ: O(3) dense", "plain", 0, widths={"dense": 3})
    assert (chosen.data, chosen.network, chosen.width) == ("organ", "O(3) dense", 3)
    assert MedicalSettings("O(3) dense", "plain", 0).data == "adrenal"


def test_the_smoke_size_runs_and_is_drawn(tmp_path):
    some = {
        "octahedral regular": ("plain", "exact", "penalty", "sampled_operator"),
        "SO(3) gated": ("exact", E3NN, "penalty"),
    }
    runs = [
        (chosen, run_medical3d(chosen))
        for chosen in TASK.grid("smoke")
        if chosen["method"] in some.get(chosen["condition"], LABELS)
    ]
    for chosen, run in runs:
        assert math.isfinite(run["validation_loss"]), chosen
        if chosen["method"] == E3NN:
            assert "chance" not in run
        else:
            assert 0 < run["chance"] < 1
        assert run["peak_memory"] > 0
        assert run["parameters"] > 100
    by = {(chosen["condition"], chosen["method"]): run for chosen, run in runs}
    assert by["octahedral regular", "exact"]["equivariance_error"] < 1e-5
    assert by["octahedral regular", "plain"]["variants"]["orbit_averaging"]["equivariance_error"] < 1e-5
    assert by["octahedral regular", "plain"]["equivariance_error"] > 1e-3
    outcome = TASK.outcome(runs, {})
    assert {row.method for row in outcome.rows} == set(LABELS)
    assert len(outcome.conclusions) == 3
    (line,) = (line for line in outcome.tables()[1].rows if line[0] == LABELS[E3NN])
    assert "nan" not in " ".join(line)
    ((name, _),) = TASK.pictures(outcome.rows, outcome.curves, tmp_path)
    assert (tmp_path / name).stat().st_size > 1000


def row(method, auc, **more):
    runs = tuple({"test_auc": value, "rotation_error": 0.2, **more} for value in auc)
    seeds = tuple(range(len(auc)))
    return Row("SO(3) dense", method, seeds, tuple({"strength": None} for _ in auc), runs)


def test_conclusions_follow_the_rows_also_against_us():
    rows = [row("plain", (0.8, 0.82)), row("weight_decay", (0.7, 0.75)), row("penalty", (0.7, 0.73))]
    rows.append(row("exact", (0.6, 0.63), projected_error=0.4, breaker="norm1 (BatchNorm3d)"))
    limits, projected, controls = conclusions(rows)
    assert "against plain: behind at SO(3) dense (-0.095 ± 0.005)" in limits
    assert "against exactly equivariant: ahead at SO(3) dense (+0.100 ± 0.000)" in limits
    assert "SO(3) dense 4.0e-01" in projected
    assert "broken first by norm1 (BatchNorm3d)" in projected
    assert "weight decay, which knows of no group: no clear difference at SO(3) dense." in controls
    assert "lambda_G" not in controls
    assert (
        "+0.050 ± 0.000 over lambda_perp alone (ahead)" in conclusions([*rows, row(EQUAL_STRENGTHS, (0.75, 0.78))])[-1]
    )
    assert conclusions([row("plain", (0.8, 0.82))]) == []


def test_conclusions_set_exact_beside_the_network_of_e3nn():
    rows = [row("plain", (0.8, 0.82)), row("penalty", (0.7, 0.73)), row("exact", (0.6, 0.63), projected_error=2e-7)]
    assert "e3nn" not in " ".join(conclusions(rows))
    limits, projected = conclusions([*rows, row(E3NN, (0.5, 0.52), equivariance_error=3e-7)])
    assert "against the network that e3nn makes: ahead at SO(3) dense (+0.205 ± 0.005)" in limits
    assert "itself against the network that e3nn makes: ahead at SO(3) dense (+0.105 ± 0.005)." in limits
    assert "that of e3nn's as it is made 3.0e-07" in projected
