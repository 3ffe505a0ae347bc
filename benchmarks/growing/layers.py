"""Growth with the number of layers: what each adds to a step, in microseconds, should be flat."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import nn

import intertwine as iw
from benchmarks.decay import Still
from benchmarks.measuring.estimate import Question, answered
from benchmarks.measuring.timing import Samples, Work
from benchmarks.row import Row, estimate_row
from benchmarks.settings import Settings

# Small, so that the calls are what takes the time: a weight and a bias each.
FIELDS = 2
MICRO = 1e6


def rows(settings: Settings) -> Iterator[Row]:
    """For penalty with gradient and for decay: microseconds a layer at every number of layers."""
    counts = (1, 4) if settings.quick else (1, 5, 20, 100, 500)
    names = [f"{kind} of {count}" for kind in ("penalty", "decay") for count in counts]
    questions = {
        name: Question(partial(_each, name), budget=30.0 if name.endswith(f" {counts[-1]}") else None) for name in names
    }
    found = answered(partial(_works, counts, settings), questions, settings)
    for kind in ("penalty", "decay"):
        each = {count: found.estimates[f"{kind} of {count}"].value for count in counts}
        yield estimate_row(
            "layers",
            f"{kind} alone, each of {counts[-1]} linear layers 16 x 16 of D4 fields with bias",
            found,
            questions,
            f"{kind} of {counts[-1]}",
            works=tuple(f"{kind} of {count}" for count in counts),
            unit="us",
            note=", ".join(f"{count} layers: {value:.1f} us each" for count, value in each.items()),
            curve={float(count): value for count, value in each.items()},
        )


def _works(counts: Sequence[int], settings: Settings) -> Mapping[str, Work]:
    works: dict[str, Work] = {}
    for count in counts:
        works[f"penalty of {count}"] = _penalty(_bound(count, settings))
        works[f"decay of {count}"] = _decay(_bound(count, settings))
    return works


def _bound(count: int, settings: Settings) -> iw.Binding:
    torch.manual_seed(settings.seed)
    field = FIELDS * iw.Dihedral(4).regular()
    model = nn.Sequential(*(nn.Linear(field.dim, field.dim) for _ in range(count))).to(settings.device)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    return iw.bind(model, {str(number): (field, field) for number in range(count)})


def _penalty(binding: iw.Binding) -> Work:
    return lambda: binding.penalty(strength=0.1).backward()


def _decay(binding: iw.Binding) -> Work:
    optimizer = Still(binding.model.parameters(), lr=1e-3)
    iw.EquivarianceDecay(optimizer, binding, strength=1.0)
    return optimizer.step


def _each(name: str, samples: Samples) -> float:
    return MICRO * float(sorted(samples[name])[len(samples[name]) // 2]) / int(name.rsplit(maxsplit=1)[-1])
