"""One run: a training of the task that its settings name."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from experiments.demo.digits_training import run_digits
from experiments.rings.training import run_rings
from experiments.rotmnist.training import run_rotmnist
from experiments.runs.grid import RunFunction
from experiments.smoke.training import run_smoke

TASKS: dict[str, RunFunction] = {
    "demo": run_digits,
    "rings": run_rings,
    "rotmnist": run_rotmnist,
    "smoke": run_smoke,
}
KEPT = (
    "validation_loss",
    "test_accuracy",
    "rmse",
    "domain_rmse",
    "relative_residual",
    "equivariance_error",
    "seconds_per_epoch",
)


def run_paired(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Trains and measures one network.

    Args:
        settings: those of the task, with ``"case"``, which names the comparison, and ``"task"``.

    Returns:
        What is compared of the task's result, and when it was there (UTC).
    """
    own = {name: value for name, value in settings.items() if name not in ("case", "task")}
    found = _run(settings["task"])(own)
    return {name: found[name] for name in KEPT if name in found} | {
        "finished": datetime.now(UTC).isoformat(timespec="seconds")
    }


def _run(task: str) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    return TASKS[task]
