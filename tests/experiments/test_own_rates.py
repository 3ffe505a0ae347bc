"""Methods with a learning rate of their own: they never enter the rows of the table."""

import json

import pytest

from experiments.comparison.metric import Metric
from experiments.comparison.own_rates import at_the_usual_rate, own_rate_table, own_rates
from experiments.comparison.selection import rows_by_strength, select
from experiments.comparison.task import TaskPlan

ACCURACY = Metric("accuracy", "accuracy", higher_is_better=True)
LABELS = {"exact": "exactly equivariant", "decay": "decay"}
PLAN = TaskPlan(
    conditions=("case",),
    methods=("exact", "decay", "penalty"),
    seeds=2,
    strengths={"decay": (1.0, 10.0), "penalty": (1.0, 10.0)},
    learning_rates=(0.1, 1.0, 10.0),
    own_rates=("decay",),
)


def finished():
    """Runs whose validation likes rate 10 for decay and whose test gains 0.1 by it; seeds differ by 0.01."""
    runs = []
    for settings in PLAN.grid(PLAN.seeds, "cpu"):
        gain = 0.1 * (settings["method"] == "decay" and settings["learning_rate"] == 10)
        loss = 1.0 - gain + 0.01 * (settings["strength"] == 10)
        runs.append((settings, {"validation_loss": loss, "accuracy": 0.5 + gain + 0.01 * settings["seed"]}))
    return runs


def test_the_plan_tries_every_rate_for_these_methods_alone():
    tried = {m: [(c["strength"], c["learning_rate"]) for c in PLAN.configurations(m)] for m in PLAN.methods}
    assert tried["decay"] == [(s, rate) for rate in (1.0, 0.1, 10.0) for s in (1.0, 10.0)]
    assert tried["penalty"] == [(1.0, 1.0), (10.0, 1.0)]
    assert len(tried["exact"]) == 3


def test_rows_of_the_table_know_the_usual_rate_alone():
    usual = at_the_usual_rate(finished(), ["decay"])
    rows = {row.method: row for row in select(rows_by_strength(usual, "condition"))}
    assert rows["decay"].learning_rates == (1.0, 1.0)
    assert rows["decay"].values("accuracy") == (0.5, 0.51)
    assert len({s["learning_rate"] for s, _ in usual if s["method"] == "exact"}) == 3


def test_gain_and_lead_are_paired_by_seed():
    runs = finished()
    rows = select(rows_by_strength(at_the_usual_rate(runs, ["decay"]), "condition"))
    (found,) = own_rates(runs, ["decay"], rows)
    assert found.row.learning_rates == (10.0, 10.0)
    assert found.gain(ACCURACY).mean == pytest.approx(0.1)
    assert found.gain(ACCURACY).standard_error == pytest.approx(0, abs=1e-12)
    assert found.over_exact(ACCURACY).mean == pytest.approx(0.1)
    lower = Metric("accuracy", "error", higher_is_better=False)
    assert found.gain(lower).mean == pytest.approx(-0.1)
    table = own_rate_table([found], LABELS, ACCURACY, "data")
    assert table.rows[0][:4] == ("decay: case", "0.505 ± 0.005", "0.605 ± 0.005", "+0.100 ± 0.000 (ahead)")
    assert json.dumps(table.rows)


def test_methods_with_one_rate_have_no_second_look():
    runs = [(s, r) for s, r in finished() if s["learning_rate"] == 1.0]
    rows = select(rows_by_strength(runs, "condition"))
    assert own_rates(runs, ["decay"], rows) == []
    assert at_the_usual_rate(runs, ["decay", "absent"]) == runs
