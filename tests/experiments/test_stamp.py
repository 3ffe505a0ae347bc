import json

import pytest

from experiments.runs import reproduce, stamp
from experiments.runs.code_version import code_version
from experiments.runs.record import write_record
from intertwine.errors import ArgumentError
from tests.experiments.toy_task import TASK


@pytest.fixture
def record(monkeypatch, tmp_path):
    """The toy's record in a checkout, made by other code."""
    monkeypatch.chdir(tmp_path)
    for module in (reproduce, stamp):
        monkeypatch.setattr(module, "experiment", lambda name: TASK)
    runs = [(settings, TASK.run(settings)) for settings in TASK.grid("cpu")]
    outcome = TASK.outcome(runs, {"code": code_version(TASK.run) | {"decay": "other"}})
    path = tmp_path / "results" / "toy" / "record.json"
    write_record(path, outcome.record())
    return path


def change(path, edit):
    content = json.loads(path.read_text())
    edit(content)
    path.write_text(json.dumps(content))


def shift(factor):
    def edit(content):
        row = next(row for row in content["rows"] if row["method"] == "penalty")
        row["score"]["values"] = [factor * value for value in row["score"]["values"]]

    return edit


def test_a_record_whose_numbers_come_back_is_fresh_again(record, capsys):
    assert reproduce.record_state(TASK, record.parents[2]) == "stale: decay"
    assert stamp.stamp("toy", seeds=2) == 0
    assert reproduce.record_state(TASK, record.parents[2]) == "fresh"
    found = json.loads(record.read_text())["stamp"]
    assert found["compared"].startswith("20 of 20 numbers of 4 runs equal to 6 digits")
    assert found["runs"] == [f"0.0, {method}, seed {seed}" for method in ("penalty", "plain") for seed in (0, 1)]
    assert "toy: stamped." in capsys.readouterr().out


def test_what_is_nearly_equal_says_how_nearly(record):
    change(record, shift(1 + 5e-4))
    assert stamp.stamp("toy") == 0
    assert "9 of 10 numbers of 2 runs equal to 6 digits, the others to 5.0e-04" in record.read_text()


def test_a_record_whose_numbers_do_not_come_back_stays_as_it_is(record, capsys):
    change(record, shift(1.01))
    before = record.read_text()
    assert stamp.stamp("toy") == 1
    assert record.read_text() == before
    printed = " ".join(capsys.readouterr().out.split())
    assert "0.0, penalty, seed 0: score 0.808 in the record, 0.8 now" in printed
    assert "not stamped" in printed


def test_a_number_that_is_there_on_one_side_alone_is_a_difference(record):
    change(record, lambda content: content["rows"][0]["score"].update(values=[None] * 3))
    assert stamp.stamp("toy") == 1


def test_records_without_methods_are_refused(record):
    change(record, lambda content: content.pop("metrics"))
    with pytest.raises(ArgumentError, match="expected a record of methods"):
        stamp.stamp("toy")


def test_other_data_than_the_records_are_refused(record, monkeypatch):
    monkeypatch.delenv("INTERTWINE_DATA", raising=False)
    change(record, lambda content: content.update(command="python -m experiments reproduce toy --data FOLDER"))
    with pytest.raises(ArgumentError, match="data: expected the data that the record was made with"):
        stamp.stamp("toy")
