"""Ours beside each peer's: seconds to build the projector, and to project a batch of weights."""

import importlib.metadata
import importlib.util
import time
from collections.abc import Callable, Iterator

import numpy as np
import torch

import intertwine as iw
from benchmarks.measuring.estimate import Question, answered, ratio
from benchmarks.measuring.timing import Timing
from benchmarks.peers.known import PEERS
from benchmarks.peers.peer import Case, Peer, Weights
from benchmarks.peers.record import recorded_summary
from benchmarks.row import Row, estimate_row
from benchmarks.settings import Settings

BATCH = 8


def rows(settings: Settings) -> Iterator[Row]:
    """For every installed peer two rows a case; for the others one row that says so. Always on the CPU."""
    dims = (16,) if settings.quick else (256, 1024)
    for peer in PEERS:
        if importlib.util.find_spec(peer.module) is None:
            yield Row(
                "peers",
                f"{peer.name}'s projector",
                None,
                note=f"{peer.name} is not installed. {recorded_summary(peer)}",
            )
            continue
        for case in peer.cases(dims):
            yield from _compare(peer, case, settings)


def _compare(peer: Peer, case: Case, settings: Settings) -> Iterator[Row]:
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in peer.versions)
    theirs_built, project = _timed(case.build)
    ours_built, P = _timed(lambda: iw.projector(case.rep, case.rep))
    # Built once each: libraries keep what they have built, a second time would measure a look-up.
    times = {peer.name: Timing((theirs_built,)), "ours": Timing((ours_built,))}
    work = f"building the projector, {peer.name} / ours, {case.name}"
    yield Row("peers", work, theirs_built / ours_built, timings=times, note=versions)
    generator = np.random.default_rng(settings.seed)
    weights = generator.standard_normal((BATCH, case.rep.dim, case.rep.dim), dtype=np.float32)

    def ours() -> Weights:
        return np.stack([P.project(torch.from_numpy(W)).numpy() for W in weights])

    works = {peer.name: lambda: project(weights), "ours": ours}
    difference = float(np.linalg.norm(project(weights) - ours()) / np.linalg.norm(weights))
    questions = {"ratio": Question(ratio(peer.name, "ours"))}
    yield estimate_row(
        "peers",
        f"projecting {BATCH} weights, {peer.name} / ours, {case.name}",
        answered(lambda: works, questions, settings),
        questions,
        "ratio",
        note=f"the two projections differ by {difference:.1e} of the weights' norm",
    )


def _timed(work: Callable[[], object]) -> tuple[float, object]:
    start = time.process_time()
    result = work()
    return time.process_time() - start, result
