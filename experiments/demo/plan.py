"""What ``python -m experiments demo`` runs: fractions, seeds and the strengths that validation chooses from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from experiments.demo.digits_training import METHODS, DigitsSettings

# The claim: ahead of plain and of exactly equivariant at this fraction.
REFERENCE = 0.1


@dataclass(frozen=True)
class Plan:
    """What is run.

    Attributes:
        fractions: settings of the dial, ``REFERENCE`` among them.
        num_seeds: so many seeds, from 0.
        strengths: those that validation chooses from, by method: equally many for each.
        options: settings of the training other than the defaults.
    """

    fractions: tuple[float, ...]
    num_seeds: int
    strengths: Mapping[str, tuple[float, ...]]
    options: Mapping[str, Any] = field(default_factory=dict)

    @property
    def model(self) -> str:
        """The network, a key of ``NETWORKS``."""
        return self.settings(REFERENCE, 0, "plain").model

    def grid(self) -> list[dict[str, Any]]:
        """The settings of every run, seed by seed."""
        return [
            self.settings(fraction, seed, method, strength).to_dict()
            for seed in range(self.num_seeds)
            for fraction in self.fractions
            for method in METHODS
            for strength in self.strengths.get(method, (None,))
        ]

    def settings(self, fraction: float, seed: int, method: str, strength: float | None = None) -> DigitsSettings:
        """One run."""
        return DigitsSettings(fraction, seed, method, strength, **self.options)


def _strengths(decay: tuple[float, ...], weight_decay: tuple[float, ...]) -> dict[str, tuple[float, ...]]:
    """By method. Momentum 0.9 makes decay act like a penalty of a tenth of its strength, so both cover one range."""
    penalty = tuple(float(f"{s / 10:g}") for s in decay)
    return {
        "weight_decay": weight_decay,
        "sampled_operator": penalty,
        "sampled_activation": penalty,
        "penalty": penalty,
        "decay": decay,
    }


# About two minutes on two cores, most of them the sampled rows'.
DEFAULT = Plan((0.0, 0.1, 1.0), 5, _strengths((0.1, 1.0, 100.0), (1e-4, 1e-3, 1e-2)), {"epochs": 60})
FULL = Plan(
    (0.0, 0.05, 0.1, 0.2, 0.5, 1.0),
    10,
    _strengths(
        (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0), (1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
    ),
)
SMOKE = Plan((0.0, 0.1), 2, _strengths((1.0, 100.0), (1e-4, 1e-2)), {"epochs": 2})
# A convolutional run takes twice as long as one of the perceptron, so it gets half the epochs.
_CNN = {"model": "cnn", "epochs": 40}
PLANS = {
    ("mlp", "default"): DEFAULT,
    ("mlp", "full"): FULL,
    ("mlp", "smoke"): SMOKE,
    ("cnn", "default"): replace(DEFAULT, options=_CNN),
    ("cnn", "full"): replace(FULL, num_seeds=5, options=_CNN),
    ("cnn", "smoke"): replace(SMOKE, options=_CNN | {"epochs": 2}),
}
