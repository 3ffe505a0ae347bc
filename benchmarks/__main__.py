"""``python -m benchmarks``: measures, prints the budget table, writes the record."""

import argparse
import os
import sys
import time
from pathlib import Path

from benchmarks.measuring.environment import machine, restart_for_measuring

RESULTS = Path(__file__).parents[1] / "results" / "bench"


def main() -> int:
    """Returns 0 whatever the verdicts: a missed budget is a finding, not a failure of the run."""
    restart_for_measuring()
    # What loads torch comes after the restart, so that it is loaded once.
    from dataclasses import replace

    from benchmarks.pages.record import write_record
    from benchmarks.pages.table import show
    from benchmarks.run import measure
    from benchmarks.sections import SECTIONS
    from benchmarks.settings import QUICK, Settings

    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="The budget table of intertwine.")
    parser.add_argument("--quick", action="store_true", help="small sizes, few repetitions: does everything run?")
    parser.add_argument("--only", action="append", choices=list(SECTIONS), help="one section; may be given again")
    parser.add_argument(
        "--out", type=Path, default=Path("runs/bench"), help="folder of the record (default runs/bench)"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seed", type=int, default=0, help="of weights and data")
    parser.add_argument("--seconds", type=float, help=f"for each pass (default {Settings().seconds:g})")
    parser.add_argument("--record", action="store_true", help=f"also write to {RESULTS.parent.name}/{RESULTS.name}")
    options = parser.parse_args()
    if options.device == "cuda":
        import torch

        if not torch.cuda.is_available():
            parser.error("--device cuda: torch finds no CUDA device")
    if options.record and (options.quick or options.only not in (None, ["peers"])):
        parser.error("--record wants a full run, or --only peers alone: a record with gaps would replace a whole one")
    settings = replace(QUICK if options.quick else Settings(), device=options.device, seed=options.seed)
    settings = replace(settings, seconds=options.seconds or settings.seconds)
    start = time.perf_counter()
    header: dict[str, object] = {
        "command": "python -m benchmarks " + " ".join(sys.argv[1:]),
        "quick": options.quick,
        "seed": options.seed,
        "machine": machine(options.device),
    }
    rows = measure(options.only or list(SECTIONS), settings)
    header |= {"seconds": round(time.perf_counter() - start, 1), "processor_seconds": round(time.process_time(), 1)}
    header |= {"load_after": round(os.getloadavg()[0], 2)}
    show(rows, header)
    if options.record and options.only == ["peers"]:
        from benchmarks.peers.record import update_record

        written = [update_record(rows, header, RESULTS)]
    else:
        written = write_record(rows, header, options.out)
        if options.record:
            written += write_record(rows, header, RESULTS)
    print("written:", ", ".join(map(str, written)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
