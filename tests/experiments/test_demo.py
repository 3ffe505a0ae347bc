import importlib.util
import json

import pytest

import intertwine as iw
from experiments.demo import demo
from experiments.demo.digits_training import METHODS
from experiments.demo.pages import copy_record
from experiments.demo.plan import DEFAULT, FULL, REFERENCE, SMOKE

FILES = {"README.md", "accuracy.png", "error.png", "record.json", "report.html"}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    assert demo.main(smoke=True, out=folder) == 0
    return folder


def test_smoke_writes_everything(out):
    assert {path.name for path in out.iterdir()} == FILES | {"runs.jsonl"}
    for name in ("accuracy.png", "error.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    page = (out / "report.html").read_text()
    assert page.count("data:image/png;base64,") == 2
    assert "http://" not in page
    assert "https://" not in page
    assert page.count("<script") == 1
    assert "Layers of the network of decay" in page
    assert "2.weight" in page


def test_record(out):
    record = json.loads((out / "record.json").read_text(), parse_constant=pytest.fail)
    assert record["experiment"] == "demo"
    assert record["schema"] == 1
    assert record["command"] == f"python -m experiments demo --smoke --out {out}"
    assert record["seeds"] == [0, 1]
    assert record["fractions"] == [0.0, 0.1]
    assert record["date"].endswith("+00:00")
    assert {"torch", "scikit-learn", "intertwine", "processor", "cores"} <= set(record["environment"])
    assert record["chance"] == pytest.approx(0.866, abs=1e-3)
    assert {(row["fraction"], row["method"]) for row in record["rows"]} == {(f, m) for f in (0.0, 0.1) for m in METHODS}
    for row in record["rows"]:
        for name in ("test_accuracy", "equivariance_error", "relative_residual", "seconds"):
            summary = row[name]
            assert len(summary["values"]) == 2
            assert summary["mean"] == pytest.approx(sum(summary["values"]) / 2, rel=1e-4, abs=1e-12)
            apart = abs(summary["values"][0] - summary["values"][1])
            assert summary["standard_error"] == pytest.approx(apart / 2, rel=1e-2, abs=1e-5)
        assert all((s is None) != METHODS[row["method"]].tuned for s in row["strengths"])
    assert len(record["every_strength"]) == 2 * 5 * 2
    assert record["trainings"] == 2 * 2 * (5 + 5 * 2)
    assert record["trainings_from_cache"] == 0
    assert [verdict["method"] for verdict in record["claim"]["verdicts"]] == ["decay", "penalty"]
    assert len(record["conclusions"]) == 3


def test_the_page_says_what_the_record_says(out):
    record, page = json.loads((out / "record.json").read_text()), (out / "README.md").read_text()
    assert record["command"] in page
    for sentence in [*record["conclusions"], *record["claim"]["text"], *record["notes"]]:
        assert sentence in page
    best = max(record["rows"], key=lambda row: (row["fraction"], row["test_accuracy"]["mean"]))["test_accuracy"]
    assert f"**{best['mean']:.3f} ± {best['standard_error']:.3f}**" in page
    assert "![" in page
    assert "(accuracy.png)" in page
    assert "(error.png)" in page


def test_a_second_call_resumes_and_fresh_does_not(out, capsys, monkeypatch):
    before = json.loads((out / "record.json").read_text())
    assert demo.main(smoke=True, out=out) == 0
    printed = capsys.readouterr().out
    assert "60 of 60 trainings are in the cache" in printed
    assert [line for line in printed.splitlines() if line][-1] == str(out / "report.html")
    after = json.loads((out / "record.json").read_text())
    assert after["rows"] == before["rows"]
    assert after["trainings_from_cache"] == 60

    def stop(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run_digits", stop)
    assert demo.main(smoke=True, out=out, fresh=True) == 130
    assert "0 of 60 trainings are kept" in capsys.readouterr().out


def test_interruption_says_how_to_resume(tmp_path, capsys, monkeypatch):
    count = 0

    def run(settings):
        nonlocal count
        count += 1
        if count > 3:
            raise KeyboardInterrupt
        return {"test_accuracy": 0.5}

    monkeypatch.setattr(demo, "run_digits", run)
    assert demo.main(smoke=True, out=tmp_path, fresh=True, workers=1) == 130
    printed = capsys.readouterr().out
    assert f"Interrupted: 3 of 60 trainings are kept in {tmp_path / 'runs.jsonl'}" in printed
    assert f"Resume with: python -m experiments demo --smoke --out {tmp_path} --workers 1" in printed
    assert len((tmp_path / "runs.jsonl").read_text().splitlines()) == 3


def test_the_convolutional_network_has_its_own_folder(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert demo.main(model="cnn", smoke=True) == 0
    folder = tmp_path / "runs" / "demo-cnn"
    assert {path.name for path in folder.iterdir()} == FILES | {"runs.jsonl"}
    record = json.loads((folder / "record.json").read_text())
    assert record["command"] == "python -m experiments demo --model cnn --smoke"
    assert record["settings"]["model"] == "cnn"
    assert "convolutional network" in (folder / "README.md").read_text()


def test_refusals(tmp_path, monkeypatch):
    with pytest.raises(iw.errors.UnknownNameError, match="model: expected one of mlp, cnn; got 'rnn'"):
        demo.main(model="rnn", smoke=True, out=tmp_path)
    with pytest.raises(iw.errors.ArgumentError, match="smoke: expected not together with full"):
        demo.main(full=True, smoke=True, out=tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(iw.errors.ArgumentError, match="out: expected a folder that can be written to"):
        demo.main(smoke=True, out=tmp_path / "file")
    find = importlib.util.find_spec
    monkeypatch.setattr(demo, "find_spec", lambda name: None if name == "sklearn" else find(name))
    with pytest.raises(iw.errors.MissingExtraError, match=r"sklearn.*intertwine\[demo\]"):
        demo.main(smoke=True, out=tmp_path)


def test_a_checkout_gets_the_record(tmp_path, out):
    assert demo._checkout(tmp_path, "demo") is None
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "other"\n')
    assert demo._checkout(tmp_path, "demo") is None
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "intertwine"\n')
    assert demo._checkout(tmp_path, "demo") == tmp_path / "results" / "demo"


def test_the_record_is_copied_without_the_page(tmp_path, out):
    page = copy_record(out, tmp_path / "results" / "demo")
    assert {path.name for path in page.parent.iterdir()} == FILES - {"report.html"}
    assert page.read_text() == (out / "README.md").read_text()


@pytest.mark.parametrize("plan", [DEFAULT, FULL, SMOKE])
def test_plans(plan):
    assert REFERENCE in plan.fractions
    tuned = {name for name, method in METHODS.items() if method.tuned}
    assert set(plan.strengths) == tuned
    assert len({len(strengths) for strengths in plan.strengths.values()}) == 1  # the same tuning for all
    grid = plan.grid()
    assert len({json.dumps(settings, sort_keys=True) for settings in grid}) == len(grid)


def test_the_full_plan_covers_the_default_strengths():
    assert FULL.fractions == (0, 0.05, 0.1, 0.2, 0.5, 1)
    assert FULL.num_seeds >= 5
    assert all(set(DEFAULT.strengths[name]) <= set(FULL.strengths[name]) for name in FULL.strengths)
