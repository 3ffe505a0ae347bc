"""What right calls are made of, and kinds of wrong values that several of them share."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

import intertwine as iw
from intertwine import baselines
from tests.adapted_layer import AdaptedLinear
from tests.attack.domains import (
    C4,
    count,
    of,
    rep_any,
    tensor,
)
from tests.attack.target import Target

REP, WIDE = C4.regular(), 2 * C4.regular()
X = torch.linspace(-1, 1, 12).reshape(3, 4)


def network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 4))


TYPES = {"0": (REP, WIDE), "2": (WIDE, REP)}


def bound() -> iw.Binding:
    return iw.bind(network(), TYPES)


def adapted() -> iw.Binding:
    """A layer with an adapter, typed as a whole."""
    model = torch.nn.Sequential(AdaptedLinear(torch.nn.Linear(4, 8), rank=4))
    return iw.bind(model, {"0": (REP, WIDE)})


def factors() -> iw.Binding:
    """The same, its parts typed one by one."""
    parts = {"0.base_layer": (REP, WIDE), "0.lora_A.default": (REP, REP), "0.lora_B.default": (REP, WIDE)}
    return iw.bind(adapted().model, parts)


def convolution() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Conv2d(4, 8, 3, stride=2))


def subject() -> baselines.Subject:
    binding = bound()
    act = REP.act
    return baselines.Subject(binding.model, binding, C4, act, act)


def decay(binding: Any, strength: Any, optimizer: Any = None) -> object:
    parameters = network().parameters() if not isinstance(binding, iw.Binding) else binding.model.parameters()
    optimizer = torch.optim.SGD(parameters, lr=0.1) if optimizer is None else optimizer
    return iw.EquivarianceDecay(optimizer, binding, strength=strength)


def step(method: Any, optimizer: Any, x: Any, y: Any, criterion: Any) -> object:
    return baselines.training_step(method, optimizer, x, y, criterion)


def step_arguments() -> dict[str, Any]:
    method = baselines.make_method("plain", subject())
    optimizer = torch.optim.SGD(method.model.parameters(), lr=0.1)
    return {"method": method, "optimizer": optimizer, "x": X, "y": X, "criterion": torch.nn.MSELoss()}


def some_projector() -> iw.Projector:
    return iw.projector(REP, WIDE)


def report() -> iw.Report:
    return iw.report(bound())


number_of_types = of("positive", "negative", "zero", "text")
mapping_of_types = of(
    wrong=(lambda: {"0": REP}, lambda: {"0": (REP, 3)}, lambda: {"9": (REP, WIDE)}, lambda: {"0": ()})
)
permutations = of(
    wrong=(
        lambda: [[1, 2, 0]],
        lambda: [[0, 0]],
        lambda: [[-1, 0]],
        lambda: [[1, 0], [0, 1]],
        lambda: [[0.5, 1]],
        lambda: torch.zeros(1, 2),
        lambda: np.array([["a", "b"]]),
    )
)
matrices = of(
    wrong=(
        lambda: torch.full((1, 2, 2), math.nan),
        lambda: 2 * torch.eye(2)[None],
        lambda: torch.eye(2),
        lambda: torch.zeros(1, 2, 3),
        lambda: torch.eye(2).expand(2, 2, 2),
        lambda: [[[0.0, 1.0], ["a", 0.0]]],
        torch.eye(2)[None].to_sparse,
    )
)
labels = of(
    "zero", "positive", wrong=(lambda: "7", lambda: "1+", lambda: "9" * 30, lambda: (1, 2), lambda: [4], lambda: "²")
)
images_rep = of("none", "function", "grid", wrong=(lambda: iw.on_grid(iw.Dihedral(4).trivial()),))
images_x = tensor(2, 4, 6, 6)
space = rep_any.but("none")
one_group_of = lambda: [C4, iw.Cyclic(2)]  # noqa: E731


def _group(name: str, function: Callable[..., object]) -> Target:
    return Target(name, function, lambda: {"n": 4 if name not in ("SO", "O") else 3}, {"n": count})
