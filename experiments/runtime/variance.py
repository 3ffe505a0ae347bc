"""What sampling would cost to match the exact value: the spread of the sampled penalty, and its time per element."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import nn

from experiments.runtime.cases import Case
from experiments.runtime.timing import interleaved
from intertwine.baselines import operator_penalty
from intertwine.binding import Binding, bind
from intertwine.projectors import Projector

# How large the non-equivariant part of the nearly equivariant weights is.
RESIDUAL = 0.01
WEIGHTS = {
    "random": "independent normal entries",
    "nearly": f"an equivariant weight plus {RESIDUAL:.0%} of independent normal entries",
    "one_entry": f"an equivariant weight plus {RESIDUAL:.0%} in one entry, which prefers a direction",
}


def measure_variance(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Estimates ``s/(4n) sum_g |g.W - W|^2`` over and over, and compares with ``s/2 |W-PW|^2``, its expectation.

    Args:
        settings: ``group`` and ``width`` of a linear map; ``draws`` of each kind of weight and ``elements`` sampled for
            each; ``counts``, the n; ``timed_width``, ``seconds`` and ``least`` of the timing; ``seed``, ``device``.

    Returns:
        ``order`` of the group or None; by kind of weight, of ``estimate / exact - 1``: ``spread``, its root mean square
        for each n, ``constant``, the c of ``c / sqrt(n)``, from single elements, and ``bias``, its mean; ``seconds`` of
        value and gradient, from ``one_element`` and of ``ours``, for one weight of the timed width with
        ``timed_weights`` entries.
    """
    binding = _layer(settings, settings["width"])
    group, layer = binding.group, binding.model
    generator = torch.Generator().manual_seed(settings["seed"])
    values: dict[str, list[torch.Tensor]] = {kind: [] for kind in WEIGHTS}
    with torch.no_grad():
        for _ in range(settings["draws"]):
            for kind in WEIGHTS:
                W = drawn_weight(kind, binding.entries[0].projector, generator)
                layer.weight.copy_(W)  # type: ignore[operator]
                exact = binding.penalty(1.0)
                elements = group.sample(settings["elements"], generator=generator)
                estimates = [operator_penalty(binding, g[None]) / exact for g in elements]
                values[kind].append(torch.stack(estimates).double() - 1)
    timed = _layer(settings, settings["timed_width"])
    times = interleaved(_works(timed, generator), settings["seconds"], settings["least"], settings["device"])
    return {
        "order": group.order if group.is_finite else None,
        "representation": str(binding.entries[0].projector.axes[0]),
        "spread": {kind: [_spread(errors, n) for n in settings["counts"]] for kind, errors in values.items()},
        "constant": {kind: _spread(errors, 1) for kind, errors in values.items()},
        "bias": {kind: float(torch.cat(errors).mean()) for kind, errors in values.items()},
        "timed_weights": timed.entries[0].projector.numel,
        "seconds": {name: timing.median for name, timing in times.items()},
    }


def drawn_weight(kind: str, P: Projector, generator: torch.Generator) -> torch.Tensor:
    """A weight of one of the kinds of ``WEIGHTS``, float32, of norm about 1."""
    rows, columns = (n or 1 for n in P.shape)
    W = torch.randn(rows, columns, generator=generator)
    if kind == "random":
        return W / W.norm()
    kept = P.project(W)
    if kind == "nearly":
        rest = torch.randn(rows, columns, generator=generator)
    else:
        rest = torch.zeros(rows, columns)
        # From the first feature (of irreps a scalar) to the first one of the next kind (of irreps a vector).
        rest[_second_kind(P), 0] = 1.0
    rest = P.residual(rest)
    return kept / kept.norm() + RESIDUAL * rest / rest.norm()


def _second_kind(P: Projector) -> int:
    rep = P.axes[0]
    return rep.slices[1].start if rep is not None and len(rep.slices) > 1 else 0


def samples_needed(constant: float, precision: float) -> int:
    """N with ``c / sqrt(n) <= precision``.

    Examples:
        >>> samples_needed(0.5, 0.01)
        2500
    """
    return max(1, math.ceil(round((constant / precision) ** 2, 9)))


def _spread(errors: list[torch.Tensor], n: int) -> float:
    """Root mean square of the mean of n relative errors, over disjoint groups of n and over the draws."""
    means = [e[: len(e) // n * n].reshape(-1, n).mean(1) for e in errors]
    return float(torch.cat(means).square().mean().sqrt())


def _layer(settings: Mapping[str, Any], width: int) -> Binding:
    case = Case(settings["group"], "mlp", width, 1, 1, settings["seed"], settings["device"])
    rep = case.fields(width)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings["seed"])
        layer = nn.Linear(rep.dim, rep.dim, bias=False)
    return bind(layer.to(settings["device"]), {"": (rep, rep)})


def _works(binding: Binding, generator: torch.Generator) -> dict[str, Callable[[], object]]:
    """Value and gradient, from one element drawn anew and from the projector."""
    W = binding.entries[0].tensor(binding.model)

    def sampled() -> None:
        W.grad = None
        operator_penalty(binding, binding.group.sample(1, generator=generator)).backward()

    def exact() -> None:
        W.grad = None
        binding.penalty(1.0).backward()

    return {"one_element": sampled, "ours": exact}
