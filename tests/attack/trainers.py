"""What acts on trainings and what they log, with what is wrong for each argument."""

from typing import Any

import torch

import intertwine as iw
from intertwine import training
from tests.attack.domains import choice, count, flag, of, strength
from tests.attack.fixtures import bound, network
from tests.attack.target import Target

FINITE = strength.but("function", "module", "identity", "empty", "huge")
ANY = FINITE.but("infinity", "none")


def sgd(binding: Any) -> torch.optim.Optimizer:
    parameters = network().parameters() if not isinstance(binding, iw.Binding) else binding.model.parameters()
    return torch.optim.SGD(parameters, lr=0.1)


def penalty(binding: Any, optimizer: Any = None, **options: Any) -> object:
    return training.EquivariancePenalty(sgd(binding) if optimizer is None else optimizer, binding, **options)


def attached(optimizer: Any) -> object:
    binding = bound()
    return training.Regularization(binding, decay=1.0).attach(sgd(binding) if optimizer is None else optimizer)


def resumed(state: Any) -> object:
    binding = bound()
    regularization = training.Regularization(binding, decay=1.0, every=2).attach(sgd(binding))
    return regularization.load_state_dict(regularization.state_dict() if state is None else state)


TARGETS: tuple[Target, ...] = (
    Target(
        "training.EquivariancePenalty",
        penalty,
        lambda: {"binding": bound(), "optimizer": None, "strength": 1.0, "form": "squared", "every": 1},
        {"binding": of(), "optimizer": of("none"), "strength": FINITE, "form": choice, "every": count.but("huge")},
    ),
    Target(
        "training.Regularization",
        training.Regularization,
        lambda: {"binding": bound(), "decay": 1.0, "penalty": None, "form": "squared", "every": 1},
        {"binding": of(), "decay": ANY, "penalty": FINITE.but("none"), "form": choice, "every": count.but("huge")},
    ),
    Target("training.Regularization.attach", attached, lambda: {"optimizer": None}, {"optimizer": of("none")}),
    Target(
        "training.Regularization.load_state_dict",
        resumed,
        lambda: {"state": None},
        {
            "state": of(
                "none",
                "empty",
                wrong=(
                    lambda: {"decay": [{"steps": 1.5}]},
                    lambda: {"decay": [3]},
                    lambda: {"decay": "a"},
                    lambda: {"decay": [{"steps": 1, "due": [[0, 99, []]]}]},
                    lambda: {"decay": [{"steps": 1, "due": 3}]},
                    lambda: {"penalty": [{"steps": 1}]},
                    lambda: {"decay": []},
                ),
            )
        },
    ),
    *(
        Target(
            f"training.{kind.__name__}",
            kind,
            lambda: {"start": 0.0, "end": 1.0, "steps": 5},
            {
                "start": of("zero", "positive", "fraction", "float", "huge", wrong=(lambda: -0.1,)),
                "end": of("zero", "positive", "fraction", "float", "huge", wrong=(lambda: -0.1,)),
                "steps": count,
            },
        )
        for kind in (training.Ramp, training.CosineRamp)
    ),
    Target(
        "training.RelaxThenSnap",
        training.RelaxThenSnap,
        lambda: {"strength": 1.0, "snap": 5},
        {"strength": of("zero", "positive", "fraction", "float", "huge", wrong=(lambda: -0.1,)), "snap": count},
    ),
    Target(
        "training.scalars",
        training.scalars,
        lambda: {"what": bound(), "targets": None, "per_tensor": True},
        {"what": of(), "targets": FINITE.but("none"), "per_tensor": flag},
    ),
)
