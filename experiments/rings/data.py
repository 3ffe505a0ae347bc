"""Points of the plane in two classes: a disc and an arc around it, or two rings with waves of a given amplitude."""

import math
from dataclasses import dataclass
from functools import partial

import torch

from experiments.runs.stream import purpose_stream
from intertwine.errors import ArgumentError, UnknownNameError

ARC = "arc"
WAVY = "wavy"
# How many points of each class the paper trains on.
TRAINING_POINTS = {ARC: 100, WAVY: 350}
# Radii of the disc and of the arc; the arc spans a quarter of the circle, from the x axis to the y axis.
DISC_RADIUS = 1.0
ARC_RADII = (2.3, 3.0)
ARC_ANGLE = math.pi / 2
# Mean radii of the two rings, waves around each, and deviation of the radius. The paper gives the number of waves and
# their amplitudes; radii and deviation are ours: with them a perfect classifier errs on 2.3 % at every amplitude.
RING_RADII = (1.5, 2.5)
WAVES = 5
DEVIATION = 0.25
SMALLEST_RADIUS = 0.05
# One stream of random numbers for each purpose, so that a change in one leaves the others alone.
STREAMS = ("training", "validation", "test", "turns", "weights", "method", "measurement")
stream = partial(purpose_stream, STREAMS)


@dataclass(frozen=True, eq=False)
class Points:
    """One part of the data.

    Attributes:
        x: positions, shape (count, 2).
        y: 0 for the inner class, 1 for the outer one, float, shape (count,).
    """

    x: torch.Tensor
    y: torch.Tensor


@dataclass(frozen=True, eq=False)
class RingsSplit:
    """Three independent draws from one distribution, and the test points turned by random angles, labels kept."""

    training: Points
    validation: Points
    test: Points
    turned: Points


def wave_amplitude(condition: str) -> float | None:
    """The amplitude that a condition names, None for the arc.

    Raises:
        UnknownNameError: neither ``"arc"`` nor ``"wavy AMPLITUDE"``.

    Examples:
        >>> wave_amplitude("arc"), wave_amplitude("wavy 0.5")
        (None, 0.5)
    """
    if condition == ARC:
        return None
    kind, _, number = condition.partition(" ")
    try:
        if kind == WAVY and 0 <= (amplitude := float(number)) <= 1:
            return amplitude
    except ValueError:
        pass
    raise UnknownNameError("condition", expected="'arc' or 'wavy A' with A in [0, 1]", got=repr(condition))


def load_rings(condition: str, seed: int, training: int | None = None, test: int = 2000) -> RingsSplit:
    """Draws the data of one seed; validation has as many points as training.

    Every part has both classes in equal numbers. Angles and deviations of a seed are the same for every amplitude.

    Args:
        condition: ``"arc"`` (invariant inside its quarter, no data elsewhere) or ``"wavy A"`` (invariant under turns by
            a fifth of the circle only, unless A = 0).
        seed: of all draws.
        training: points of each class; the paper's number if None.
        test: test points of both classes together.

    Raises:
        UnknownNameError: no such condition.
        ArgumentError: a count below 1, or an odd number of test points.

    Examples:
        >>> split = load_rings("wavy 0.5", seed=0)
        >>> split.training.x.shape, split.test.y.mean().item()
        (torch.Size([700, 2]), 0.5)
    """
    amplitude = wave_amplitude(condition)
    count = TRAINING_POINTS[ARC if amplitude is None else WAVY] if training is None else training
    if count < 1 or test < 2 or test % 2:
        raise ArgumentError("training, test", expected="counts >= 1, test even", got=(training, test))
    sizes = {"training": count, "validation": count, "test": test // 2}
    parts = {}
    for name, size in sizes.items():
        generator = stream(seed, name)
        parts[name] = _arc(size, generator) if amplitude is None else _wavy(size, amplitude, generator)
    angles = 2 * math.pi * torch.rand(test, generator=stream(seed, "turns"), dtype=torch.float64)
    turned = Points(turn(parts["test"].x, angles), parts["test"].y)
    return RingsSplit(parts["training"], parts["validation"], parts["test"], turned)


def turn(x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """Each point, shape (count, 2), turned counterclockwise by its own angle, in radians.

    Examples:
        >>> turn(torch.tensor([[1.0, 0.0]]), torch.tensor([math.pi / 2])).round(decimals=3)
        tensor([[0., 1.]])
    """
    cos, sin = angles.cos(), angles.sin()
    return torch.stack([cos * x[:, 0] - sin * x[:, 1], sin * x[:, 0] + cos * x[:, 1]], dim=1).to(x.dtype)


def _arc(size: int, generator: torch.Generator) -> Points:
    """Uniform in area: a disc around the origin, and a quarter of an annulus."""
    draws = torch.rand(2, 2, size, generator=generator, dtype=torch.float64)
    low, high = ARC_RADII
    inner = _polar(DISC_RADIUS * draws[0, 0].sqrt(), 2 * math.pi * draws[0, 1])
    outer = _polar((low**2 + (high**2 - low**2) * draws[1, 0]).sqrt(), ARC_ANGLE * draws[1, 1])
    return _both(inner, outer)


def _wavy(size: int, amplitude: float, generator: torch.Generator) -> Points:
    """Radius ``R + amplitude sin(5 angle) + noise``, the angle uniform."""
    angles = 2 * math.pi * torch.rand(2, size, generator=generator, dtype=torch.float64)
    noise = DEVIATION * torch.randn(2, size, generator=generator, dtype=torch.float64)
    radii = torch.tensor(RING_RADII, dtype=torch.float64)[:, None] + amplitude * (WAVES * angles).sin() + noise
    inner, outer = (_polar(r.clamp(min=SMALLEST_RADIUS), a) for r, a in zip(radii, angles, strict=True))
    return _both(inner, outer)


def _polar(radius: torch.Tensor, angle: torch.Tensor) -> torch.Tensor:
    return torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)


def _both(inner: torch.Tensor, outer: torch.Tensor) -> Points:
    y = torch.cat([torch.zeros(len(inner)), torch.ones(len(outer))])
    return Points(torch.cat([inner, outer]).float(), y)
