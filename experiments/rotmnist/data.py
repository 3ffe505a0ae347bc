"""Rotated MNIST with a dial: a fraction of the digits is turned by a random angle; at 1 it is rotated MNIST itself.

The whole database is read from ``mnist/mnist.npz`` under the folder of ``--data`` or ``INTERTWINE_DATA``. Keras's file
of that name fits as it is; so does ``numpy.savez`` of what scikit-learn or torchvision download, see ``ADVICE``.
Without a folder, the 3000 digits that come with the library are used.
"""

import math
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from experiments.rotmnist.purposes import stream
from experiments.runs.data_folder import given_data, required_data, shipped_data
from intertwine.errors import ArgumentError, UnknownNameError, listing

CLASSES = 10
SIDE = 28
# The data are the same for all seeds of a run: these turn the digits and say which are for the test.
DATA_SEED = 2601
# Grey values times this have a mean square of about 1, which initialisations reckon with.
GAIN = 3.5
# By source: how many digits are for training and validation, and how many for the test.
SIZES = {"mnist": (12_000, 50_000), "shipped": (2_000, 1_000)}
ADVICE = (
    "Get Keras's mnist.npz (https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz), or save the 70000 "
    "digits of sklearn.datasets.fetch_openml('mnist_784') or torchvision.datasets.MNIST with numpy.savez as x_train, "
    "y_train, x_test, y_test: images (count, 28, 28) uint8, labels (count,)."
)


@dataclass(frozen=True, eq=False)
class Digits:
    """One part of the data.

    Attributes:
        x: grey values in [0, 1] times ``GAIN``, shape (count, 1, side, side), rows from top to bottom.
        y: labels, shape (count,).
        angles: by how much each digit was turned, counterclockwise, radians, shape (count,); 0 if it was not.
    """

    x: torch.Tensor
    y: torch.Tensor
    angles: torch.Tensor


@dataclass(frozen=True, eq=False)
class Split:
    """Training, validation and test digits, disjoint, with the same fraction turned in each.

    ``turned`` are the test digits with every one of them turned: what is asked of a network that saw few turned ones.
    """

    training: Digits
    validation: Digits
    test: Digits
    turned: Digits


def available_source() -> str:
    """``"mnist"`` if the user's data folder has the whole database, else ``"shipped"``."""
    return "shipped" if given_data("mnist", "mnist.npz") is None else "mnist"


def load_split(
    fraction: float, seed: int, *, training: int, validation: int, test: int, side: int = SIDE, source: str = "mnist"
) -> Split:
    """Rotated MNIST: 12000 digits for training and validation, 50000 for the test, all 70000 shuffled before.

    Which digits are for the test, their angles (uniform on the circle) and which fraction of them is turned are the
    same for every seed; a digit turned at one fraction is turned alike at every larger one. The seed draws training and
    validation digits from their pool. Turning is bilinear, at 28 x 28 pixels; means over squares of pixels then reduce
    the side.

    Args:
        fraction: of the digits that are turned.
        seed: of the draw of training and validation digits.
        training: how many.
        validation: how many.
        test: how many; the first ones.
        side: pixels along a side, a divisor of 28.
        source: ``"mnist"`` (the user's folder) or ``"shipped"`` (2000 + 1000 digits that come with the library).

    Raises:
        ArgumentError: a value out of range, more digits than there are, or no data where they should be.
        UnknownNameError: no such source.

    Source:
        Larochelle et al. 2007, "An empirical evaluation of deep architectures on problems with many factors of
        variation": mnist-rot, 12000 / 50000. Theirs is one draw of digits and angles, this is another.

    Examples:
        >>> split = load_split(0.5, 0, training=100, validation=50, test=200, side=14, source="shipped")
        >>> split.training.x.shape, int((split.test.angles != 0).sum())
        (torch.Size([100, 1, 14, 14]), 100)
    """
    if not 0 <= fraction <= 1:
        raise ArgumentError("fraction", expected="a number in [0, 1]", got=fraction)
    if side < 1 or SIDE % side:
        raise ArgumentError("side", expected=f"a divisor of {SIDE}", got=side)
    if source not in SIZES:
        raise UnknownNameError("source", expected=f"one of {listing(SIZES)}", got=repr(source))
    pool_size, test_size = SIZES[source]
    if min(training, validation, test) < 1 or training + validation > pool_size or test > test_size:
        raise ArgumentError(
            "training, validation, test",
            expected=f"at most {pool_size} digits for training and validation, {test_size} for the test",
            got=(training, validation, test),
            advice="" if source == "mnist" else f"Give the whole database: {ADVICE}",
        )
    pool = _part(source, "pool", pool_size, fraction, side)
    order = torch.randperm(pool_size, generator=stream(seed, "split"))
    first, second = order[:training], order[training : training + validation]
    return Split(
        training=Digits(pool.x[first], pool.y[first], pool.angles[first]),
        validation=Digits(pool.x[second], pool.y[second], pool.angles[second]),
        test=_part(source, "test", test, fraction, side),
        turned=_part(source, "test", test, 1.0, side),
    )


def rotate(x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """Images turned counterclockwise about their centre, bilinear, zero outside: ``(g f)(x) = f(g^-1 x)``.

    Args:
        x: shape (count, channels, side, side).
        angles: radians, shape (count,), or a scalar for all.

    Examples:
        >>> x = torch.rand(2, 1, 5, 5, generator=torch.Generator().manual_seed(0))
        >>> turned = rotate(x, torch.tensor(math.pi / 2))
        >>> torch.allclose(turned, x.rot90(1, (-2, -1)), atol=1e-6)
        True
    """
    cos, sin = angles.double().cos().view(-1), angles.double().sin().view(-1)
    zero = torch.zeros_like(cos)
    # Rows of g^-1 in pixel coordinates (column, row), in which y points down.
    inverse = torch.stack([cos, -sin, zero, sin, cos, zero], dim=-1).view(-1, 2, 3).to(x.device, x.dtype)
    inverse = inverse.expand(len(x), 2, 3)
    places = F.affine_grid(inverse, list(x.shape), align_corners=False)
    return F.grid_sample(x, places, mode="bilinear", padding_mode="zeros", align_corners=False)


@lru_cache(maxsize=8)
def _part(source: str, part: str, count: int, fraction: float, side: int) -> Digits:
    """The first ``count`` digits of one part, turned and reduced."""
    images, labels = _shuffled(source)
    generator = stream(DATA_SEED, "turns")
    angles = 2 * math.pi * torch.rand(len(images), generator=generator, dtype=torch.float64)
    rank = torch.randperm(len(images), generator=generator)
    first = 0 if part == "pool" else SIZES[source][0]
    chosen = slice(first, first + count)
    # Ranks among those in use, so that the fraction is met whatever their number.
    turned = rank[chosen].argsort().argsort() < round(fraction * count)
    angles = angles[chosen] * turned
    x = GAIN * F.avg_pool2d(rotate(images[chosen].unsqueeze(1).float() / 255, angles), SIDE // side)
    return Digits(x, labels[chosen], angles)


@lru_cache(maxsize=2)
def _shuffled(source: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (count, 28, 28) uint8 and labels, those of training and validation first, in shuffled order."""
    if source == "mnist":
        path = required_data("mnist", "mnist.npz", advice=ADVICE)
    else:
        path = shipped_data("mnist", "mnist_2k_1k.npz")
    images, labels = _read(path)
    needed = sum(SIZES[source])
    if len(images) < needed:
        raise ArgumentError(
            "data", expected=f"{path} with at least {needed} digits", got=f"{len(images)}", advice=ADVICE
        )
    order = torch.randperm(len(images), generator=stream(DATA_SEED, "split"))[:needed]
    return images[order], labels[order]


def _read(path: Path) -> tuple[torch.Tensor, torch.Tensor]:
    """All images (count, 28, 28) uint8 and labels (count,) int64 of a file."""
    with np.load(path) as file:
        arrays: dict[str, Any] = {name: file[name] for name in ("x_train", "x_test", "y_train", "y_test")
                                  if name in file}  # fmt: skip
    missing = [name for name in ("x_train", "x_test", "y_train", "y_test") if name not in arrays]
    if missing:
        raise ArgumentError("data", expected=f"{path} with {listing(missing)}", got=listing(arrays), advice=ADVICE)
    images = np.concatenate([arrays["x_train"], arrays["x_test"]])
    labels = np.concatenate([arrays["y_train"], arrays["y_test"]])
    if images.shape != (len(labels), SIDE, SIDE) or images.dtype != np.uint8:
        raise ArgumentError(
            "data", expected=f"{path} with uint8 images ({len(labels)}, {SIDE}, {SIDE})",
            got=f"{images.dtype} {images.shape}", advice=ADVICE,
        )  # fmt: skip
    return torch.from_numpy(images), torch.from_numpy(labels.astype(np.int64))
