import dataclasses
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import intertwine as iw
from experiments.__main__ import application
from experiments.evidence import page as evidence
from experiments.evidence import sections as evidence_sections
from experiments.evidence.records import TaskRecord, cell, read_record, read_tasks
from experiments.evidence.runtime import runtime_section
from experiments.runs import reproduce
from tests.experiments.toy_task import TASK

ROOT = Path(__file__).parents[2]


@pytest.fixture
def checkout(monkeypatch, tmp_path):
    """A checkout with the record of the toy, under the names of two tasks."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('name = "intertwine"\n')
    for name in ("rings", "ct"):
        toy = dataclasses.replace(TASK, name=name)
        monkeypatch.setattr(reproduce, "experiment", lambda _, toy=toy: toy)
        assert reproduce.main(name, workers=1) == 0
    return tmp_path


def test_page_holds_what_the_records_hold(checkout):
    text = evidence.write_page(checkout).read_text()
    assert "| rings: case | score ↑ | 0.510 ± 0.006 |" in text
    assert "**0.810 ± 0.006**" in text
    assert "+0.300 ± 0.000" in text  # penalty over plain, seed by seed
    assert "-0.300 ± 0.000" in text  # train, then project
    assert "0.5: 0.310, 1: 0.810, 2: -0.190" in text
    assert "There is none by more than two standard errors." in text
    assert "(../../results/ct/error.png)" in text
    assert "6 rows." in text


def test_records_of_size_full_stand_apart(checkout, monkeypatch):
    assert "size full" not in evidence.write_page(checkout).read_text()
    toy = dataclasses.replace(TASK, name="ct", plans={**TASK.plans, "full": TASK.plans["cpu"]})
    monkeypatch.setattr(reproduce, "experiment", lambda _: toy)
    assert reproduce.main("ct", size="full", workers=1) == 0
    text = evidence.write_page(checkout).read_text()
    findings = text.split("## Findings at size full")[1].split("##")[0]
    assert (
        "(../../results/ct-full/README.md)** (`python -m experiments reproduce ct --size full --workers 1`)" in findings
    )
    assert "6 rows." in findings
    assert "results/rings-full" not in text
    assert text.count("| ct: case | score ↑ |") == text.count("| rings: case | score ↑ |")


def test_failures_are_found(checkout):
    path = checkout / "results" / "rings" / "record.json"
    record = json.loads(path.read_text())
    row = next(r for r in record["rows"] if (r["condition"], r["method"]) == ("case", "penalty"))
    row["score"] |= {"mean": 0.4}
    row["lead_over_plain"] |= {"mean": -0.11, "standard_error": 0.02}
    path.write_text(json.dumps(record))
    found = evidence_sections.failures(read_tasks(checkout / "results", ("rings", "ct")))
    assert found.rows == (("rings: case", "penalty", "score", "plain by 0.110 ± 0.020"),)
    row["lead_over_plain"] |= {"standard_error": 0.06}
    path.write_text(json.dumps(record))
    assert not evidence_sections.failures(read_tasks(checkout / "results", ("rings",))).rows


def test_missing_quantities_are_dashes():
    nothing = cell({}, "score")
    assert nothing.text() == "–"
    assert nothing.signed() == "–"
    one = {"score": {"mean": 0.5, "standard_error": None, "values": [0.5]}}
    assert cell(one, "score").signed() == "+0.500"


def test_broken_records_are_named(tmp_path):
    (tmp_path / "ct").mkdir()
    (tmp_path / "ct" / "record.json").write_text("{")
    with pytest.raises(iw.IntertwineError, match=r"record.json: expected a record in JSON"):
        read_record(tmp_path, "ct")
    assert read_record(tmp_path, "rings") is None


def test_best_goes_by_the_metric():
    rows = [{"condition": 0.0, "method": m, "e": {"mean": v, "standard_error": 0.1}} for m, v in [("a", 1), ("b", 2)]]
    metric = {"name": "e", "label": "e", "higher_is_better": False, "decimals": 2}
    record = TaskRecord("t", {"rows": rows, "metrics": [metric], "labels": {"a": "A", "b": "B"}})
    assert record.best(0.0) == "a"
    assert TaskRecord("t", record.data | {"metrics": [metric | {"higher_is_better": True}]}).best(0.0) == "b"


def test_the_committed_page_and_readme_are_those_of_the_committed_records():
    assert (ROOT / evidence.PAGE).read_text() == evidence.page(ROOT / "results")
    readme = (ROOT / "README.md").read_text()
    assert evidence.START in readme
    assert readme == evidence.with_table(readme, ROOT / "results")


def test_readme_gets_the_table_between_its_marks(checkout):
    text = f"before\n{evidence.START}\nold\n{evidence.END}\nafter\n"
    found = evidence.with_table(text, checkout / "results")
    assert found.startswith(f"before\n{evidence.START}\n| task: condition, metric | plain |")
    assert "| rings: case, score ↑ | 0.510 ± 0.006 | – | – | 0.210 ± 0.006 (train, then project) | **0.810" in found
    assert found.endswith(f"\n{evidence.END}\nafter\n")
    assert evidence.with_table(found, checkout / "results") == found
    assert evidence.with_table("no marks", checkout / "results") == "no marks"


def test_command(checkout, monkeypatch):
    result = CliRunner().invoke(application(), ["evidence"])
    assert result.exit_code == 0
    assert "index.md" in result.output
    monkeypatch.chdir(checkout / "docs")
    assert "a checkout with results/" in CliRunner().invoke(application(), ["evidence"]).output


def test_cost_section_shows_the_tables_of_the_record():
    table = {"title": "Added to a step", "columns": ["network", "penalty"], "rows": [["SO(3) MLP", "1.2 %"]]}
    record = {
        "command": "python -m experiments reproduce runtime",
        "conclusions": ["Cheap."],
        "tables": [table],
        "pictures": [{"name": "variance.png", "caption": "Noise"}],
    }
    text = "\n".join(runtime_section(record))
    assert "| SO(3) MLP | 1.2 % |" in text
    assert "### Added to a step" in text
    assert "![Noise](../../results/runtime/variance.png)" in text
    assert runtime_section(None) == []
