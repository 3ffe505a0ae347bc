"""Digits turned by quarter turns: all four, by half turns, or not at all; and the few that a network is tuned on."""

from dataclasses import dataclass

import torch

from experiments.pretrained.purposes import stream
from experiments.rotmnist.data import available_source, load_split

# Quarter turns that may come up, each as often.
TURNS = {"turned": (0, 1, 2, 3), "half turned": (0, 2), "upright": (0,)}
SIDE = 14


@dataclass(frozen=True, eq=False)
class Digits:
    """Images (count, 1, 14, 14) and labels."""

    x: torch.Tensor
    y: torch.Tensor


def digits(seed: int, part: str, count: int, classes: tuple[int, ...] = tuple(range(10))) -> Digits:
    """The first ``count`` upright digits of some classes, labels counted from 0.

    Args:
        seed: of the draw of training and validation digits.
        part: ``"training"``, ``"validation"`` or ``"test"``.
        count: as many as there are, at most.
        classes: which digits.
    """
    source = available_source()
    sizes = (10_000, 2_000, 5_000) if source == "mnist" else (1_600, 400, 1_000)
    split = load_split(0.0, seed, training=sizes[0], validation=sizes[1], test=sizes[2], side=SIDE, source=source)
    whole = getattr(split, part)
    wanted = torch.zeros(10, dtype=torch.bool)
    wanted[list(classes)] = True
    chosen = wanted[whole.y].nonzero().flatten()[:count]
    numbers = torch.full((10,), -1)
    numbers[list(classes)] = torch.arange(len(classes))
    return Digits(whole.x[chosen], numbers[whole.y[chosen]])


def turned(x: torch.Tensor, turns: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Each image turned by one of these numbers of quarter turns."""
    choice = torch.randint(len(turns), (len(x),), generator=generator)
    out = torch.empty_like(x)
    for i, k in enumerate(turns):
        chosen = choice == i
        out[chosen] = torch.rot90(x[chosen], k, (-2, -1))
    return out


def examples(seed: int, count: int, turns: tuple[int, ...]) -> torch.Tensor:
    """Digits that no network was trained on, turned, for the fit."""
    return turned(digits(seed, "validation", count).x, turns, stream(seed, "examples"))
