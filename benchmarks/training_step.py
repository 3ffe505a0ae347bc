"""Whole training steps of typed MLPs: with the penalty, with plain L2, with one sampled element through the model."""

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import partial

import numpy as np

from benchmarks.measuring.estimate import Question, answered, ratio
from benchmarks.measuring.timing import Samples, Work
from benchmarks.row import Row, estimate_row
from benchmarks.settings import Settings
from benchmarks.typed_mlp import Steps, TypedMLP, typed_mlps

SAMPLED = "step with a sampled element"


def rows(settings: Settings) -> Iterator[Row]:
    """At a batch of 4096 the step and the sampled element; at 32, where weights dominate, ours beside plain L2."""
    large, small = (64, 4) if settings.quick else (4096, 32)
    for mlp in typed_mlps(settings):
        yield from _large_batch(mlp, large, settings)
        yield from _small_batch(mlp, small, settings)
        yield from _every(mlp, small, settings)


def _large_batch(mlp: TypedMLP, batch: int, settings: Settings) -> Iterator[Row]:
    where = f"MLP of {mlp.name}, batch {batch}"
    for name in ("penalty", "decay"):
        # Two works alone: what disturbs one step disturbs the next one too, and a difference of 2 % is asked for.
        works = ("step", f"step with {name}")
        questions = {name: Question(ratio(works[1], "step"), budget=1.05)}
        found = answered(partial(_large_works, works, mlp, batch, settings), questions, settings, times=2)
        yield estimate_row("step", f"training step with {name} / without, {where}", found, questions, name)
    works = ("step", SAMPLED, "step with penalty", "penalty alone")
    questions = {"sampled": Question(_extra_over_alone, budget=20.0, at_least=True)}
    found = answered(partial(_large_works, works, mlp, batch, settings), questions, settings)
    step, alone = (found.timings[name].median * 1e3 for name in ("step", "penalty alone"))
    difference = found.timings["step with penalty"].median * 1e3 - step
    yield estimate_row(
        "step",
        f"extra cost of one sampled element through the model / of the penalty, {where}",
        found,
        questions,
        "sampled",
        note="the sampled element's cost is the difference of two steps, the penalty's is measured alone, value and "
        f"gradient ({alone:.3g} ms; as a difference of two steps of {step:.3g} ms it reads {difference:.3g} ms)",
    )


def _large_works(names: Sequence[str], mlp: TypedMLP, batch: int, settings: Settings) -> Mapping[str, Work]:
    steps = Steps(mlp, batch, settings)
    makers = {
        "step": steps.plain,
        "step with penalty": steps.with_penalty,
        "step with decay": steps.with_decay,
        SAMPLED: steps.with_sampled_element,
        "penalty alone": steps.penalty_alone,
    }
    return {name: makers[name]() for name in names}


def _small_batch(mlp: TypedMLP, batch: int, settings: Settings) -> Iterator[Row]:
    questions = {
        "extra": Question(_ratio_of_extras, budget=1.5),
        "penalty": Question(ratio("step with penalty", "step")),
        "plain L2": Question(ratio("step with plain L2", "step")),
        "alone": Question(ratio("penalty alone", "plain L2 alone")),
    }
    found = answered(partial(_small_works, mlp, batch, settings), questions, settings, times=2)
    added = {name: found.estimates[name].value - 1 for name in ("penalty", "plain L2")}
    yield estimate_row(
        "step",
        f"extra cost of the penalty / of plain L2 on every parameter, MLP of {mlp.name}, batch {batch}",
        found,
        questions,
        "extra",
        note=f"the step takes {added['penalty']:+.1%} with the penalty, {added['plain L2']:+.1%} with plain L2; "
        f"value and gradient alone, outside a step: {found.estimates['alone'].value:.2f} x",
    )


def _small_works(mlp: TypedMLP, batch: int, settings: Settings) -> Mapping[str, Work]:
    steps = Steps(mlp, batch, settings)
    return {
        "step": steps.plain(),
        "step with penalty": steps.with_penalty(),
        "step with plain L2": steps.with_plain_l2(),
        "penalty alone": steps.penalty_alone(),
        "plain L2 alone": steps.plain_l2_alone(),
    }


def _every(mlp: TypedMLP, batch: int, settings: Settings) -> Iterator[Row]:
    """Steps of AdamW with ours at each one, and at every eighth."""
    budgets = {("decay", 1): 1.35, ("penalty", 1): 1.6, ("decay", 8): 1.1, ("penalty", 8): 1.1}
    names = {key: f"{key[0]} at every {key[1]}" for key in budgets}
    questions = {names[key]: Question(ratio(names[key], "steps"), budget=budget) for key, budget in budgets.items()}
    found = answered(partial(_eight_works, names, mlp, batch, settings), questions, settings)
    for kind, every in budgets:
        at = "each step" if every == 1 else f"every {every}th step"
        what = f"8 steps of AdamW with {kind} at {at} / without, MLP of {mlp.name}, batch {batch}"
        yield estimate_row("step", what, found, questions, names[kind, every])


def _eight_works(
    names: Mapping[tuple[str, int], str], mlp: TypedMLP, batch: int, settings: Settings
) -> Mapping[str, Work]:
    steps = Steps(mlp, batch, settings)
    works = {name: steps.eight(kind, every=every) for (kind, every), name in names.items()}
    return {"steps": steps.eight(None, every=1), **works}


def _extra_over_alone(samples: Samples) -> float:
    """``(step with a sampled element - step) / penalty alone``, within rounds."""
    return float(np.median((samples[SAMPLED] - samples["step"]) / samples["penalty alone"]))


def _ratio_of_extras(samples: Samples) -> float:
    """``(step with penalty - step) / (step with plain L2 - step)``: each difference is a median over the rounds."""
    ours, theirs = (
        float(np.median(samples[f"step with {name}"] - samples["step"])) for name in ("penalty", "plain L2")
    )
    return ours / theirs if theirs > 0 else math.inf
