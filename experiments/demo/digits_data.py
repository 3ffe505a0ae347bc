"""Handwritten digits with a dial: a fraction of them is turned by a random multiple of 90 degrees."""

from dataclasses import dataclass
from functools import partial

import torch

from experiments.runs.stream import purpose_stream
from intertwine.errors import ArgumentError, missing_extra

SIDE = 8
CLASSES = 10
# One stream of random numbers for each purpose, so that a change in one leaves the others alone.
STREAMS = ("split", "turns", "weights", "batches", "elements")
stream = partial(purpose_stream, STREAMS)


@dataclass(frozen=True, eq=False)
class Digits:
    """One part of the data.

    Attributes:
        x: grey values in [0, 1], shape (count, 64), rows from top to bottom.
        y: labels, shape (count,).
        quarters: how many quarter turns each digit was given, shape (count,).
        selected: which digits were drawn for turning, shape (count,); a quarter of them gets zero quarter turns.
    """

    x: torch.Tensor
    y: torch.Tensor
    quarters: torch.Tensor
    selected: torch.Tensor


@dataclass(frozen=True, eq=False)
class Split:
    """Training, validation and test digits, disjoint, with the same fraction turned in each."""

    training: Digits
    validation: Digits
    test: Digits


def load_digits_split(fraction: float, seed: int, training: int = 300, validation: int = 300) -> Split:
    """scikit-learn's 1797 digits, split at random; in each part ``round(fraction * count)`` digits are turned.

    A turn is by 0, 90, 180 or 270 degrees with equal chance, so that at fraction 1 the distribution of the images is
    invariant under C4 and at fraction 0 the digits are as they were. For one seed the split is the same for
    every fraction, and a digit turned at one fraction is turned alike at every larger one.

    Raises:
        ArgumentError: a fraction outside [0, 1], or no digits left for the test.
        MissingExtraError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise missing_extra("sklearn", "demo") from error
    if not 0 <= fraction <= 1:
        raise ArgumentError("fraction", expected="a number in [0, 1]", got=fraction)
    data = load_digits()
    images = torch.from_numpy(data.data / 16.0).float()
    labels = torch.from_numpy(data.target).long()
    count = len(labels)
    if min(training, validation) < 1 or training + validation >= count:
        raise ArgumentError("training, validation", expected=f"sizes that leave some of {count} digits for the test",
                            got=(training, validation))  # fmt: skip
    order = torch.randperm(count, generator=stream(seed, "split"))
    generator = stream(seed, "turns")
    parts = []
    for indices in order.split([training, validation, count - training - validation]):
        drawn = torch.randint(4, (len(indices),), generator=generator)
        rank = torch.randperm(len(indices), generator=generator)
        selected = rank < round(fraction * len(indices))
        quarters = drawn * selected
        parts.append(Digits(turn(images[indices], quarters), labels[indices], quarters, selected))
    return Split(*parts)


def turn(x: torch.Tensor, quarters: torch.Tensor) -> torch.Tensor:
    """Flattened images, shape (count, 64), each turned counterclockwise by its own number of quarter turns.

    Examples:
        >>> import intertwine as iw
        >>> G = iw.Cyclic(4)
        >>> x = torch.rand(3, 64, generator=torch.Generator().manual_seed(0))
        >>> g = G.generators[0]
        >>> bool((turn(x, torch.tensor([1, 1, 1])) == G.grid(8, 8).act(g, x)).all())
        True
    """
    return x.gather(1, _TURNS[quarters])


# Entry [k, i]: which pixel moves to place i under k quarter turns.
_TURNS = torch.stack([torch.arange(SIDE * SIDE).view(SIDE, SIDE).rot90(k, (0, 1)).flatten() for k in range(4)])
