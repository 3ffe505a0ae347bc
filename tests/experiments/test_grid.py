import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from experiments.runs.grid import available_cores, run_grid
from experiments.runs.run_cache import RunCache

GRID = [{"seed": seed} for seed in range(6)]


def square(settings):
    return {"square": settings["seed"] ** 2, "threads": torch.get_num_threads(), "process": os.getpid()}


def interrupted_at_three(settings):
    if settings["seed"] == 3:
        raise KeyboardInterrupt
    return square(settings)


def failing_at_three(settings):
    if settings["seed"] == 3:
        raise ValueError("no third run")
    return square(settings)


def squares(result):
    return [run["square"] for _, run in result.runs]


def test_runs_and_resumes(tmp_path):
    cache = RunCache(tmp_path / "deep" / "runs.jsonl", "1")
    threads = torch.get_num_threads()
    result = run_grid(square, GRID, cache=cache, workers=1)
    assert squares(result) == [0, 1, 4, 9, 16, 25]
    assert (result.resumed, result.workers) == (0, 1)
    assert all(run["threads"] == 1 for _, run in result.runs)
    assert torch.get_num_threads() == threads
    # A new object reads the file; a run that were called would fail.
    again = run_grid(failing_at_three, GRID, cache=RunCache(tmp_path / "deep" / "runs.jsonl", "1"), workers=1)
    assert squares(again) == squares(result)
    assert again.resumed == 6


def test_another_version_or_other_settings_run_anew(tmp_path):
    path = tmp_path / "runs.jsonl"
    run_grid(square, GRID, cache=RunCache(path, "1"), workers=1)
    assert run_grid(square, GRID, cache=RunCache(path, "2"), workers=1).resumed == 0
    assert run_grid(square, [*GRID, {"seed": 7}], cache=RunCache(path, "1"), workers=1).resumed == 6


def test_interruption_keeps_what_is_finished(tmp_path):
    path = tmp_path / "runs.jsonl"
    with pytest.raises(KeyboardInterrupt):
        run_grid(interrupted_at_three, GRID, cache=RunCache(path, "1"), workers=1)
    cache = RunCache(path, "1")
    assert [settings in cache for settings in GRID] == [True, True, True, False, False, False]
    assert run_grid(square, GRID, cache=cache, workers=1).resumed == 3


def test_processes_share_the_work_and_a_failure_keeps_the_rest(tmp_path):
    path = tmp_path / "runs.jsonl"
    with pytest.raises(ValueError, match="no third run"):
        run_grid(failing_at_three, GRID, cache=RunCache(path, "1"), workers=2)
    assert {"seed": 3} not in RunCache(path, "1")
    result = run_grid(square, GRID, cache=RunCache(path, "1"), workers=2)
    assert squares(result) == [0, 1, 4, 9, 16, 25]
    assert all(run["threads"] == 1 for _, run in result.runs)
    # How many the failing call had finished is a matter of luck, and a single one that is left runs in this process.
    anew = run_grid(square, GRID, cache=RunCache(tmp_path / "anew.jsonl", "1"), workers=2)
    assert os.getpid() not in {run["process"] for _, run in anew.runs}
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert "OMP_NUM_THREADS" not in os.environ or os.environ["OMP_NUM_THREADS"]


SLOW = """
import pathlib, sys, time
from experiments.runs.grid import run_grid
from experiments.runs.run_cache import RunCache
from tests.experiments.test_grid import slow

if __name__ == "__main__":
    run_grid(slow, [{"seed": s} for s in range(6)], cache=RunCache(pathlib.Path(sys.argv[1]), "1"), workers=2)
"""


def slow(settings):
    time.sleep(0 if settings["seed"] < 2 else 60)
    return {"square": settings["seed"] ** 2}


@pytest.mark.skipif(os.name != "posix", reason="signals to a process group are POSIX")
def test_control_c_stops_the_workers_at_once(tmp_path):
    script, path = tmp_path / "script.py", tmp_path / "runs.jsonl"
    script.write_text(SLOW)
    root = str(Path(__file__).resolve().parents[2])
    process = subprocess.Popen(
        [sys.executable, str(script), str(path)],
        env=os.environ | {"PYTHONPATH": root},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 90
    while (not path.exists() or path.read_text().count("\n") < 2) and time.monotonic() < deadline:
        time.sleep(0.05)
    sent = time.monotonic()
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    _, errors = process.communicate(timeout=30)
    assert process.returncode in (1, 130, -signal.SIGINT)
    assert time.monotonic() - sent < 20
    # One traceback, the parent's: the workers are deaf to Ctrl-C and say nothing.
    assert errors.count("KeyboardInterrupt") == 1, errors
    cache = RunCache(path, "1")
    assert [{"seed": s} in cache for s in range(4)] == [True, True, False, False]


def test_a_line_cut_short_is_run_again(tmp_path):
    path = tmp_path / "runs.jsonl"
    run_grid(square, GRID, cache=RunCache(path, "1"), workers=1)
    path.write_text(path.read_text()[:-20])
    cache = RunCache(path, "1")
    assert run_grid(square, GRID, cache=cache, workers=1).resumed == 5
    assert run_grid(square, GRID, cache=RunCache(path, "1"), workers=1).resumed == 6
    assert sum(line.startswith("{") for line in path.read_text().splitlines()) == 7


def test_the_file_is_json_lines(tmp_path):
    path = tmp_path / "runs.jsonl"
    run_grid(square, GRID[:2], cache=RunCache(path, "1"), workers=1)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [line["settings"] for line in lines] == GRID[:2]
    cache = RunCache(path, "1")
    cache.clear()
    assert not path.exists()
    assert GRID[0] not in cache


def test_cores_are_counted():
    assert available_cores() >= 1
