"""The table of optimisers: it runs over every class of torch.optim, and what it says of them is a law."""

import json

import pytest

from benchmarks.optimizers.__main__ import main, markdown
from benchmarks.optimizers.classes import candidates
from benchmarks.optimizers.measure import EXACT


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("optimizers")
    return out, main(["--quick", "--packages", "torch.optim", "--out", str(out)])


def test_every_class_of_torch_is_exact_in_train_and_eval(run):
    _, rows = run
    assert {row["class"] for row in rows} >= {"SGD", "AdamW", "LBFGS", "Muon", "RAdam", "Adafactor", "SparseAdam"}
    for row in rows:
        assert "not run" not in row, row
        assert max(row["train"], row["eval"]) <= EXACT, row
        assert (row["hooks"], row["decays"]) == (1, 1), row


def test_drift_without_the_decay(run):
    """Entrywise adaptive steps leave the subspace of irreps, and permutations keep theirs."""
    rows = {row["class"]: row for row in run[1]}
    assert max(rows["SGD"]["permutations"], rows["SGD"]["irreps"], rows["Adam"]["permutations"]) < 1e-6
    assert min(rows[name]["irreps"] for name in ("Adam", "RMSprop", "Adagrad")) > 1e-3


def test_record_and_resuming(run, capsys):
    out, rows = run
    record = json.loads((out / "record.json").read_text(encoding="utf-8"))
    assert record["rows"] == rows
    table = (out / "README.md").read_text(encoding="utf-8")
    assert f"Of {len(rows)} classes {len(rows)} were run; {len(rows)} are exact in both modes." in table
    assert table.count("\n| ") == len(rows) + 2
    again = main(["--quick", "--packages", "torch.optim", "--out", str(out)])
    assert again == rows
    assert "15/" not in capsys.readouterr().err  # nothing was measured again


def test_what_was_not_run_is_named():
    (candidate, *_) = candidates(["torch.optim"])
    row = {"package": candidate.package, "version": "1", "class": "Odd", "lr": 0.1, "not run": "ValueError: no"}
    header = {"dim": 8, "seconds": 1.0, "command": "x", "packages": {"torch": "1"}}
    machine = dict.fromkeys(("date", "processor", "cores", "torch", "intertwine"), "?")
    assert "not run: `Odd` (ValueError: no)" in markdown([row], {**header, "machine": machine}, 5)
