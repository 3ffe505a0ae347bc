"""Translations of periodic images by whole pixels: ``iw.torus`` as an action on the axes of an image."""

from collections.abc import Sequence

import numpy as np
import torch

from intertwine.errors import ShapeError
from intertwine.projectors.positions.translation import TorusField
from intertwine.representations import Representation


def torus_field(space: object) -> TorusField | None:
    """The field of ``iw.torus(...)`` if ``space`` is one, else None."""
    if not isinstance(space, Representation) or len(space.segments) != 1 or space.segments[0].mul != 1:
        return None
    field = space.segments[0].field
    return field if isinstance(field, TorusField) else None


def strides(torus: TorusField, sides: Sequence[int]) -> tuple[int, ...] | None:
    """By how many pixels of an image the generators shift its axes; None if one does so by a broken number.

    A torus of t points acts on n pixels by n / t at a time. One pixel stays where it is.

    Examples:
        >>> import intertwine as iw
        >>> field = torus_field(iw.torus(8, 8))
        >>> strides(field, (16, 8)), strides(field, (1, 1)), strides(field, (4, 8))
        ((2, 1), (0, 0), None)
    """
    if any(n > 1 and n % t for n, t in zip(sides, torus.sides, strict=True)):
        return None
    return tuple(n // t if n > 1 else 0 for n, t in zip(sides, torus.sides, strict=True))


def shifted(torus: TorusField, g: torch.Tensor, x: torch.Tensor, argument: str) -> torch.Tensor:
    """``(g f)(x) = f(x - g)``, on images (batch, channels, *pixels).

    Raises:
        ShapeError: the torus has another number of axes, or the shifts are none by whole pixels.
    """
    sides = tuple(x.shape[2:])
    if len(sides) != len(torus.sides):
        raise ShapeError(
            argument,
            expected=f"{len(torus.sides)} axes of pixels, as space = {torus.name} has",
            got=f"shape {tuple(x.shape)}",
        )
    by = strides(torus, sides)
    if by is None:
        raise ShapeError(
            argument,
            expected=f"sides that are multiples of {' x '.join(map(str, torus.sides))}, those of space = {torus.name}, "
            "or 1",
            got=f"{' x '.join(map(str, sides))}, {broken_step(torus, sides)}",
            advice=f"Such an output breaks these shifts. {coarser(torus, sides)}",
        )
    steps = torus.steps(g.cpu().numpy())
    return torch.roll(x, [step * stride for step, stride in zip(steps, by, strict=True)], list(range(2, x.ndim)))


def broken_step(torus: TorusField, sides: Sequence[int]) -> str:
    """By what part of a pixel the first such generator shifts, in words."""
    axis = next(i for i, (n, t) in enumerate(zip(sides, torus.sides, strict=True)) if n > 1 and n % t)
    return f"which a step along axis {axis} shifts by {sides[axis]}/{torus.sides[axis]} of a pixel"


def coarser(torus: TorusField, sides: Sequence[int]) -> str:
    """Advice: the largest group of shifts that moves both grids by whole pixels."""
    common = [int(np.gcd(n, t)) if n > 1 else t for n, t in zip(sides, torus.sides, strict=True)]
    by = " x ".join(str(t // c) for t, c in zip(torus.sides, common, strict=True))
    space = f"iw.torus({', '.join(map(str, common))})"
    return f"Measure the shifts that move both grids by whole pixels, {by} steps at a time, with space={space}."


def shift_text(torus: TorusField, g: torch.Tensor) -> str:
    """``"shift by 1 along axis 0, by 3 along axis 1"``, in steps of the torus; the identity is named so.

    Steps beyond half of the side are given the other way round.
    """
    steps = torus.steps(g.detach().cpu().numpy().astype(np.float64))
    signed = [step - side if 2 * step > side else step for step, side in zip(steps, torus.sides, strict=True)]
    named = [f"by {step} along axis {axis}" for axis, step in enumerate(signed) if step]
    return f"shift {', '.join(named)}" if named else "the identity"
