"""A small net of C4 fields with its binding, and data that no symmetry is in."""

from typing import Any

import torch
from torch import nn

import intertwine as iw

V = 2 * iw.Cyclic(4).regular()


def net(seed: int = 0, dtype: torch.dtype = torch.float64) -> tuple[nn.Module, iw.Binding]:
    torch.manual_seed(seed)
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 8)).to(dtype)
    return model, iw.bind(model, {"0": (V, V), "2": (V, V)})


def data(count: int = 24, dtype: torch.dtype = torch.float64) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(count, 8, generator=generator, dtype=dtype)
    return x, torch.randn(count, 8, generator=generator, dtype=dtype)


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: W.detach().clone() for name, W in model.named_parameters()}


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    """To the bit."""
    assert found.keys() == expected.keys()
    for name, W in found.items():
        assert torch.equal(W, expected[name]), name


def off(binding: iw.Binding) -> float:
    return max(residual.relative_residual for residual in binding.residuals().values())


class Recorder(torch.optim.SGD):
    """Keeps the gradients of each step, and leaves the weights where they are."""

    def __init__(self, params: Any, lr: float = 0.0) -> None:
        super().__init__(params, lr=lr)
        self.seen: list[list[torch.Tensor]] = []

    def step(self, closure: Any = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        self.seen.append([W.grad.clone() for group in self.param_groups for W in group["params"]])
        return loss


def added(binding: iw.Binding, strength: float) -> list[torch.Tensor]:
    """The gradient of the penalty by each parameter, by its formula."""
    return [strength * entry.projector.residual(W.detach()) for entry, W in binding.tensors()]
