"""The table of where weights end under targets: it runs, and goes on with what is there."""

import json

import pytest

from benchmarks.targets.__main__ import main


def test_every_row_runs_and_a_second_call_trains_nothing_anew(tmp_path, capsys):
    pytest.importorskip("sklearn")
    main(["--quick", "--out", str(tmp_path)])
    first = capsys.readouterr()
    assert first.err.count("\n") == 12
    rows = [line for line in first.out.splitlines() if line.startswith(("| mlp", "| cnn"))]
    assert len(rows) == 12
    runs = json.loads((tmp_path / "runs.json").read_text())
    largest = {key: max(run["residuals"].values()) for key, run in runs.items()}
    assert all(value <= float(key.split()[2]) * 1.001 for key, value in largest.items())
    main(["--quick", "--out", str(tmp_path)])
    assert capsys.readouterr().out == first.out
