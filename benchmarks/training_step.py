"""Whole training steps of typed MLPs: with the penalty, with plain L2, with one sampled element through the model."""

from collections.abc import Iterator

from benchmarks.row import Row, ratio_row
from benchmarks.settings import Settings
from benchmarks.timing import Ratio, Timing, interleaved, ratio
from benchmarks.typed_mlp import Steps, TypedMLP, typed_mlps


def rows(settings: Settings) -> Iterator[Row]:
    """At a batch of 4096 the step and the sampled element; at 32, where weights dominate, ours beside plain L2."""
    large, small = (64, 4) if settings.quick else (4096, 32)
    for mlp in typed_mlps(settings):
        yield from _large_batch(mlp, large, settings)
        yield from _small_batch(mlp, small, settings)


def _large_batch(mlp: TypedMLP, batch: int, settings: Settings) -> Iterator[Row]:
    steps = Steps(mlp, batch, settings)
    works = {
        "step": steps.plain(),
        "step with penalty": steps.with_penalty(),
        "step with decay": steps.with_decay(),
        "step with a sampled element": steps.with_sampled_element(),
        "penalty alone": steps.penalty_alone(),
    }
    times = interleaved(works, settings, times=8)
    where = f"MLP of {mlp.name}, batch {batch}"
    for name in ("penalty", "decay"):
        pair = {key: times[key] for key in ("step", f"step with {name}")}
        measured = ratio(times[f"step with {name}"], times["step"])
        yield ratio_row("step", f"training step with {name} / without, {where}", measured, pair, budget=1.05)
    with_sample, step, alone = times["step with a sampled element"], times["step"], times["penalty alone"]
    measured = _ratio_of_extras(with_sample, step, alone)
    difference = times["step with penalty"].median - step.median
    yield ratio_row(
        "step",
        f"extra cost of one sampled element through the model / of the penalty, {where}",
        measured,
        {key: times[key] for key in ("step", "step with a sampled element", "penalty alone")},
        budget=20.0,
        at_least=True,
        note="the sampled element's cost is the difference of two steps, the penalty's is measured alone, value and "
        f"gradient ({alone.median * 1e3:.3g} ms; as a difference of two steps of {step.median * 1e3:.3g} ms it reads "
        f"{difference * 1e3:.3g} ms)",
    )


def _small_batch(mlp: TypedMLP, batch: int, settings: Settings) -> Iterator[Row]:
    steps = Steps(mlp, batch, settings)
    works = {
        "step": steps.plain(),
        "step with penalty": steps.with_penalty(),
        "step with plain L2": steps.with_plain_l2(),
        "penalty alone": steps.penalty_alone(),
        "plain L2 alone": steps.plain_l2_alone(),
    }
    times = interleaved(works, settings, times=3)
    added = {name: times[f"step with {name}"].median / times["step"].median - 1 for name in ("penalty", "plain L2")}
    alone = ratio(times["penalty alone"], times["plain L2 alone"])
    yield ratio_row(
        "step",
        f"extra cost of the penalty / of plain L2 on every parameter, MLP of {mlp.name}, batch {batch}",
        _ratio_of_differences(times["step with penalty"], times["step with plain L2"], times["step"]),
        times,
        budget=1.5,
        note=f"the step takes {added['penalty']:+.1%} with the penalty, {added['plain L2']:+.1%} with plain L2; "
        f"value and gradient alone, outside a step: {alone.value:.2f} x",
    )


def _ratio_of_extras(whole: Timing, part: Timing, alone: Timing) -> Ratio:
    """``(whole - part) / alone``."""
    rounds = [(a - b) / c for a, b, c in zip(whole.samples, part.samples, alone.samples, strict=True)]
    return Ratio((whole.median - part.median) / alone.median, min(rounds), max(rounds))


def _ratio_of_differences(first: Timing, second: Timing, base: Timing) -> Ratio:
    """``(first - base) / (second - base)`` of medians, its range over two halves: single rounds are noisy."""

    def of(part: slice) -> float:
        a, b, c = (Timing(timing.samples[part], timing.calls).median for timing in (first, second, base))
        return (a - c) / (b - c)

    halves = [of(slice(0, None, 2)), of(slice(1, None, 2))]
    return Ratio(of(slice(None)), min(halves), max(halves))
