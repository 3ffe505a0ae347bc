import json

import pytest

from experiments.comparison.own_rates import at_the_usual_rate
from experiments.comparison.selection import Row
from experiments.smoke.findings import conclusions, dial
from experiments.smoke.methods import ELSEWHERE, METHODS
from experiments.smoke.pictures import draw
from experiments.smoke.recipes import CONDITIONS, break_name
from experiments.smoke.task import DIAL_METHODS, LABELS, PLANS, TASK


def test_the_grid_has_what_makes_sense_and_equal_budgets():
    grid = TASK.grid("cpu")
    runs = [json.dumps(run, sort_keys=True) for run in grid]
    assert len(set(runs)) == len(runs) == 1830
    usual = [run for run, _ in at_the_usual_rate([(run, {}) for run in grid], PLANS["cpu"].own_rates)]
    assert len(usual) == 1770
    # Along the dial nothing has a learning rate of its own.
    assert {run["condition"] for run in grid if run not in usual} == {"rotation"}
    counts = {}
    for run in usual:
        key = run["condition"], run["method"], run["seed"]
        counts[key] = counts.get(key, 0) + 1
    assert set(counts.values()) == {3}
    assert {method for condition, method, _ in counts if condition == break_name(0.5)} == set(DIAL_METHODS)
    assert {method for condition, method, _ in counts if condition == "rotation"} == set(METHODS) - set(ELSEWHERE)
    assert set(PLANS["cpu"].conditions) == set(CONDITIONS)


def row(condition, method, rmse, strength=None, data_error=None, rate=6e-3):
    runs = tuple(
        {"rmse": value, "domain_rmse": value, "still_rmse": 1.0, "equivariance_error": 0.1, "data_error": data_error,
         "rmse_by_step": [value, 2 * value]}
        for value in rmse
    )  # fmt: skip
    seeds = tuple(range(len(rmse)))
    return Row(condition, method, seeds, tuple({"strength": strength, "learning_rate": rate} for _ in seeds), runs)


ROWS = [
    row("rotation", "plain", (0.5, 0.6)),
    row("rotation", "exact", (0.3, 0.4)),
    row("rotation", "e2cnn", (0.33, 0.41)),
    row("rotation", "penalty", (0.2, 0.31), 0.1),
    row("rotation", "relaxed_group", (0.5, 0.6)),
    row("rotation", "relaxed_group_penalty", (0.4, 0.5), 0.1),
    *(
        row(break_name(d), method, [value + shift for value in rmse], strength, data_error=1.1 * d)
        for d, shift in ((0.0, 0.0), (0.9, 0.1))
        for method, rmse, strength in (
            ("plain", (0.5, 0.6), None),
            ("exact", (0.3 + 2 * shift, 0.4 + 2 * shift), None),
            ("e2cnn", (0.32 + 2 * shift, 0.41), None),
            ("penalty", (0.4, 0.51 - shift), 1.0 if d == 0 else 0.01),
            ("decay", (0.37 + 2 * shift, 0.46 + 2 * shift), 10.0),
        )
    ),
]


def test_conclusions_say_who_wins_also_where_it_is_not_ours():
    rotation, winners, limits, strengths, relaxed = conclusions(ROWS, LABELS)
    assert "lowest penalty 0.255" in rotation
    assert "-0.295 ± 0.005 to plain" in rotation
    assert "-0.115 ± 0.015 to exactly equivariant, e2cnn" in rotation
    assert "by exactly equivariant at 0.00 (0.350 ± 0.050); penalty at 0.99 (0.505 ± 0.005)." in winners
    # At 0.00 e2cnn is 0.015 ± 0.005 behind the lowest, at 0.99 it is 0.06 ± 0.06.
    assert winners.endswith("by differences paired by seed: exactly equivariant, e2cnn at 0.99.")
    assert "penalty is ahead of both plain and exactly equivariant at 0.99, behind plain at none" in limits
    assert "behind exactly equivariant at 0.00; decay" in limits
    assert "decay is ahead of both plain and exactly equivariant at none, behind plain at 0.99" in limits
    assert "behind exactly equivariant at every level; the network" in limits
    assert "e2cnn is ahead of our exactly equivariant one at none, behind it at 0.00." in limits
    assert "penalty 1, 0.01; decay 10, 10." in strengths
    assert "relaxed group 0.550 ± 0.050, -0.100 ± 0.000 with the penalty" in relaxed
    assert "exactly equivariant 0.350 ± 0.050 (that of e2cnn 0.370 ± 0.040)" in relaxed
    assert dial(ROWS) == [("break 0", 0.0), ("break 0.9", pytest.approx(0.99))]


def test_conclusions_say_where_the_largest_learning_rate_was_the_best():
    def limits(rate):
        rows = [r if r.method != "e2cnn" else row(r.condition, "e2cnn", r.values("rmse"), rate=rate) for r in ROWS]
        return conclusions(rows, LABELS)[2]

    assert "in 4 of 4 runs validation gave it 0.018, the largest learning rate of any row" in limits(1.8e-2)
    assert "learning rate" not in limits(2e-3)


def test_conclusions_of_one_seed_name_no_standard_errors():
    alone = [row(r.condition, r.method, r.values("rmse")[:1], r.strengths[0], r.runs[0]["data_error"]) for r in ROWS]
    found = conclusions(alone, LABELS)
    assert len(found) == 4
    assert not any("standard error" in sentence for sentence in found)


def test_a_row_without_types_has_neither_residual_nor_chance_in_the_tables():
    with_types, without = (
        ({"condition": "rotation", "method": method, "seed": 0, "strength": None, "learning_rate": 1e-3},
         {"rmse": 0.1, "domain_rmse": 0.1, "validation_loss": 0.1, "equivariance_error": 0.1, "still_rmse": 1.0,
          "seconds_per_epoch": 1.0, "peak_memory": 10, "parameters": 5, "data_error": None} | residual)
        for method, residual in (("exact", {"relative_residual": 0.5, "chance": 0.9}), ("e2cnn", {}))
    )  # fmt: skip
    outcome = TASK.outcome([with_types, without], {})
    table = outcome.tables()[1]
    cells = [line[table.columns.index("relative residual / chance")] for line in table.rows]
    assert cells[0] == "0.500 / 0.900"
    assert not any(character.isdigit() for character in cells[1])
    assert "nan" not in cells[1]
    assert outcome.record()["rows"][1]["relative_residual"]["mean"] is None


def test_pictures_are_drawn_for_what_there_is(tmp_path):
    pytest.importorskip("matplotlib")
    assert [name for name, _ in draw(ROWS, tmp_path, LABELS)] == ["levels.png", "roll_out.png"]
    assert (tmp_path / "levels.png").stat().st_size > 10_000
    assert draw([r for r in ROWS if r.condition == "break 0"], tmp_path, LABELS) == []
