"""What is trained: tasks at sizes of seconds a run, with the strengths and learning rates of their records."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from experiments.comparison.metric import Metric
from experiments.rotmnist.data import SIZES, available_source
from experiments.rotmnist.task import PLANS as ROTMNIST
from experiments.smoke.task import PLANS as SMOKE

ACCURACY = Metric("test_accuracy", "test accuracy", higher_is_better=True, decimals=4)
FUTURE = Metric("rmse", "RMSE, future frames", higher_is_better=False, decimals=4)
HELD_OUT = Metric("domain_rmse", "RMSE, runs held out", higher_is_better=False, decimals=4)


# By method, those that are tried.
Strengths = Mapping[str, tuple[float, ...]]
# At size full, so many times the epochs.
LONGER = 3


@dataclass(frozen=True)
class Case:
    """One task under one condition.

    Attributes:
        name: what tables call it.
        task: a key of ``training.TASKS``.
        metrics: what is compared.
        options: settings of its runs beside method, seed, strength and learning rate, by the size of the experiment.
        strengths: by method, those that are tried.
        rates: by size, as many learning rates, of methods without a strength; others take the middle one.
        first_seed: seeds are counted from here.
    """

    name: str
    task: str
    metrics: tuple[Metric, ...]
    options: Callable[[str], Mapping[str, Any]]
    strengths: Strengths
    rates: Mapping[str, tuple[float, ...]]
    first_seed: int = 0

    def run(self, size: str, method: str, seed: int, strength: float | None, rate: float) -> dict[str, Any]:
        """The settings of a run; ``seed`` from 0."""
        own = {"method": method, "seed": self.first_seed + seed, "strength": strength, "learning_rate": rate}
        return {"case": self.name, "task": self.task, **own, **self.options(size)}

    def runs(self, size: str, method: str, seed: int) -> list[dict[str, Any]]:
        """A run for each strength at the middle rate, or for each rate; of size smoke one of them."""
        rates = self.rates[size]
        middle = rates[len(rates) // 2]
        tuned = [(s, middle) for s in self.strengths.get(method, ())]
        tried = tuned or [(None, rate) for rate in rates]  # type: ignore[misc]
        tried = [tried[len(tried) // 2]] if size == "smoke" else tried
        return [self.run(size, method, seed, strength, rate) for strength, rate in tried]


def rotmnist(condition: str, tuned: Strengths, first_seed: int = 0) -> Case:
    """Rotated MNIST; at size full three times the epochs."""

    def options(size: str) -> dict[str, Any]:
        plan = dict(ROTMNIST["smoke" if size == "smoke" else "cpu"].options)
        if size == "full":
            plan["epochs"] *= LONGER
        if size != "smoke" and available_source() == "shipped":
            plan |= {"source": "shipped", "test": SIZES["shipped"][1]}
        return {"condition": condition, "variants": False, **plan}

    rates = _rates(ROTMNIST["cpu"].learning_rates)
    return Case(f"rotmnist, {condition}", "rotmnist", (ACCURACY,), options, tuned, rates, first_seed)


def smoke(condition: str, tuned: Strengths) -> Case:
    """Plumes; at size full three times the epochs, the rate falling as far."""

    def options(size: str) -> dict[str, Any]:
        plan = dict(SMOKE["smoke" if size == "smoke" else "cpu"].options)
        if size == "full":
            plan |= {"epochs": LONGER * plan["epochs"], "decay": plan["decay"] ** (1 / LONGER)}
        return {"condition": condition, "variants": False, **plan}

    rates = _rates(SMOKE["cpu"].learning_rates)
    return Case(f"smoke, {condition}", "smoke", (FUTURE, HELD_OUT), options, tuned, rates, first_seed=10)


def rings(condition: str, tuned: Strengths, first_seed: int) -> Case:
    """Points of the plane under SO(2)."""

    def options(size: str) -> dict[str, Any]:
        return {"condition": condition, **({"epochs": 3, "test": 200} if size == "smoke" else {"epochs": 200})}

    return Case(f"rings, {condition}", "rings", (ACCURACY,), options, tuned, _rates((3e-3,)), first_seed)


def digits(fraction: float, tuned: Strengths, first_seed: int) -> Case:
    """The demo's perceptron, under SGD with momentum."""

    def options(size: str) -> dict[str, Any]:
        return {"fraction": fraction, "epochs": 2 if size == "smoke" else 80}

    return Case(f"digits, f = {fraction:g}", "demo", (ACCURACY,), options, tuned, _rates((0.2,)), first_seed)


def _rates(rates: tuple[float, ...]) -> dict[str, tuple[float, ...]]:
    return dict.fromkeys(("smoke", "cpu", "full"), rates)
