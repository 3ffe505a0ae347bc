"""Tensors that should not vary along an axis: kernels stored per position, weights per group element or scale."""

import numpy as np
import torch

from intertwine._arguments import check_choice, is_integer
from intertwine.errors import ArgumentError
from intertwine.projectors.dispatch import tensor_projector
from intertwine.projectors.positions.translation import Boundary, permuting, translations
from intertwine.projectors.projector import Projector
from intertwine.representations import Representation


def position_projector(
    shape: tuple[int | None, ...], positions: tuple[int, ...], *, boundary: Boundary = "periodic"
) -> Projector:
    """The projector on tensors that are constant along some of their axes: one kernel a position made one for all.

    A locally connected layer stores its kernel at each position, as (H, W, out, in, k, k) or in another order. It is a
    convolution iff the kernel does not vary: each of these axes carries the regular representation of a cyclic group,
    and P is the mean along them.

    Args:
        shape: of the tensor; None where the length may vary.
        positions: the axes of positions, group elements or scales.
        boundary: ``"bounded"`` if positions do not wrap around; the same P, but as no group then acts, ``exact`` is
            False with the reason.

    Raises:
        ArgumentError: ``positions`` are no different axes of ``shape`` with known lengths.

    Source:
        Own; the layers are those of Wang, Walters and Yu 2022, arXiv 2201.11969.

    Examples:
        >>> import intertwine as iw, torch
        >>> P = iw.position_projector((2, 2, None), (0, 1))
        >>> P.project(torch.arange(8.0).reshape(2, 2, 2))[0, 0].tolist(), P.rank
        ([3.0, 4.0], 1)
    """
    axes = position_axes(shape, positions)
    check_choice("boundary", boundary, ("periodic", "bounded"))
    sides = [int(shape[axis] or 0) for axis in axes]
    group = translations(sides)
    moving = [axis for axis, side in zip(axes, sides, strict=True) if side > 1]
    reps: list[Representation | None] = []
    for axis, n in enumerate(shape):
        if axis not in axes:
            reps.append(None if n is None else n * group.trivial())
            continue
        roll, still = np.roll(np.arange(int(n or 0)), -1), np.arange(int(n or 0))
        images = [roll if other == axis else still for other in moving]
        reps.append(permuting(group, f"positions[{n}]", images, int(n or 0)))
    bounded = "shifts leave a bounded range of positions, so that no group acts on them"
    return tensor_projector(tuple(reps), reason=bounded if boundary == "bounded" else "")


def position_axes(shape: object, positions: object) -> tuple[int, ...]:
    """The axes of positions, counted from 0.

    Raises:
        ArgumentError: they are no different axes of ``shape`` with known lengths.
    """
    lengths = tuple(shape) if isinstance(shape, tuple | list | torch.Size) else ()
    if not lengths or not all(n is None or is_integer(n, 1) for n in lengths):
        raise ArgumentError("shape", expected="a tuple of lengths, None for any", got=repr(shape)[:80])
    given = tuple(positions) if isinstance(positions, tuple | list) else ()
    axes = tuple(
        axis % len(lengths) for axis in given if isinstance(axis, int) and -len(lengths) <= axis < len(lengths)
    )
    if not given or len(set(axes)) != len(given) or any(lengths[axis] is None for axis in axes):
        raise ArgumentError(
            "positions", expected=f"different axes of shape {lengths} whose lengths are known", got=repr(positions)[:80]
        )
    return axes
