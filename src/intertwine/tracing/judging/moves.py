"""``g x`` for tensors of one type, in as few passes over memory as it takes: what the type needs is computed once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import prod

import torch

from intertwine._numerics import accumulation_dtype
from intertwine.representations import Representation
from intertwine.tracing.acting import RUN, Motion
from intertwine.tracing.axes import Axis, Carried, Digit, Fixed, Nested, Wave, fixed
from intertwine.tracing.normal_form import is_alone

Move = Callable[[torch.Tensor], torch.Tensor]
# Longer indices are not kept; features up to so many are turned by one matrix.
LONGEST, DENSE = 1 << 22, 64
# Sides from so many pixels on are exchanged and reversed as they are.
FLIPPED = 16


def move_of(motion: Motion, axes: list[Axis]) -> Move:
    """``x -> g x`` for tensors of these axes, which are in normal form and free of unknowns.

    Pixels are moved jointly, by one index over the axes that have them; each other axis by an index where the group
    permutes its features, and by a matrix where it mixes them.

    Raises:
        CannotActError: the group acts on no tensor of this type.

    Examples:
        >>> import intertwine as iw
        >>> from intertwine.tracing.acting import Acting
        >>> from intertwine.tracing.normal_form import carried
        >>> G = iw.Cyclic(4)
        >>> move = move_of(Motion(Acting(G), G.generators[0]), [fixed(2), carried(G.regular())])
        >>> move(torch.arange(8.0).reshape(2, 4))
        tensor([[3., 0., 1., 2.],
                [7., 4., 5., 6.]])
    """
    sizes = [axis.size for axis in axes]
    pixels = [position for position, axis in enumerate(axes) if _has(axis, Digit)]
    waves = any(_has(axis, Wave) for axis in axes)
    if waves or prod(sizes) == 0 or not all(_permutes(motion, axes[position]) for position in pixels):
        return lambda x: motion(x, axes)
    steps: list[Move] = []
    for position, axis in enumerate(axes):
        if position not in pixels and not is_alone(axis):
            steps += _of_features(motion, axis, prod(sizes[:position]), prod(sizes[position + 1 :]))
    shape = list(sizes)
    if pixels:
        first, last = pixels[0], pixels[-1]
        lead, tail = prod(sizes[:first]), prod(sizes[last + 1 :])
        alone = [axis if i in pixels else fixed(sizes[i]) for i, axis in enumerate(axes)]
        if tail == 1 and min(sizes[i] for i in pixels) >= FLIPPED and all(_is_side(axes[i]) for i in pixels):
            # Axes exchanged and reversed: faster than an index where their runs are long.
            steps.append(lambda x: motion(x.reshape(sizes), alone))
            return _in_turn(steps, None)
        span = alone[first : last + 1]
        ahead, span[0] = _leading(span[0])
        inner = [axis.size for axis in span]
        apart = _rows_and_columns(motion, span) if tail < RUN and len(span) > 1 else None
        if apart is not None:
            rows, columns = apart
            steps += _taken(lead * ahead, inner[-1] * tail, rows)
            steps += _taken(lead * ahead * len(rows), tail, columns)
        elif prod(inner) > LONGEST:
            return lambda x: motion(x, axes)
        else:
            numbers = motion(torch.arange(1, prod(inner) + 1).reshape(inner), span)
            # Those of unequal sides exchange their lengths.
            shape[first : last + 1] = [ahead * numbers.shape[0], *numbers.shape[1:]]
            steps += _taken(lead * ahead, tail, numbers.reshape(-1))
    return _in_turn(steps, shape)


def _in_turn(steps: list[Move], shape: list[int] | None) -> Move:
    if not steps:
        return lambda x: x

    def move(x: torch.Tensor) -> torch.Tensor:
        for step in steps:
            x = step(x)
        return x if shape is None else x.reshape(shape)

    return move


@dataclass(frozen=True)
class _Taken:
    """Entries of the middle of (lead, size, tail) by index, with signs."""

    lead: int
    size: int
    tail: int
    index: torch.Tensor
    signs: torch.Tensor | None

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        index = self.index.to(x.device)
        if self.tail == 1:
            moved = x.reshape(self.lead, self.size).index_select(1, index)
            return moved if self.signs is None else moved * self.signs.to(x.device, x.dtype)
        moved = x.reshape(self.lead, self.size, self.tail).index_select(1, index)
        return moved if self.signs is None else moved * self.signs.to(x.device, x.dtype)[:, None]


@dataclass(frozen=True)
class _Turned:
    """The middle of (lead, size, tail) by a matrix; half precision in float32, numbers rounded."""

    lead: int
    size: int
    tail: int
    matrix: torch.Tensor
    cast: dict[tuple[torch.dtype, torch.device], torch.Tensor] = field(default_factory=dict)

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        exact = x.is_floating_point() or x.is_complex()
        wide = x.to(accumulation_dtype(x.dtype) if exact else torch.float64)
        key = (wide.dtype, wide.device)
        if key not in self.cast:
            self.cast[key] = self.matrix.to(wide.device, wide.dtype)
        if self.tail == 1:
            moved = wide.reshape(self.lead, self.size) @ self.cast[key].T
        else:
            moved = self.cast[key] @ wide.reshape(self.lead, self.size, self.tail)
        return (moved if exact else moved.round()).to(x.dtype)


def _of_features(motion: Motion, axis: Axis, lead: int, tail: int) -> list[Move]:
    size = axis.size
    if _permutes(motion, axis):
        return _taken(lead, tail, motion(torch.arange(1, size + 1), [axis]))
    if size <= DENSE:
        eye = torch.eye(size, dtype=torch.float64)
        return [_Turned(lead, size, tail, motion(eye, [fixed(size), axis]).T.contiguous())]
    whole = [fixed(lead), axis, fixed(tail)]
    return [lambda x: motion(x.reshape(lead, size, tail), whole)]


def _taken(lead: int, tail: int, numbers: torch.Tensor) -> list[Move]:
    """From the signed numbers, counted from 1, of the entries that come in their places; nothing where all stay."""
    index, signs = numbers.abs() - 1, numbers.sign()
    size = len(numbers)
    if torch.equal(numbers, torch.arange(1, size + 1)):
        return []
    kept = None if bool((signs == 1).all()) else signs
    if 1 < tail < RUN and size * tail <= LONGEST:  # runs too short to be copied one by one
        index = (index[:, None] * tail + torch.arange(tail)).reshape(-1)
        kept = None if kept is None else kept.repeat_interleave(tail)
        return [_Taken(lead, size * tail, 1, index, kept)]
    return [_Taken(lead, size, tail, index, kept)]


def _rows_and_columns(motion: Motion, axes: list[Axis]) -> tuple[torch.Tensor, torch.Tensor] | None:
    """The numbers, counted from 1, of the rows that come in their places, and of their entries; None if rows are torn.

    Queries and keys are: each pixel's row of logits is another one's, whose entries are moved as the pixels are.
    """
    sizes = [axis.size for axis in axes]
    moved = [not is_alone(axis) for axis in axes]
    # What the group leaves alone, as heads, is left out, and put back in its place.
    small = [axis if moves else fixed(1) for axis, moves in zip(axes, moved, strict=True)]
    before = [axis.size for axis in small]
    if prod(before) > LONGEST:
        return None
    numbers = motion(torch.arange(prod(before)).reshape(before), small)
    index = numbers.reshape(-1, before[-1])
    rows, columns = index // before[-1], index % before[-1]
    if list(numbers.shape) != before or bool((rows != rows[:, :1]).any()) or bool((columns != columns[:1]).any()):
        return None
    places = torch.unravel_index(rows[:, 0].reshape(before[:-1]), before[:-1])
    whole = torch.zeros(sizes[:-1], dtype=torch.int64)
    for position, size in enumerate(sizes[:-1]):
        others = [-1 if other == position else 1 for other in range(len(sizes) - 1)]
        whole = whole * size + (places[position] if moved[position] else torch.arange(size).reshape(others))
    return whole.reshape(-1) + 1, columns[0] + 1


def _permutes(motion: Motion, axis: Axis) -> bool:
    return all(motion.permutes(rep) for rep in _carried(axis))


def _carried(axis: Axis) -> list[Representation]:
    found: list[Representation] = []
    for term in axis.terms:
        for factor in term:
            if isinstance(factor, Carried):
                found.append(factor.rep)
            elif isinstance(factor, Nested):
                found += _carried(factor.axis)
    return found


def _has(axis: Axis, kind: type) -> bool:
    return any(
        isinstance(factor, kind) or (isinstance(factor, Nested) and _has(factor.axis, kind))
        for term in axis.terms
        for factor in term
    )


def _is_side(axis: Axis) -> bool:
    return len(axis.terms) == len(axis.terms[0]) == 1 and isinstance(axis.terms[0][0], Digit)


def _leading(axis: Axis) -> tuple[int, Axis]:
    """The number of equal parts that an axis is made of, and one of them."""
    if len(axis.terms) == 1 and len(axis.terms[0]) > 1 and isinstance(axis.terms[0][0], Fixed):
        return axis.terms[0][0].size, Axis((axis.terms[0][1:],))
    return 1, axis
