"""Whether an unknown type goes through a function: asked by orders and rotations of entries, whatever the type is."""

from collections.abc import Sequence

import torch

from intertwine.tracing.axes import Axis
from intertwine.tracing.context import Context
from intertwine.tracing.normal_form import resolved, unknowns
from intertwine.tracing.unknown.asked import Asked, along, close

# Longer axes are only permuted: a matrix on them is large.
MAX_ROTATED = 2048


def goes_through(context: Context, asked: Asked, source: tuple[int, int], result: tuple[int, int]) -> bool:
    """Whether the unknown features on an axis of an argument are those on one of a result.

    They are if the function commutes with every rotation along the axis, reflections among them, and, if the group
    permutes them, where it commutes with permutations; with those of like axes of other arguments, which are of one
    type then. (A cross product commutes with rotations only: what it gives is of another type.)

    Args:
        context: of the run.
        asked: the call.
        source: number of the argument, and of its axis.
        result: number of the result, and of its axis.
    """
    axis = asked.kinds[source[0]].axes[source[1]]
    if not unknowns(resolved(axis)):
        return True
    for group in _together(asked, source):
        turns = _rotations(axis.size) if axis.size <= MAX_ROTATED else []
        if turns and all(_commutes(asked, group, result, turn) for turn in turns):
            return _one(context, asked, group)
        if all(_commutes(asked, group, result, turn) for turn in _permutations(axis.size)):
            context.need(axis, "pointwise")
            return _one(context, asked, group)
    return False


def _one(context: Context, asked: Asked, group: Sequence[tuple[int, int]]) -> bool:
    axes: list[Axis] = [asked.kinds[argument].axes[axis] for argument, axis in group]
    return all(context.equal(axes[0], axis) for axis in axes[1:])


def _together(asked: Asked, source: tuple[int, int]) -> list[list[tuple[int, int]]]:
    """The axis by itself, then with axes of its length at its place in other arguments."""
    argument, axis = source
    back = axis - len(asked.kinds[argument].axes)
    size = asked.kinds[argument].axes[axis].size
    others = [
        (number, len(kind.axes) + back)
        for number, kind in enumerate(asked.kinds)
        if number != argument and kind.dynamic and -back <= len(kind.axes) and kind.axes[back].size == size
    ]
    return [[source], [source, *others]] if others else [[source]]


def _rotations(size: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    Q = torch.linalg.qr(torch.randn(size, size, generator=generator, dtype=torch.float64)).Q
    return [Q, torch.cat([-Q[:1], Q[1:]])]


def _permutations(size: int) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.eye(size, dtype=torch.float64)[torch.randperm(size, generator=generator)] for _ in range(2)]


def _commutes(asked: Asked, group: Sequence[tuple[int, int]], result: tuple[int, int], matrix: torch.Tensor) -> bool:
    number, position = result
    pair = asked.turned(group, matrix)
    return pair is not None and close(pair[1][number], along(pair[0][number], position, matrix))
