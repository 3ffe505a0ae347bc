"""One step of ``SplitAdamW`` against AdamW's own, beside nothing else."""

import copy
import math
from collections.abc import Iterator, Mapping
from functools import partial

import torch

import intertwine as iw
from benchmarks.measuring.estimate import Question, answered, ratio
from benchmarks.measuring.timing import Work
from benchmarks.row import Row, estimate_row
from benchmarks.settings import Settings
from benchmarks.typed_mlp import TypedMLP, typed_mlps

STRENGTHS = {"split": 0.1, "split at inf": math.inf}


def rows(settings: Settings) -> Iterator[Row]:
    """Each typed MLP at a finite and at infinite strength."""
    for mlp in typed_mlps(settings):
        questions = {name: Question(ratio(name, "AdamW"), budget=1.5) for name in STRENGTHS}
        found = answered(partial(_works, mlp, settings), questions, settings)
        for name, strength in STRENGTHS.items():
            work = f"SplitAdamW.step at strength {strength} / AdamW(foreach=True).step, MLP of {mlp.name}"
            yield estimate_row("split", work, found, questions, name, works=("AdamW", name))


def _works(mlp: TypedMLP, settings: Settings) -> Mapping[str, Work]:
    works: dict[str, Work] = {}
    for name in ("AdamW", *STRENGTHS):
        model = copy.deepcopy(mlp.model)
        generator = torch.Generator().manual_seed(settings.seed)
        for W in model.parameters():
            W.grad = 1e-2 * torch.randn(W.shape, generator=generator).to(W.device)
        if name == "AdamW":
            works[name] = torch.optim.AdamW(model.parameters(), foreach=True).step
        else:
            binding = iw.bind(model, mlp.types)
            works[name] = iw.SplitAdamW(model.parameters(), binding, strength=STRENGTHS[name]).step
    return works
