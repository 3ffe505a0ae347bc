"""A grid of independent runs spread over processes; what is finished is kept, so that a second call resumes."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch

from experiments.runs.progress import Progress
from experiments.runs.run_cache import Run, RunCache

Settings = Mapping[str, Any]
RunFunction = Callable[[Settings], Run]

# Read by a worker when it starts: small networks gain nothing from more threads, and the workers share the cores.
WORKER_ENVIRONMENT = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


@dataclass(frozen=True)
class GridResult:
    """What ``run_grid`` returns.

    Attributes:
        runs: settings and result of every run, in the order asked for.
        resumed: how many came from the cache.
        seconds: wall time of this call.
        workers: how many processes ran.
    """

    runs: tuple[tuple[Settings, Run], ...]
    resumed: int
    seconds: float
    workers: int


def run_grid(
    function: RunFunction,
    grid: Sequence[Settings],
    *,
    cache: RunCache,
    workers: int | None = None,
    progress: Progress | None = None,
) -> GridResult:
    """``function(settings)`` for every settings of the grid that the cache does not hold yet.

    Results must depend on the settings alone; each run has one thread, wherever it runs.

    Args:
        function: a function of a module (workers import it), from JSON values to a dict of JSON values.
        grid: the settings, each a dict of JSON values.
        cache: where finished runs are looked up and kept.
        workers: processes; one per core if None; 1 runs in this process.
        progress: told of every finished run.

    Raises:
        KeyboardInterrupt: Ctrl-C. Finished runs are in the cache, running ones are stopped; the next call resumes.
    """
    start = time.perf_counter()
    pending = [settings for settings in grid if settings not in cache]
    resumed = len(grid) - len(pending)
    workers = max(1, min(workers or available_cores(), len(pending)))
    progress = progress or Progress(None)
    with progress.running(len(grid), resumed):
        for settings, result in _each(function, pending, workers):
            cache.add(settings, result)
            progress.advance()
    runs = tuple((settings, cache[settings]) for settings in grid)
    return GridResult(runs, resumed, time.perf_counter() - start, workers)


def available_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _each(function: RunFunction, grid: Sequence[Settings], workers: int) -> Iterator[tuple[Settings, Run]]:
    """Settings with their results, as they finish."""
    if not grid:
        return
    if workers == 1:
        with one_thread():
            for settings in grid:
                yield settings, function(settings)
        return
    before = set(multiprocessing.active_children())
    executor = ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn"), initializer=_start_worker)
    try:
        with _workers_environment():
            futures = {executor.submit(function, settings): settings for settings in grid}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BaseException:
        # Ctrl-C, a run that failed, or a caller that stopped: nobody waits for the others.
        for process in set(multiprocessing.active_children()) - before:
            process.terminate()
        raise
    finally:
        executor.shutdown(cancel_futures=True)


def _start_worker() -> None:
    """One thread for torch, and an end with the parent's, however that comes."""
    torch.set_num_threads(1)
    parent = multiprocessing.parent_process()

    def follow() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=follow, daemon=True).start()


@contextmanager
def one_thread() -> Iterator[None]:
    """One thread for torch inside, as workers have; as it was afterwards."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


@contextmanager
def _workers_environment() -> Iterator[None]:
    """What a process started inside inherits: the variables above, and deafness to Ctrl-C, which is the parent's."""
    former = {name: os.environ.get(name) for name in WORKER_ENVIRONMENT}
    main = threading.current_thread() is threading.main_thread()
    handler = signal.signal(signal.SIGINT, signal.SIG_IGN) if main else None
    os.environ.update(WORKER_ENVIRONMENT)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
        if main:
            signal.signal(signal.SIGINT, handler)
