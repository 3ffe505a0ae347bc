"""``python -m benchmarks.optimizers.thousand``: equivariant weights after 1000 steps, alone, with the decay, and split.

The table of docs/guide/optimizers.md. One float32 weight between irreps, from W = PW, on a regression whose gradient is
equivariant to rounding: inputs of unit covariance, targets T x and noise that no weight explains.
"""

import argparse
import math
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

import intertwine as iw
from benchmarks.optimizers.classes import Candidate, Loss, by_gradient, candidates, learning_rate, make, switch
from benchmarks.optimizers.measure import representations

# With whether it works entry by entry, so that a split means something.
CHOSEN = {
    ("torch.optim", "AdamW"): True,
    ("torch.optim", "Adafactor"): True,
    ("lion_pytorch", "Lion"): True,
    ("schedulefree", "AdamWScheduleFree"): True,
    ("prodigyopt", "Prodigy"): True,
    ("torch.optim", "Muon"): False,
    ("pytorch_optimizer", "Shampoo"): False,
    ("pytorch_optimizer", "SOAP"): False,
    ("bitsandbytes.optim", "AdamW8bit"): False,
}
LAST = 100
WAYS = ("alone", "decay", "split")


def main(arguments: list[str] | None = None) -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.optimizers.thousand", description=__doc__)
    parser.add_argument("--steps", type=int, default=1000)
    steps = parser.parse_args(arguments).steps
    reps = {"D4": representations(4)["irreps"], "SO(3)": iw.SO(3).irreps("8x0 + 6x1 + 4x2")}
    print(f"| optimiser | {' | '.join(f'{name}: {way}' for name in reps for way in WAYS)} |")
    print("|---|" + "--:|" * len(reps) * len(WAYS))
    for candidate, entrywise in chosen():
        cells = []
        for rep in reps.values():
            cells += [f"{residual(candidate, rep, way, steps):.0e}" for way in WAYS if way != "split" or entrywise]
            cells += [] if entrywise else ["as it is"]
        print(
            f"| {candidate.name} ({candidate.package.split('.')[0]} {candidate.version}) | {' | '.join(cells)} |",
            flush=True,
        )


def chosen() -> Iterator[tuple[Candidate, bool]]:
    """Those that are installed, in order."""
    found = {(one.package, one.name): one for one in candidates(list({package for package, _ in CHOSEN}))}
    return ((found[key], entrywise) for key, entrywise in CHOSEN.items() if key in found)


def residual(candidate: Candidate, rep: iw.Representation, way: str, steps: int) -> float:
    """The largest relative residual of the last steps, and of eval mode after them.

    Raises:
        RuntimeError: W did not move.
    """
    torch.manual_seed(0)
    layer = nn.Linear(rep.dim, rep.dim, bias=False)
    binding = iw.bind(layer, {"": (rep, rep)})
    binding.project_()
    start, loss = layer.weight.detach().clone(), regression(layer, binding["weight"].projector)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        optimizer = split(candidate, layer, binding) if way == "split" else make(candidate, layer)
        if way == "decay":
            iw.EquivarianceDecay(optimizer, binding, strength=math.inf)
        switch(optimizer, "train")
        found = []
        for step in range(steps):
            by_gradient(optimizer, layer.weight, loss)
            # Signs go back and forth: W of one step alone says little.
            found += [_residual(binding)] if step >= steps - LAST else []
        if float((layer.weight.detach() - start).norm()) < 0.1 * float(start.norm()):
            raise RuntimeError(f"{candidate.key} did not move W")
        switch(optimizer, "eval")
    return max(*found, _residual(binding))


def _residual(binding: iw.Binding) -> float:
    return float(binding.residuals()["weight"].relative_residual)


def split(candidate: Candidate, layer: nn.Module, binding: iw.Binding) -> torch.optim.Optimizer:
    """Around the optimiser; ours in place of AdamW."""
    rate = learning_rate(candidate)
    if candidate.name == "AdamW":
        return iw.SplitAdamW(layer.parameters(), binding, lr=rate or 1e-3, strength=math.inf)
    kind: Callable[..., Any] = candidate.kind
    return iw.SplitOptimizer(lambda groups: kind(groups, lr=rate), layer.parameters(), binding, strength=math.inf)


def regression(layer: nn.Module, P: iw.Projector) -> Loss:
    """``mean |W x - y|^2`` over 2 n inputs of unit covariance, whose gradient is 2 (W - T), with T = P T."""
    n = layer.in_features
    generator = torch.Generator().manual_seed(1)
    Q = torch.linalg.qr(torch.randn(2 * n, 2 * n, generator=generator, dtype=torch.float64))[0] * (2 * n) ** 0.5
    T = P.project(torch.randn(n, n, generator=generator, dtype=torch.float64)) / n**0.5
    x, y = Q[:, :n].float(), (Q[:, :n] @ T.T + Q[:, n:]).float()
    return lambda: (layer(x) - y).square().sum(1).mean()


if __name__ == "__main__":
    main()
