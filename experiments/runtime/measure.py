"""One run: training steps of one network with every regulariser, their memory, and the set-up of the projectors."""

import os
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from experiments.runtime.cases import Case
from experiments.runtime.methods import (
    DENSE_BYTES,
    DENSE_NUMEL,
    SAMPLED,
    alone,
    dense_numbers,
    step_of,
    timed_method,
)
from experiments.runtime.timing import Timing, interleaved
from intertwine.baselines import peak_memory
from intertwine.errors import IntertwineError

ONCE = ("plain", "plain_l2", "penalty", "decay", "augmentation", "lie_derivative", "rpp", "dense")
ALONE = ("plain_l2", "penalty", "decay")
FLOAT32 = 4


def measure_steps(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Times one network.

    Args:
        settings: ``group``, ``kind``, ``width``, ``batch``, ``side``, ``seed``, ``device`` of the ``Case``;
            ``samples``, how many sampled elements are tried; ``seconds`` on each work and ``least`` rounds.

    Returns:
        ``positions`` (batch times pixels), ``weights`` (typed numbers), ``parameters``, ``rank``; ``setup_seconds`` of
        ``bind`` and a first penalty, and ``constant_bytes`` then; ``dense_bytes``, what the N x D bases of all weights
        take in float32; ``threads``, ``load`` of the machine before; ``methods``: by method, for sampled ones
        ``name@n``, ``seconds`` a step, ``ratio`` to plain with quartiles, ``rounds`` and ``peak_memory`` in bytes, or
        the ``reason`` why it does not apply; ``alone``: seconds that a few methods add, outside a step.
    """
    case = Case.of(settings)
    load = os.getloadavg()[0]
    network = case.network()
    # scipy's modules are loaded first: half a second that is none of the projectors'.
    import scipy.linalg
    import scipy.sparse.csgraph  # noqa: F401

    start = time.perf_counter()
    binding = network.bind()
    # The first penalty builds what later ones use again.
    binding.penalty()
    setup = time.perf_counter() - start
    entries = [entry for entry in binding if entry.kind != "buffer"]
    weights = [entry.projector for entry in entries if entry.kind == "weight"]
    works, reasons = _steps(case, settings["samples"], dense_numbers(weights))
    outside: dict[str, Callable[[], object]] = {}
    for name in ALONE:
        outside[f"{name} alone"], outside[f"{name} idle"] = alone(name, case.network())
    # Several elements at once take long and are far from plain: few rounds, beside plain steps of their own.
    many = {name: work for name, work in works.items() if "@" in name and not name.endswith("@1")}
    rest = {name: work for name, work in works.items() if name not in many}
    times = interleaved(rest | outside, settings["seconds"], settings["least"], case.device)
    few = interleaved({"plain": works["plain"]} | many, 0.0, min(2, settings["least"]), case.device) if many else {}
    methods: dict[str, Any] = dict(reasons)
    for name, work in works.items():
        base, own = (few["plain"], few[name]) if name in many else (times["plain"], times[name])
        methods[name] = _outcome(own, base) | {"peak_memory": peak_memory(work)}
    return {
        "positions": case.positions,
        "weights": sum(entry.projector.numel for entry in entries),
        "parameters": sum(p.numel() for p in network.model.parameters()),
        "rank": sum(entry.projector.rank for entry in entries),
        "representation": str(case.fields(case.width)),
        "setup_seconds": setup,
        "constant_bytes": binding.constant_bytes,
        "dense_bytes": FLOAT32 * sum(dense_numbers(weights)),
        "threads": torch.get_num_threads(),
        "load": round(load, 2),
        "methods": methods,
        "alone": {name: max(0.0, times[f"{name} alone"].minus(times[f"{name} idle"])) for name in ALONE},
    }


def _steps(
    case: Case, samples: list[int], dense: list[int]
) -> tuple[dict[str, Callable[[], object]], dict[str, dict[str, str]]]:
    """A step of each method that applies, and why the others do not."""
    works: dict[str, Callable[[], object]] = {}
    reasons: dict[str, dict[str, str]] = {}
    wanted = [(name, name, 1) for name in ONCE] + [(f"{name}@{n}", name, n) for name in SAMPLED for n in samples]
    for key, name, count in wanted:
        if name == "dense" and (FLOAT32 * sum(dense) > DENSE_BYTES or max(dense) > DENSE_NUMEL):
            reasons[key] = {"reason": f"{FLOAT32 * sum(dense) / 2**30:.3g} GiB"}
            continue
        try:
            works[key] = step_of(timed_method(name, case.network(), count), case)
        except IntertwineError as error:
            reasons[key] = {"reason": str(error)}
    return works, reasons


def _outcome(own: Timing, plain: Timing) -> dict[str, Any]:
    ratio, low, high = own.over(plain)
    return {
        "seconds": own.median,
        "ratio": ratio,
        "ratio_low": low,
        "ratio_high": high,
        "plain_seconds": plain.median,
        "rounds": len(own.samples),
    }
