import json

import pytest

from intertwine.experiments.selection import Row
from intertwine.experiments.smoke import DIAL_METHODS, LABELS, PLANS, TASK
from intertwine.experiments.smoke_findings import conclusions, dial
from intertwine.experiments.smoke_methods import METHODS
from intertwine.experiments.smoke_pictures import draw
from intertwine.experiments.smoke_recipes import CONDITIONS, break_name


def test_the_grid_has_what_makes_sense_and_equal_budgets():
    grid = TASK.grid("cpu")
    runs = [json.dumps(run, sort_keys=True) for run in grid]
    assert len(set(runs)) == len(runs) == 855
    counts = {}
    for run in grid:
        key = run["condition"], run["method"], run["seed"]
        counts[key] = counts.get(key, 0) + 1
    assert set(counts.values()) == {3}
    assert {method for condition, method, _ in counts if condition == break_name(0.5)} == set(DIAL_METHODS)
    assert {method for condition, method, _ in counts if condition == "rotation"} == set(METHODS)
    assert set(PLANS["cpu"].conditions) == set(CONDITIONS)


def row(condition, method, rmse, strength=None, data_error=None):
    runs = tuple(
        {"rmse": value, "domain_rmse": value, "still_rmse": 1.0, "equivariance_error": 0.1, "data_error": data_error,
         "rmse_by_step": [value, 2 * value]}
        for value in rmse
    )  # fmt: skip
    seeds = tuple(range(len(rmse)))
    return Row(condition, method, seeds, tuple({"strength": strength} for _ in seeds), runs)


ROWS = [
    row("rotation", "plain", (0.5, 0.6)),
    row("rotation", "exact", (0.3, 0.4)),
    row("rotation", "penalty", (0.2, 0.31), 0.1),
    row("rotation", "relaxed_group", (0.5, 0.6)),
    row("rotation", "relaxed_group_penalty", (0.4, 0.5), 0.1),
    *(
        row(break_name(d), method, [value + shift for value in rmse], strength, data_error=1.1 * d)
        for d, shift in ((0.0, 0.0), (0.9, 0.1))
        for method, rmse, strength in (
            ("plain", (0.5, 0.6), None),
            ("exact", (0.3 + 2 * shift, 0.4 + 2 * shift), None),
            ("penalty", (0.4, 0.51 - shift), 1.0 if d == 0 else 0.01),
        )
    ),
]


def test_conclusions_say_who_wins_also_where_it_is_not_ours():
    rotation, levels, relaxed = conclusions(ROWS, LABELS)
    assert "lowest penalty 0.255" in rotation
    assert "-0.295 ± 0.005 to plain" in rotation
    assert "exactly equivariant at 0.00; penalty at 0.99" in levels
    assert "behind one of them by as much at 0.00" in levels
    assert "strengths of 1, 0.01" in levels
    assert "relaxed group 0.550 ± 0.050, -0.100 ± 0.000 with the penalty" in relaxed
    assert dial(ROWS) == [("break 0", 0.0), ("break 0.9", pytest.approx(0.99))]


def test_pictures_are_drawn_for_what_there_is(tmp_path):
    pytest.importorskip("matplotlib")
    assert [name for name, _ in draw(ROWS, tmp_path, LABELS)] == ["levels.png", "roll_out.png"]
    assert (tmp_path / "levels.png").stat().st_size > 10_000
    assert draw([r for r in ROWS if r.condition == "break 0"], tmp_path, LABELS) == []
