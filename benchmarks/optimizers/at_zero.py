"""``python -m benchmarks.optimizers.at_zero``: ``SplitAdamW`` at strength 0 beside AdamW, a table.

Perceptrons of D4 fields learn a teacher that is equivariant but for a share of another: mean square error on fresh
inputs after 500 steps, in parts of the targets' variance, five paired seeds.
"""

import math
import statistics
from collections.abc import Callable

import torch
from torch import nn

import intertwine as iw

STEPS, SEEDS, BATCH = 500, 5, 64
Make = Callable[[nn.Module, iw.Binding], torch.optim.Optimizer]
MAKES: dict[str, Make] = {
    "AdamW": lambda model, binding: torch.optim.AdamW(model.parameters(), lr=3e-3),
    "SplitAdamW, 0": lambda model, binding: iw.SplitAdamW(model.parameters(), binding, lr=3e-3, strength=0.0),
    "SplitAdamW, inf": lambda model, binding: iw.SplitAdamW(model.parameters(), binding, lr=3e-3, strength=math.inf),
}


def main() -> None:
    """Prints the table."""
    print("| share that is not equivariant | " + " | ".join(MAKES) + " | 0 - AdamW, paired |")
    print("|---|" + "--:|" * (len(MAKES) + 1))
    for share in (0.0, 0.1, 0.5):
        errors = {name: [error(make, share, seed) for seed in range(SEEDS)] for name, make in MAKES.items()}
        difference = [b - a for a, b in zip(errors["AdamW"], errors["SplitAdamW, 0"], strict=True)]
        print(f"| {share} | {' | '.join(map(shown, [*errors.values(), difference]))} |", flush=True)


def shown(values: list[float]) -> str:
    """Mean and standard error."""
    return f"{statistics.mean(values):.4f} +- {statistics.stdev(values) / len(values) ** 0.5:.4f}"


def perceptron(seed: int) -> tuple[nn.Module, iw.Binding]:
    """Of D4 fields, 16-64-8."""
    torch.manual_seed(seed)
    field = iw.Dihedral(4).regular()
    model = nn.Sequential(nn.Linear(16, 64), nn.ReLU(), nn.Linear(64, 8))
    return model, iw.bind(model, {"0": (2 * field, 8 * field), "2": (8 * field, field)})


@torch.no_grad()
def teacher(share: float, seed: int) -> Callable[[torch.Tensor], torch.Tensor]:
    """Of unit variance, but for the share."""
    (symmetric, binding), (other, _) = perceptron(1000 + seed), perceptron(2000 + seed)
    binding.project_()
    x = torch.randn(4096, 16)
    a, b = (model(x).std() for model in (symmetric, other))
    return lambda x: ((1 - share) ** 0.5 * symmetric(x) / a + share**0.5 * other(x) / b).detach()


def error(make: Make, share: float, seed: int) -> float:
    """On fresh inputs."""
    model, binding = perceptron(seed)
    target, optimizer = teacher(share, seed), make(model, binding)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(512, 16, generator=generator)
    y = target(x)
    for _ in range(STEPS):
        some = torch.randint(len(x), (BATCH,), generator=generator)
        optimizer.zero_grad()
        (model(x[some]) - y[some]).square().mean().backward()
        optimizer.step()
    x = torch.randn(2048, 16, generator=generator)
    y = target(x)
    with torch.no_grad():
        return float((model(x) - y).square().mean() / y.var())


if __name__ == "__main__":
    main()
