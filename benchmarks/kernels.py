"""``python -m benchmarks.kernels``: convolution kernels against the dense basis, and within training steps."""

import argparse
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import torch

import intertwine as iw
from benchmarks.measuring.environment import machine, restart_for_measuring
from benchmarks.measuring.estimate import Question, answered, estimate, ratio
from benchmarks.measuring.timing import Samples, Timing, sample
from benchmarks.resnets import TypedResNet, d4_resnet18, so3_resnet
from benchmarks.row import Row, estimate_row
from benchmarks.settings import QUICK, Settings
from benchmarks.weights import so3_irreps

NETWORKS = {"so3": so3_resnet, "d4": d4_resnet18}
RESULTS = Path(__file__).parents[1] / "results" / "kernels"
ROUNDS = 6


def rows(settings: Settings) -> Iterator[Row]:
    """The dense basis, then the two networks."""
    yield from dense(settings)
    yield from network("so3", settings, with_decay=False)
    yield from network("d4", settings, with_decay=True)


def dense(settings: Settings) -> Iterator[Row]:
    """``P W`` by blocks against ``Q (Q^T W)`` with the orthonormal N x D basis of the whole layer, in float32."""
    dims = (32, 32) if settings.quick else (64, 128)
    P = iw.projector(so3_irreps(dims[0]), so3_irreps(dims[1]), kernel=(3, 3, 3))
    W = torch.randn(P.shape, generator=torch.Generator().manual_seed(settings.seed)).to(settings.device)
    Q = dense_basis(P).to(settings.device)
    flat = W.reshape(-1)
    distance = (P.project(W).reshape(-1) - Q.T @ (Q @ flat)).norm() / flat.norm()
    works = {"dense": lambda: Q.T @ (Q @ flat), "ours": lambda: P.project(W)}
    questions = {"ratio": Question(ratio("dense", "ours"), budget=50.0, at_least=True)}
    with torch.no_grad():
        found = answered(lambda: works, questions, settings)
    what = f"SO(3) l = 0..3, {dims[0] // 16} -> {dims[1] // 16} copies, 3^3"
    note = f"N = {P.numel}, D = {P.rank}; {Q.nbytes / 1e6:.4g} MB in float32, ours {P.constant_bytes / 1e6:.3g} MB in "
    note += f"float64; the two differ by {float(distance):.1e} |W|"
    yield estimate_row("kernels", f"dense N x D projection / ours, {what}", found, questions, "ratio", note=note)
    yield Row(
        "kernels",
        f"memory of the dense basis / ours, {what}",
        Q.nbytes / P.constant_bytes,
        budget=1000.0,
        at_least=True,
    )


def dense_basis(P: iw.Projector) -> torch.Tensor:
    """Q^T, float32, shape (D, N): each pair's basis written out for every pair of copies, as a user would."""
    rep_out, rep_in = P.axes[0], P.axes[1]
    if rep_out is None or rep_in is None:
        raise TypeError("P: expected a projector of kernels")
    sides = P.shape[2:]
    out = torch.zeros(P.rank, *(n for n in P.shape if n is not None))
    row = 0
    for one, rows_ in zip(rep_out.segments, rep_out.slices, strict=True):
        for two, columns in zip(rep_in.segments, rep_in.slices, strict=True):
            one_each = [iw.Representation(P.group, (type(segment)(1, segment.field),)) for segment in (two, one)]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", iw.RankZeroWarning)
                pair = iw.projector(*one_each, kernel=tuple(n or 0 for n in sides))
            basis = pair.basis().float()
            a, b = one.field.dim, two.field.dim
            for i in range(one.mul):
                for j in range(two.mul):
                    top, left = rows_.start + i * a, columns.start + j * b
                    out[row : row + len(basis), top : top + a, left : left + b] = basis
                    row += len(basis)
    return out.reshape(row, -1)


def network(name: str, settings: Settings, *, with_decay: bool) -> Iterator[Row]:
    """Penalty with gradient, decay and plain L2 beside one training step; set-up of all projectors, nothing cached."""
    net = NETWORKS[name](settings)
    binding = net.bind()
    step = net.step(settings)
    step()  # gradients are there from now on, and the penalty's are added to them
    works: dict[str, Callable[[], object]] = {"penalty": lambda: binding.penalty(strength=0.1).backward()}
    if with_decay:
        works["decay"] = _decay(net, binding)
    typed = [
        net.model.get_parameter(entry.name) for entry in binding if entry.name in dict(net.model.named_parameters())
    ]
    works["plain L2"] = lambda: torch.stack([W.pow(2).sum() for W in typed]).sum().backward()
    samples = paired(step, works, settings)
    times = {name: Timing.of([taken]) for name, taken in samples.items()}
    size = " x ".join(map(str, net.batch))
    weights = sum(entry.projector.numel for entry in binding)
    what = f"{net.name} ({weights / 1e6:.3g} M weights in {len(binding)} typed parameters), batch {size}"
    for work in works:
        measured = estimate((100 * samples[work] / samples["step"]).tolist())
        yield Row(
            "kernels",
            f"{work} on every layer / training step, {what}",
            measured.value,
            "%",
            budget=None if work == "plain L2" else 5.0,
            low=measured.low,
            high=measured.high,
            passes=measured.passes,
            timings={key: times[key] for key in ("step", work)},
            note=f"{work} {times[work].median * 1e3:.3g} ms, step {times['step'].median:.3g} s, {ROUNDS} rounds",
        )
    yield Row("kernels", f"set-up of all projectors, {what}", setup_seconds(name), "s", budget=5.0)


def _decay(net: TypedResNet, binding: iw.Binding) -> Callable[[], object]:
    """The decay alone: an optimiser step that does nothing else."""
    from benchmarks.decay import Still

    optimizer = Still(net.model.parameters(), lr=1e-6)
    iw.EquivarianceDecay(optimizer, binding, strength=1.0)
    return optimizer.step


def paired(step: Callable[[], object], works: Mapping[str, Callable[[], object]], settings: Settings) -> Samples:
    """A long step and short works in turn: a step, then each work several times."""
    calls = 1 if settings.quick else 5
    samples: dict[str, list[float]] = {name: [] for name in ("step", *works)}
    for work in works.values():
        work()
    for _ in range(ROUNDS):
        samples["step"].append(sample(step, 1, settings.device))
        for name, work in works.items():
            work()
            samples[name].append(sample(work, calls, settings.device))
    return {name: np.array(taken) for name, taken in samples.items()}


def setup_seconds(name: str) -> float:
    """CPU seconds of ``bind`` in a process that has built nothing before."""
    command = [sys.executable, "-m", "benchmarks.kernels", "--setup", name]
    done = subprocess.run(command, check=True, capture_output=True, text=True, cwd=Path(__file__).parents[1])
    return float(done.stdout)


def main() -> None:
    """Measures, prints the table, writes the record."""
    restart_for_measuring()
    from benchmarks.pages.record import write_record
    from benchmarks.pages.table import show

    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes: does everything run?")
    parser.add_argument("--out", type=Path, default=Path("runs/kernels"), help="folder of the record")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--record", action="store_true", help="also write to results/kernels")
    parser.add_argument("--setup", choices=sorted(NETWORKS), help="print the seconds that one network's bind takes")
    options = parser.parse_args()
    if options.setup:
        net = NETWORKS[options.setup](QUICK)
        start = time.process_time()
        net.bind()
        print(time.process_time() - start)
        return
    settings = Settings(quick=options.quick, device=options.device, seed=options.seed)
    start = time.perf_counter()
    header: dict[str, object] = {
        "command": "python -m benchmarks.kernels " + " ".join(sys.argv[1:]),
        "quick": options.quick,
        "seed": options.seed,
        "machine": machine(options.device),
    }
    measured = list(rows(settings))
    header |= {"seconds": round(time.perf_counter() - start, 1), "processor_seconds": round(time.process_time(), 1)}
    show(measured, header)
    folders = [options.out, RESULTS] if options.record and not options.quick else [options.out]
    print("written:", *(path for folder in folders for path in write_record(measured, header, folder)))


if __name__ == "__main__":
    main()
