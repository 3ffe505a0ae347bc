"""Certificates beside the largest error that ascent finds: `python -m benchmarks.certificates --record`."""

import argparse
import itertools
from pathlib import Path

import torch
from torch import nn

import intertwine as iw
from benchmarks.measuring.environment import machine

RESULTS = Path(__file__).parents[2] / "results" / "certificates"
SEEDS, STARTS, STEPS = 3, 64, 60
# What is taken off the residual of every weight.
ALPHAS = (0.0, 0.9, 0.99, 1.0)
ABOUT = """# Certificates, and the largest errors found

D4, float64, torch's own initial weights, `binding.blend_(alpha)`, then `|f(g x) - g f(x)|` for |x| = 1. Median over
seeds 0 to {last}.

* *found*: the largest that {steps} steps of gradient ascent find from {starts} starts for each element.
* *on inputs*: the certificate of the {few} inputs of the largest errors there.
* *radius 1*: that of all inputs; *over*: by *found*. Where there are no residuals, *found* is rounding.

{table}

{machine[date]}, {machine[processor]}, {machine[cores]} cores, torch {machine[torch]};
`python -m benchmarks.certificates --record`.
"""
FEW = 4
G = iw.Dihedral(4)


def perceptron(depth: int) -> nn.Module:
    """Linear layers of width 32 with ReLU between."""
    widths = [8, *[32] * (depth - 1), 8]
    layers = itertools.chain(*((nn.Linear(a, b), nn.ReLU()) for a, b in itertools.pairwise(widths)))
    return nn.Sequential(*list(layers)[:-1])


def convolutional() -> nn.Module:
    """Two convolutions with ReLU, and a mean over pixels."""
    return nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1), nn.ReLU()),
        *(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3)),
    )


V, IMAGE = G.regular(), iw.on_grid(G.trivial())
NETWORKS = {
    "linear": (lambda: perceptron(1), V, V, (1, 8)),
    "perceptron, 2 layers": (lambda: perceptron(2), V, V, (1, 8)),
    "perceptron, 4 layers": (lambda: perceptron(4), V, V, (1, 8)),
    "perceptron, 8 layers": (lambda: perceptron(8), V, V, (1, 8)),
    "convolutions, 9 pixels": (convolutional, IMAGE, 3 * G.trivial(), (1, 1, 9, 9)),
}


def acting(rep: object, g: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
    """``g x``."""
    found: torch.Tensor = rep.act(g, x) if isinstance(rep, iw.Representation) else rep(g, x)  # type: ignore[operator]
    return found


def largest(model: nn.Module, rep_in: object, rep_out: object, shape: tuple[int, ...]) -> tuple[float, torch.Tensor]:
    """The largest error that ascent finds on the unit sphere, and the inputs of the largest."""
    errors, inputs = [], []
    for g in G.elements()[1:]:
        x = torch.randn(STARTS, *shape[1:], dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        for step in range(STEPS + 1):
            x = nn.functional.normalize(x.flatten(1), dim=1).view_as(x).detach().requires_grad_()
            error = (model(acting(rep_in, g, x)) - acting(rep_out, g, model(x))).flatten(1).norm(dim=1)
            if step < STEPS and bool(error.detach().max() > 0):
                (slope,) = torch.autograd.grad(error.sum(), x)
                x = x.detach() + 0.2 * nn.functional.normalize(slope.flatten(1), dim=1).view_as(x)
        errors.append(error.detach())
        inputs.append(x.detach())
    together = torch.cat(errors)
    return float(together.max()), torch.cat(inputs)[together.topk(FEW).indices]


def main(arguments: list[str] | None = None) -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.certificates", description=__doc__)
    parser.add_argument("--record", action="store_true", help="also write results/certificates/README.md")
    parser.add_argument("--quick", action="store_true", help="one seed: does everything run?")
    options = parser.parse_args(arguments)
    seeds = 1 if options.quick else SEEDS
    head = ("network", "alpha", "found", "on inputs", "radius 1", "over")
    lines = [head, ("---",) * len(head)]
    for (name, (make, rep_in, rep_out, shape)), alpha in itertools.product(NETWORKS.items(), ALPHAS):
        rows = []
        for seed in range(seeds):
            torch.manual_seed(seed)
            model = make().double().eval()
            example = torch.randn(shape, dtype=torch.float64)
            binding = iw.bind(model, rep_in=rep_in, rep_out=rep_out, example=example).blend_(alpha)
            found, inputs = largest(model, rep_in, rep_out, shape)
            here = iw.certificate(model, binding, inputs=inputs).bound
            rows.append((found, here, iw.certificate(model, binding, 1.0, example=example).bound))
        middle = torch.tensor(rows, dtype=torch.float64).median(0).values.tolist()
        over = f"{middle[2] / middle[0]:.3g}" if alpha < 1 else ""
        lines.append((name, f"{alpha:g}", *(f"{value:.2g}" for value in middle), over))
        print(*lines[-1], flush=True)
    table = "\n".join("| " + " | ".join(line) + " |" for line in lines)
    page = ABOUT.format(table=table, machine=machine("cpu"), steps=STEPS, starts=STARTS, few=FEW, last=seeds - 1)
    print(page)
    if options.record:
        RESULTS.mkdir(parents=True, exist_ok=True)
        (RESULTS / "README.md").write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
