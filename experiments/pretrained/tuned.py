"""A network that learnt five digits at all turns, tuned on a few upright ones of five others, penalised or not."""

import copy
import dataclasses
from typing import Any

import torch
from torch import nn

import intertwine as iw
from experiments.pretrained.data import TURNS, Digits, digits, examples
from experiments.pretrained.networks import accuracies, network, train
from experiments.pretrained.purposes import stream
from experiments.runs.grid import Settings
from experiments.runs.run_cache import Run
from intertwine.binding import Binding

FIRST, SECOND = (0, 1, 2, 3, 4), (5, 6, 7, 8, 9)
RATE, BATCH = 1e-3, 25
G = iw.Cyclic(4)


def run_tuned(settings: Settings) -> Run:
    """Accuracies on the new digits, upright and at all turns, by method and strength."""
    seed = settings["seed"]
    net = network(tuple(settings["widths"]), len(FIRST), seed)
    train(net, digits(seed, "training", settings["count"], FIRST), TURNS["turned"], settings["epochs"], seed)
    known = accuracies(net, digits(seed, "test", settings["test"], FIRST))
    x = examples(seed, settings["examples"], TURNS["turned"])
    images = iw.on_grid(G.trivial())
    fit = iw.fit_representation(net, x, G, draws=0)
    bindings: dict[str, Binding | None] = {
        "none": None,
        "channel order": iw.bind(net, rep_in=images, rep_out=None, example=x, check=False),
        "fitted": fit.bind(check=False),
    }
    few = digits(seed, "training", settings["few"], SECOND)
    test = digits(seed, "test", settings["test"], SECOND)
    found: dict[str, Any] = {"first_accuracy": sum(known) / 4, "tuned": []}
    for name, binding in bindings.items():
        for strength in settings["strengths"] if binding is not None else [0.0]:
            twin = tuned(net, binding, few, strength, settings["steps"], seed)
            right = accuracies(twin, test)
            found["tuned"].append(
                {"method": name, "strength": strength, "upright": right[0], "all turns": sum(right) / 4}
            )
    found["residual"] = {name: _residual(binding) for name, binding in bindings.items() if binding is not None}
    return found


def tuned(
    net: nn.Sequential, binding: Binding | None, few: Digits, strength: float, steps: int, seed: int
) -> nn.Sequential:
    """A copy of the network with a new head, all of it trained on ``few``, the penalty in the loss."""
    twin = copy.deepcopy(net)
    head = stream(seed, "head")
    with torch.no_grad():
        for p in twin[-1].parameters():  # weight and bias of the head
            p.copy_(torch.randn(p.shape, generator=head) / p.shape[-1] ** 0.5 if p.ndim > 1 else torch.zeros(p.shape))
    own = None if binding is None else binding_of(binding, twin)
    order = stream(seed, "tuning batches")
    optimizer = torch.optim.Adam(twin.parameters(), lr=RATE)
    for _ in range(steps):
        batch = torch.randint(len(few.x), (BATCH,), generator=order)
        loss = nn.functional.cross_entropy(twin(few.x[batch]), few.y[batch])
        if own is not None:
            loss = loss + own.penalty(strength)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return twin


def binding_of(binding: Binding, model: nn.Module) -> Binding:
    """The same types for a copy of the model."""
    return dataclasses.replace(binding, model=model)


def _residual(binding: Binding) -> float:
    found = [one for one in binding.residuals().values() if one.kind == "weight"]
    return float((sum(one.squared_residual for one in found) / sum(one.norm**2 for one in found)) ** 0.5)
