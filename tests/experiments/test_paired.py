"""Experiments of differences that are paired by seed: intervals, sentences, and what a run is."""

import json

import pytest
from scipy import stats

import intertwine as iw
from experiments.comparison.differences import Difference, told
from experiments.comparison.metric import Metric
from experiments.comparison.selection import Row
from experiments.comparison.summary import summarise
from experiments.every import findings as every_findings
from experiments.every.plan import EVERY
from experiments.every.plan import grid as every_grid
from experiments.every.task import TASK as EVERY_TASK
from experiments.paired.training import TASKS, run_paired
from experiments.runs.code_version import code_version
from experiments.split import findings as split_findings
from experiments.split.plan import METHODS
from experiments.split.plan import grid as split_grid
from experiments.split.task import TASK as SPLIT_TASK

VALUES = (0.31, 0.42, 0.29, 0.36, 0.40)
ACCURACY = Metric("test_accuracy", "test accuracy", higher_is_better=True)
FINISHED = {"finished": "2026-01-01T00:00:00+00:00"}


@pytest.fixture(autouse=True)
def _shipped(monkeypatch):
    monkeypatch.delenv("INTERTWINE_DATA", raising=False)


def row(values, seeds=None, name="test_accuracy"):
    seeds = tuple(range(len(values))) if seeds is None else seeds
    return Row("case", "method", seeds, tuple({"strength": 1.0} for _ in seeds), tuple({name: v} for v in values))


def test_the_interval_is_that_of_the_paired_t_test():
    other = (0.25, 0.33, 0.31, 0.28, 0.33)
    found = Difference.between(row(VALUES), row(other), ACCURACY)
    expected = stats.ttest_rel(VALUES, other).confidence_interval(0.95)
    assert found.ends == pytest.approx((expected.low, expected.high))
    assert found.verdict() == "ahead"
    assert Difference.between(row(other), row(VALUES), ACCURACY).verdict() == "behind"
    lower = Metric("rmse", "RMSE", higher_is_better=False)
    assert Difference.between(row(VALUES, name="rmse"), row(other, name="rmse"), lower).verdict() == "behind"


def test_two_standard_errors_of_few_seeds_are_no_difference():
    found = Difference(summarise([0.1, 0.0, 0.12]))
    assert found.lead.verdict() == "no clear difference" or found.lead.mean > 1.9 * found.lead.standard_error
    assert found.verdict() == "no clear difference"
    assert not found.is_within
    assert Difference(summarise([0.1, -0.11])).is_within
    assert Difference(summarise([0.1])).verdict() == "one seed"
    assert Difference(summarise([0.1])).text() == "+0.100"


def test_other_seeds_are_refused():
    with pytest.raises(iw.errors.ArgumentError, match="runs of the same seeds"):
        Difference.between(row(VALUES), row(VALUES, seeds=(1, 2, 3, 4, 5)), ACCURACY)


def test_differences_are_told_by_verdict():
    found = {"a": Difference(summarise([0.1, 0.11])), "b": Difference(summarise([0.2, 0.22]))}
    assert told(found, ["ahead", "ahead"]) == "ahead: a (+0.105 ± 0.005), b (+0.210 ± 0.010)"


def every_runs(lead):
    """Made-up results: every = 16 is off by ``lead``, the others by noise that has no mean."""
    noise = {1: 0.0, 4: 0.001, 8: -0.001, 16: 0.0}
    runs = []
    for settings in every_grid("cpu", 4):
        sign = (-1) ** settings["seed"]
        value = 0.9 + 0.01 * settings["seed"] + sign * noise[settings["every"]]
        value += (lead + sign * 0.001) * (settings["every"] == 16)
        runs.append((settings, {"test_accuracy": value, "relative_residual": 0.1, "validation_loss": 1.0, **FINISHED}))
    return runs


@pytest.mark.parametrize(("lead", "word"), [(-0.05, "behind"), (0.05, "ahead"), (0.0, "within a standard error")])
def test_what_is_said_of_every_follows_the_numbers(lead, word):
    found = every_findings.findings(every_runs(lead))
    assert len(found.conclusions) == 8  # three tasks, two methods, two strengths on the rings
    for sentence in found.conclusions:
        groups = dict(group.split(": ", 1) for group in sentence.split(", strength")[1].split(": ", 1)[1].split("; "))
        assert "every = 4" in groups["within a standard error"]
        assert "every = 16" in groups[word]
    assert [len(panel) for panel in found.panels.values()] == [len(EVERY) - 1] * 8


def test_split_moments_are_compared_at_the_strength_that_validation_takes():
    """The second strength has the lowest validation loss; the first would have the best test result."""
    runs = []
    for settings in split_grid("cpu", 5):
        own = [s for s, _ in runs if all(s[k] == settings[k] for k in ("case", "method", "seed"))]
        place = len(own)
        level = METHODS.index(settings["method"]) / 100 + settings["seed"] / 1000 + (place == 0)
        quantities = {"test_accuracy": level, "rmse": 9 - level, "domain_rmse": level}
        runs.append((settings, {**quantities, "validation_loss": [0.5, 0.1, 0.5][place], **FINISHED}))
    found = split_findings.findings(runs)
    assert len(found.conclusions) == 4
    assert list(found.panels["rotmnist, C4, 100 %: test accuracy"]) == [
        "over plain", "over exactly equivariant", "over penalty", "over decay",
    ]  # fmt: skip
    exact = found.panels["rotmnist, C4, 100 %: test accuracy"]["over exactly equivariant"]
    assert exact.lead.mean == pytest.approx(0.03)
    assert found.panels["smoke, rotation: RMSE, future frames"]["over plain"].lead.mean == pytest.approx(0.04)
    assert found.panels["smoke, rotation: RMSE, runs held out"]["over plain"].lead.mean == pytest.approx(-0.04)


def test_every_method_has_as_many_tries():
    tried = {}
    for settings in split_grid("cpu", 2):
        key = settings["case"], settings["method"], settings["seed"]
        tried[key] = tried.get(key, 0) + 1
    assert set(tried.values()) == {3}
    assert len(tried) == 3 * len(METHODS) * 2


@pytest.mark.parametrize("task", [EVERY_TASK, SPLIT_TASK])
def test_runs_are_those_of_the_tasks(task):
    """What a run gives is what the task gives for its settings; ``every`` and the method are really taken."""
    seen = set()
    for settings in task.grid("smoke", 1):
        if settings["task"] == "smoke" or (settings["task"], settings["method"]) in seen:
            continue
        seen.add((settings["task"], settings["method"]))
        own = {name: value for name, value in settings.items() if name not in ("case", "task")}
        expected, found = TASKS[settings["task"]](own), run_paired(settings)
        assert {name: expected[name] for name in ("validation_loss", "test_accuracy")} == {
            name: found[name] for name in ("validation_loss", "test_accuracy")
        }
        json.dumps(found, allow_nan=False)
    assert len(seen) == {"every": 6, "split": 5}[task.name]


def test_rarer_terms_are_other_trainings():
    runs = {}
    for settings in EVERY_TASK.grid("smoke", 1):
        if settings["task"] != "rotmnist":
            runs.setdefault((settings["task"], settings["method"]), []).append(run_paired(settings)["validation_loss"])
    assert all(len(set(losses)) == 2 for losses in runs.values())


def test_the_folders_of_the_tasks_count_as_code():
    rooms = set(code_version(run_paired))
    assert {f"experiments/{name}" for name in ("demo", "rings", "rotmnist", "smoke", "e2cnn")} <= rooms
    assert not {"experiments/runs", "experiments/comparison", "experiments/paired"} & rooms
