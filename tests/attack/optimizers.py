"""Split moments, and fits of hidden features, with what is wrong for each argument."""

from typing import Any

import torch

import intertwine as iw
from tests.attack.domains import C4, choice, flag, generator, of, rep, strength, tensor
from tests.attack.fixtures import REP, bound, network
from tests.attack.target import Target

STRENGTH = strength.but("function", "module", "identity", "infinity", "empty", "huge")
POSITIVE = of("positive", "fraction", "zero", "float", "huge", "scalar")


def split(binding: Any, **options: Any) -> object:
    parameters = network().parameters() if not isinstance(binding, iw.Binding) else binding.model.parameters()
    return iw.SplitAdamW(parameters, binding, **options)


def wrapped(make: Any, binding: Any, strength: Any) -> object:
    parameters = network().parameters() if not isinstance(binding, iw.Binding) else binding.model.parameters()
    return iw.SplitOptimizer(make, parameters, binding, strength=strength)


def sgd(groups: Any) -> torch.optim.Optimizer:
    return torch.optim.SGD(groups, lr=0.1)


TARGETS: tuple[Target, ...] = (
    Target(
        "SplitAdamW",
        split,
        lambda: {
            "binding": bound(),
            "lr": 1e-3,
            "betas": (0.9, 0.999),
            "eps": 1e-8,
            "weight_decay": 0.0,
            "strength": 1.0,
            "maximize": False,
            "foreach": True,
            "capturable": False,
        },
        {
            "binding": of(),
            "lr": POSITIVE,
            "betas": of(),
            "eps": POSITIVE.but(),
            "weight_decay": POSITIVE.but(),
            "strength": STRENGTH,
            "maximize": flag,
            "foreach": flag,
            "capturable": flag,
        },
    ),
    Target(
        "SplitOptimizer",
        wrapped,
        lambda: {"make": sgd, "binding": bound(), "strength": 1.0},
        {"make": of(), "binding": of(), "strength": STRENGTH},
    ),
    Target(
        "fit_representation",
        iw.fit_representation,
        lambda: {
            "model": network(),
            "example": torch.ones(2, 4),
            "group": C4,
            "freedom": "permutation",
            "rep_in": REP,
            "rep_out": REP,
            "scalings": False,
            "draws": 1,
            "generator": None,
        },
        {
            "model": of("identity", wrong=(lambda: torch.nn.Linear, lambda: torch.nn.LazyLinear(3))),
            "example": tensor(2, 4).but("tensor"),
            "group": of("none", "group"),
            "freedom": choice,
            "rep_in": rep.but("none", "empty"),
            "rep_out": rep.but("none", "empty"),
            "scalings": flag,
            "draws": of("zero", "positive", "bool"),
            "generator": generator,
        },
    ),
)
