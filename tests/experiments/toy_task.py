"""A task that takes no time: what the machinery around tasks is tested with."""

from collections.abc import Mapping
from typing import Any

from experiments.comparison.metric import Metric
from experiments.comparison.task import Task, TaskPlan


def run_toy(settings: Mapping[str, Any]) -> dict[str, Any]:
    """A score with its optimum at strength 1 and learning rate 0.1, better for the penalty."""
    strength = settings["strength"]
    loss = abs((1.0 if strength is None else strength) - 1) + abs(settings["learning_rate"] - 0.1)
    base = {"plain": 0.5, "penalty": 0.8}[settings["method"]]
    score = base + 0.01 * settings["seed"] - loss
    result = {
        "validation_loss": loss,
        "score": score,
        "equivariance_error": 0.1,
        "relative_residual": 0.2,
        "chance": 0.9,
        "seconds_per_epoch": 0.01,
        "peak_memory": 1000,
        "parameters": 10,
    }
    if settings["method"] == "plain":
        result["variants"] = {"train_then_project": {"score": score - 0.3, "equivariance_error": 0.0}}
    return result


def toy_conclusions(rows):
    return [f"{len(rows)} rows."]


PLAN = TaskPlan((0.0, "case"), ("plain", "penalty"), 3, {"penalty": (0.5, 1.0, 2.0)}, (0.05, 0.1, 0.2), {"epochs": 1})

TASK = Task(
    name="toy",
    title="A toy",
    summary="nothing much",
    run=run_toy,
    plans={"smoke": PLAN, "cpu": PLAN},
    labels={"plain": "plain", "train_then_project": "train, then project", "penalty": "penalty"},
    metrics=(Metric("score", "score", higher_is_better=True),),
    condition_label="dial",
    notes=("A note.",),
    conclusions=toy_conclusions,
)
