"""``python -m benchmarks.models --write results/models``: the table of whole models, failures included.

A package that is missing is left out, and said to be. Rows that are not run anew stay as they are recorded, and each
row is written when it is found: so packages that do not go together have their turns, and a run can be stopped.
"""

import argparse
import importlib
import importlib.util
import pkgutil
import re
import time
from collections.abc import Callable
from pathlib import Path

import torch

import intertwine as iw
from benchmarks.models import sources
from benchmarks.models.case import Case
from benchmarks.models.table import FIELDS, write
from intertwine.tracing.models.evaluating import Runner
from intertwine.tracing.models.value_trees import copied, mapped, tensors
from intertwine.tracing.record import run


def measured(case: Case) -> dict[str, object]:
    """One row."""
    model = case.make().eval()
    row: dict[str, object] = {"model": case.name, "source": case.source, "size": case.size}
    options = {"rep_in": case.rep_in, "rep_out": case.rep_out, "example": case.example}
    runner = Runner(model)
    runner(case.example)
    row["forward_s"] = _seconds(lambda: runner(case.example))
    start = time.perf_counter()
    binding = iw.bind(model, **options, check=False)
    middle = time.perf_counter()
    found = iw.bind(model, **options)
    row["bind_s"] = f"{middle - start:.2f}"
    row["check_s"] = f"{max(time.perf_counter() - middle - (middle - start), 0.0):.2f}"
    sizes = {name: parameter.numel() for name, parameter in model.named_parameters()}
    lost = sum(sizes.get(name, 0) for name in found.unaccounted)
    assert found.inference is not None  # noqa: S101 - inferred above
    row |= {
        "group": str(binding.group),
        "typed": len(found),
        "free": len(found.free),
        "unaccounted": len(found.unaccounted),
        "share_typed": f"{1 - lost / max(sum(sizes.values()), 1):.3f}",
        "unknown": " ".join(found.inference.unknown),
        "breakers": len(found.breakers) + bool(found.inference.output_conflict),
        "first_breaker": f"{found.breakers[0].module}: {found.breakers[0].function}"
        if found.breakers
        else found.inference.output_conflict.partition(":")[0],
    }
    project_at_size(found, model)
    _with_statistics(found, model, case.example)
    error = iw.equivariance_error(model, case.rep_in, case.rep_out, case.example, num_samples=8, group=found.group)
    row["error"] = f"{error.relative_worst:.1e}"
    row["varies"] = f"{_variation(runner, case.example):.1e}"
    return row


def _variation(runner: Runner, example: object) -> float:
    """How far the output moves, of its size, when all floating inputs do by a tenth of their spread, at random."""
    generator = torch.Generator().manual_seed(1)

    def moved(x: torch.Tensor) -> torch.Tensor:
        if not x.is_floating_point():
            return x
        noise = torch.randn(x.shape, generator=generator, dtype=x.dtype)
        return x + 0.1 * x.std() * noise if x.numel() > 1 else x

    before, after = (tensors(runner(x)) for x in (example, mapped(example, moved)))
    pairs = [(one.double(), two.double()) for one, two in zip(before, after, strict=True)]
    whole = sum(float(one.abs().square().sum()) for one, _ in pairs)
    change = sum(float((two - one).abs().square().sum()) for one, two in pairs)
    return (change / whole) ** 0.5 if whole else 0.0


def project_at_size(binding: iw.Binding, model: torch.nn.Module) -> None:
    """Projects, and brings each weight back to its norm: random ones shrink, so that deep networks would give zeros."""
    tensors = dict(model.named_parameters())
    names = [entry.name for entry in binding if entry.kind == "weight" and entry.name in tensors]
    before = {name: tensors[name].detach().norm() for name in names}
    binding.project_()
    with torch.no_grad():
        for name in names:
            tensors[name].mul_(before[name] / tensors[name].norm().clamp(min=1e-12))


def _with_statistics(binding: iw.Binding, model: torch.nn.Module, example: object) -> None:
    """Running statistics of the example, projected: with those of a new model deep networks give their biases alone."""
    norms = [one for one in model.modules() if isinstance(one, torch.nn.modules.batchnorm._BatchNorm)]
    norms = [one for one in norms if one.track_running_stats]
    momenta = [one.momentum for one in norms]
    for norm in norms:
        norm.train()
        norm.momentum = 1.0
    try:
        if norms:
            with torch.no_grad():
                run(model, copied(example))
    except ValueError:  # one value a channel has no variance
        for norm in norms:
            norm.reset_running_stats()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.eval()
        norm.momentum = momentum
    if norms:
        binding.project_()


def _seconds(call: Callable[[], object]) -> str:
    start = time.perf_counter()
    call()
    return f"{time.perf_counter() - start:.2f}"


def operators_of_torchvision() -> None:
    """Defines by name the compiled operators that torchvision mentions, where its build is none of this torch."""
    spec = importlib.util.find_spec("torchvision")
    if spec is None or spec.origin is None:
        return
    source = (Path(spec.origin).parent / "_meta_registrations.py").read_text(encoding="utf-8")
    names = set(re.findall(r'register_meta\("(\w+)"', source)) | set(re.findall(r"torchvision::(\w+)", source))
    library = torch.library.Library("torchvision", "DEF")
    for name in sorted(names):
        library.define(f"{name}(Tensor x) -> Tensor")
    _KEPT.append(library)


_KEPT: list[torch.library.Library] = []


def main() -> None:
    """Run the cases and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, default=None, help="folder of the record")
    parser.add_argument("--source", default="", help="a regular expression that sources fit: of_timm")
    parser.add_argument("--only", default="", help="a regular expression that names fit")
    arguments = parser.parse_args()
    operators_of_torchvision()
    for source in pkgutil.iter_modules(sources.__path__):
        if not re.search(arguments.source, source.name):
            continue
        try:
            cases = importlib.import_module(f"{sources.__name__}.{source.name}").cases()
        except ModuleNotFoundError as error:
            print(f"{source.name} left out: {error}")
            continue
        for case in cases:
            if not re.search(arguments.only, case.name):
                continue
            try:
                row = measured(case)
            except Exception as error:  # noqa: BLE001 - a failure is a row of the table
                row = {"model": case.name, "source": case.source, "size": case.size}
                row["first_breaker"] = f"failed: {type(error).__name__}: {str(error)[:120]}"
            print(" | ".join(str(row.get(field, "")) for field in FIELDS), flush=True)
            if arguments.write is not None:
                write(arguments.write, row)


if __name__ == "__main__":
    main()
