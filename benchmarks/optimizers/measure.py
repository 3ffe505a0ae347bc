"""One optimiser: is training with ``strength=inf`` exact, and how far do equivariant weights drift without it."""

import math
import signal
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

import intertwine as iw
from benchmarks.optimizers.classes import WAYS, Candidate, Loss, learning_rate, make, switch

DRIFT_STEPS, EXACT_STEPS = 100, 12
# Relative residuals of float32 weights: what rounding leaves.
EXACT = 1e-5
# An optimiser that moves W by less than this says nothing.
MOVED = 0.01
# Of processor time, for one class.
SECONDS = 100.0
Row = dict[str, Any]


def representations(copies: int) -> dict[str, iw.Representation]:
    """Of D4, 8 dimensions a copy: permutations (regular), and irreps (two invariants, three vectors)."""
    G = iw.Dihedral(4)
    return {"permutations": copies * G.regular(), "irreps": 2 * copies * G.irrep("0+") + 3 * copies * G.irrep(1)}


def measured(candidate: Candidate, *, copies: int = 12, steps: int = DRIFT_STEPS) -> Row:
    """The row of one class: ``train``, ``eval`` (relative residuals), ``hooks``, ``decays`` (a step), drifts."""
    row: Row = {"package": candidate.package, "version": candidate.version, "class": candidate.name}
    row["lr"] = learning_rate(candidate)
    try:
        with warnings.catch_warnings(), at_most(SECONDS):
            warnings.simplefilter("ignore")
            rep = representations(copies)["permutations"]
            way = _way(candidate, rep)
            row |= {"by": way.__name__.removeprefix("by_").replace("_", " ")} | _exactness(candidate, rep, way)
            for name, rep in representations(copies).items():
                row |= _drift(candidate, rep, way, steps, name)
    except Exception as error:  # noqa: BLE001 - whatever a foreign class raises belongs into its row
        row["not run"] = f"{type(error).__name__}: {error}".splitlines()[0][:160]
    return row


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises TimeoutError when what is inside has taken so much processor time."""

    def stop(*_: object) -> None:
        raise TimeoutError(f"more than {seconds:g} s of processor time")

    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _layer(rep: iw.Representation) -> tuple[nn.Linear, iw.Binding]:
    layer = nn.Linear(rep.dim, rep.dim, bias=False)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(rep.dim, rep.dim, generator=torch.Generator().manual_seed(0)) / rep.dim**0.5)
    return layer, iw.bind(layer, {"": (rep, rep)})


def _way(candidate: Candidate, rep: iw.Representation) -> Callable[[Any, torch.Tensor, Loss], None]:
    """The first way to take a step that it does not refuse."""
    refusals = []
    for way in WAYS:
        layer, _ = _layer(rep)
        optimizer = make(candidate, layer)
        try:
            way(optimizer, layer.weight, _random_loss(layer, 0))
        except Exception as error:  # noqa: BLE001 - likewise
            refusals.append(error)
        else:
            return way
    # The second is for want of nothing but what this harness does not have.
    raise refusals[1 if "losure" in str(refusals[0]) else 0]


def _random_loss(layer: nn.Linear, seed: int) -> Loss:
    """A regression that knows nothing of the symmetry."""
    generator = torch.Generator().manual_seed(seed)
    x, y = (torch.randn(32, layer.in_features, generator=generator) for _ in range(2))
    return lambda: (layer(x) - y).square().sum(1).mean()


def _exactness(candidate: Candidate, rep: iw.Representation, way: Callable[..., None]) -> Row:
    layer, binding = _layer(rep)
    optimizer = make(candidate, layer)
    try:
        decay = iw.EquivarianceDecay(optimizer, binding, strength=float("inf"))
    except iw.errors.ArgumentError as error:
        return {"refused": str(error)}
    calls: list[int] = []
    decay.optimizer.register_step_post_hook(lambda *_: calls.append(1))
    for seed in range(EXACT_STEPS):
        way(optimizer, layer.weight, _random_loss(layer, seed))
    P, found = binding["weight"].projector, {}
    found["train"] = float(P.relative_residual(layer.weight.detach()))
    switch(optimizer, "eval")
    found["eval"] = float(P.relative_residual(layer.weight.detach()))
    return found | {"hooks": len(calls) / EXACT_STEPS, "decays": decay.steps / EXACT_STEPS}


def _drift(candidate: Candidate, rep: iw.Representation, way: Callable[..., None], steps: int, name: str) -> Row:
    """The largest relative residual on the way, from W = PW, under a loss that is a sum over whole orbits."""
    layer, binding = _layer(rep)
    binding.project_()
    P, start = binding["weight"].projector, layer.weight.detach().clone()
    generator = torch.Generator().manual_seed(1)
    actions = torch.stack([rep.matrix(g) for g in rep.group.elements()]).float()
    x, noise = (torch.randn(32, rep.dim, generator=generator) for _ in range(2))
    target = P.project(torch.randn(rep.dim, rep.dim, generator=generator)) / rep.dim**0.5
    orbits, noises = (torch.einsum("gij,nj->gni", actions, v).reshape(-1, rep.dim) for v in (x, noise))
    y = orbits @ target.T + noises

    def loss() -> torch.Tensor:
        return (layer(orbits) - y).square().sum(1).mean()

    optimizer, largest = make(candidate, layer), 0.0
    for _ in range(steps):
        way(optimizer, layer.weight, loss)
        residual = float(P.relative_residual(layer.weight.detach()))
        largest = max(largest, residual if math.isfinite(residual) else math.inf)
    moved = float((layer.weight.detach() - start).norm() / start.norm())
    return {name: largest, f"{name} moved": moved}
