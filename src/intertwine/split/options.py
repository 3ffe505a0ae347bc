"""The options of a param group of SplitAdamW."""

import math
from dataclasses import dataclass, replace
from typing import Any

import torch

from intertwine._arguments import real_number
from intertwine.errors import ArgumentError
from intertwine.projectors.norms.proximal import Rate


@dataclass(frozen=True)
class Options:
    """Those of AdamW, by its names; ``lr`` is a tensor where it is not waited for."""

    lr: Rate
    beta1: float
    beta2: float
    eps: float
    weight_decay: float
    maximize: bool
    capturable: bool

    def times(self, factor: float) -> "Options":
        """Those of which one step is ``factor`` times this one's, for a rate above 0: f ((1 - lr wd) W - lr u)."""
        lr = float(self.lr) * factor
        return replace(self, lr=lr, weight_decay=(1 - factor + lr * self.weight_decay) / lr)


def options_of(group: dict[str, Any]) -> Options:
    """Of a param group that ``check_options`` takes."""
    lr, (beta1, beta2) = group["lr"], group["betas"]
    if isinstance(lr, torch.Tensor) and not group["capturable"]:
        lr = float(lr)
    names = ("eps", "weight_decay", "maximize", "capturable")
    return Options(lr, float(beta1), float(beta2), **{name: group[name] for name in names})


def check_options(group: dict[str, Any]) -> None:
    """Whether its numbers are in range.

    Raises:
        ArgumentError: one is not.
    """
    betas = group["betas"]
    if not isinstance(betas, tuple | list) or len(betas) != 2:
        raise ArgumentError("betas", expected="two numbers in [0, 1)", got=repr(betas)[:80])
    for i, beta in enumerate(betas):
        if real_number(f"betas[{i}]", beta, "a number in [0, 1)", minimum=0) >= 1:
            raise ArgumentError(f"betas[{i}]", expected="a number in [0, 1)", got=beta)
    for name in ("eps", "weight_decay"):
        real_number(name, group[name], "a number >= 0", minimum=0)
    lr = group["lr"]
    if not isinstance(lr, torch.Tensor):
        real_number("lr", lr, "a number >= 0", minimum=0)
    elif lr.numel() != 1 or (lr.device.type != "cpu" and not group["capturable"]):
        raise ArgumentError(
            "lr",
            expected="a number, or a tensor of one number (with capturable=True if it is on a device)",
            got=f"shape {tuple(lr.shape)} on {lr.device}",
        )
    elif lr.device.type == "cpu" and not 0 <= float(lr) < math.inf:
        raise ArgumentError("lr", expected="a number >= 0", got=float(lr))
