import json
import math

import pytest
from typer.testing import CliRunner

import intertwine as iw
from experiments.__main__ import application
from experiments.comparison.lone_seeds import lone_seed, lone_seed_note
from experiments.comparison.strength_edges import edge_note
from experiments.runs import experiment as experiments
from experiments.runs import reproduce
from experiments.runs.experiment import NAMES, SIZES, experiment, missing_packages
from tests.experiments.toy_task import TASK


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """The toy in place of the real experiments, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(reproduce, "experiment", lambda name: TASK)
    monkeypatch.setattr(reproduce, "NAMES", ("toy",))
    return tmp_path


def test_grid_gives_every_method_the_same_number_of_configurations():
    grid = TASK.grid("cpu")
    assert len(grid) == 2 * 2 * 3 * 3
    tried = {}
    for settings in grid:
        key = (settings["method"], settings["condition"], settings["seed"])
        tried.setdefault(key, []).append((settings["strength"], settings["learning_rate"]))
    assert tried["plain", "case", 0] == [(None, 0.05), (None, 0.1), (None, 0.2)]
    assert tried["penalty", 0.0, 2] == [(0.5, 0.1), (1.0, 0.1), (2.0, 0.1)]
    assert len(TASK.grid("cpu", seeds=1)) == 12


def test_outcome_chooses_by_validation_and_orders_rows_as_the_labels():
    runs = [(settings, TASK.run(settings)) for settings in TASK.grid("cpu")]
    rows = TASK.outcome(runs, {}).rows
    assert [(row.condition, row.method) for row in rows] == [
        (c, m) for c in (0.0, "case") for m in ("plain", "train_then_project", "penalty")
    ]
    assert rows[2].strengths == (1.0, 1.0, 1.0)
    assert rows[0].learning_rates == (0.1, 0.1, 0.1)
    assert rows[2].summary("score").mean == pytest.approx(0.81)
    assert rows[1].summary("score").mean == pytest.approx(0.21)


def test_ends_of_ranges_are_named():
    runs = [(settings, TASK.run(settings)) for settings in TASK.grid("cpu")]
    assert edge_note(TASK.outcome(runs, {}).rows, TASK.outcome(runs, {}).curves, TASK.labels) == ""
    weaker = [(settings, run) for settings, run in runs if settings["strength"] != 2.0]
    found = TASK.outcome(weaker, {})
    assert "the strongest for penalty (0), penalty (case)." in edge_note(found.rows, found.curves, TASK.labels)
    assert "the strongest for penalty (0), penalty (case)." in found.all_notes[-1]


def test_lone_seeds_are_named():
    runs = [(settings, TASK.run(settings)) for settings in TASK.grid("cpu", seeds=5)]
    assert "One seed" not in " ".join(TASK.outcome(runs, {}).all_notes)
    for settings, run in runs:
        if settings["method"] == "penalty" and settings["condition"] == "case" and settings["seed"] == 3:
            run["score"] -= 0.5
    found = TASK.outcome(runs, {})
    note = lone_seed_note(found.rows, TASK.labels, TASK.metrics[0])
    assert note.endswith("without it: penalty (case): seed 3 0.330, others 0.800 to 0.840.")
    assert found.all_notes[-1] == note
    for values in ([0.3, math.nan, 0.3, 0.3, 0.3], [0.3, math.inf, 0.3, 0.3, 0.3], [0.3] * 5, [0.3, 0.3, 0.3, 9.0]):
        assert lone_seed(values) is None


def test_writes_everything_and_resumes(toy, capsys):
    assert reproduce.main("toy", workers=1) == 0
    out = toy / "runs" / "toy-cpu"
    assert {path.name for path in out.iterdir()} == {
        "record.json", "README.md", "error.png", "time.png", "report.html", "runs.jsonl",
    }  # fmt: skip
    record = json.loads((out / "record.json").read_text(), parse_constant=pytest.fail)
    assert record["command"] == "python -m experiments reproduce toy --size cpu --workers 1"
    assert record["runs_from_cache"] == 0
    assert record["seeds"] == [0, 1, 2]
    assert record["device"] == "cpu"
    lead = next(row for row in record["rows"] if row["method"] == "penalty")["lead_over_plain"]
    assert lead["mean"] == pytest.approx(0.3)
    page = (out / "README.md").read_text()
    assert "**0.810 ± 0.006**" in page
    assert "0.200 ± 0.000 / 0.900" in page
    assert reproduce.main("toy", workers=1) == 0
    assert json.loads((out / "record.json").read_text())["runs_from_cache"] == 36
    assert "36 of 36 runs are in the cache" in capsys.readouterr().out
    assert not (toy / "results").exists()  # no checkout


def test_a_checkout_keeps_the_record_until_the_code_changes(toy, monkeypatch):
    (toy / "pyproject.toml").write_text('name = "intertwine"\n')
    assert reproduce.record_state(TASK, toy) == "none"
    reproduce.main("toy", workers=1, seeds=2)  # not the seeds that the record claims
    assert not (toy / "results").exists()
    reproduce.main("toy", workers=1)
    kept = toy / "results" / "toy"
    assert {path.name for path in kept.iterdir()} == {"record.json", "README.md", "error.png", "time.png"}
    assert reproduce.record_state(TASK, toy) == "fresh"
    assert reproduce.run_all(stale=True) == 0
    record = json.loads((kept / "record.json").read_text())
    (kept / "record.json").write_text(json.dumps(record | {"code": record["code"] | {"decay": "other"}}))
    assert reproduce.record_state(TASK, toy) == "stale: decay"


def test_every_choice_can_be_made_again_from_the_record(toy):
    reproduce.main("toy", workers=1)
    record = json.loads((toy / "runs" / "toy-cpu" / "record.json").read_text())
    for row in record["rows"]:
        tried = [
            c
            for c in record["every_configuration"]
            if (c["condition"], c["method"]) == (row["condition"], row["method"])
        ]
        assert len(tried) == 3
        for i, seed in enumerate(row["seeds"]):
            assert all(c["seeds"][i] == seed for c in tried)
            best = min(tried, key=lambda c: c["validation_loss"]["values"][i])
            assert (best["strength"], best["learning_rate"]) == (row["strengths"][i], row["learning_rates"][i])
            assert best["score"]["values"][i] == pytest.approx(row["score"]["values"][i], rel=1e-4)


def test_interrupted_runs_are_kept(toy, monkeypatch, capsys):
    def interrupted(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(reproduce, "run_grid", interrupted)
    assert reproduce.main("toy") == 130
    assert "Resume with: python -m experiments reproduce toy --size cpu" in capsys.readouterr().out


def test_wrong_arguments_are_named(toy, tmp_path):
    with pytest.raises(iw.errors.UnknownNameError, match="size: expected one of smoke, cpu"):
        reproduce.main("toy", size="huge")
    with pytest.raises(iw.errors.ArgumentError, match="data: expected a folder"):
        reproduce.main("toy", data=tmp_path / "nothing")
    with pytest.raises(iw.errors.UnknownNameError, match="size"):
        reproduce.main("toy", size="full")
    with pytest.raises(iw.errors.UnknownNameError, match="name: expected one of rings"):
        experiment("nothing")
    (toy / "file").write_text("")
    with pytest.raises(iw.errors.ArgumentError, match="out: expected a folder"):
        reproduce.main("toy", out=toy / "file")


def test_command_line():
    runner, app = CliRunner(), application()
    result = runner.invoke(app, ["reproduce"])
    assert result.exit_code == 2
    assert "--list shows the names" in result.output
    assert runner.invoke(app, ["reproduce", "rings", "--all"]).exit_code == 2
    listed = runner.invoke(app, ["reproduce", "--list"])
    assert listed.exit_code == 0
    for name in NAMES:
        assert name in listed.output


@pytest.mark.parametrize("name", NAMES)
def test_experiments_keep_the_protocol(name):
    task = experiment(name)
    assert task.name == name
    assert task.summary
    assert set(task.num_seeds) == set(SIZES)
    for size in SIZES:
        grid = task.grid(size)
        assert len({json.dumps(settings, sort_keys=True) for settings in grid}) == len(grid)
    assert missing_packages(task) == [p for p in task.packages if experiments.find_spec(p) is None]


@pytest.mark.parametrize("name", NAMES)
def test_smoke(name, tmp_path, monkeypatch):
    task = experiment(name)
    if missing_packages(task):
        pytest.skip(f"needs {', '.join(missing_packages(task))}")
    monkeypatch.setenv("INTERTWINE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("INTERTWINE_DATA", raising=False)
    monkeypatch.chdir(tmp_path)
    assert reproduce.main(name, size="smoke") == 0
    out = tmp_path / "runs" / f"{name}-smoke"
    record = json.loads((out / "record.json").read_text(), parse_constant=pytest.fail)
    assert record["experiment"] == name
    assert (out / "README.md").read_text().startswith("# ")
