"""How a group element moves a tensor of a known type: pixels jointly over all axes, everything else axis by axis."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import prod

import numpy as np
import torch

from intertwine._cache import cached
from intertwine._numerics import Array, accumulation_dtype, in_own_precision
from intertwine.groups import Group
from intertwine.representations import Representation
from intertwine.tracing.axes import Axis, Carried, Digit, Factor, Nested, Squared, Term, Unknown, Wave, term_size
from intertwine.tracing.bindings import CannotActError
from intertwine.tracing.normal_form import resolved
from intertwine.tracing.types.side_by_side import matrix_of_several, multiplied
from intertwine.tracing.types.wave_motion import is_whole, moved_waves

# Of contiguous numbers so many are worth a copy of their own.
RUN = 16


@dataclass(frozen=True)
class Acting:
    """``(g, x) -> g x`` for tensors whose axes are typed.

    Args:
        group: that acts.
        space: how it turns the pixels' axes, (x), (x, y) or (x, y, z); None where there are no pixels.

    Examples:
        >>> import intertwine as iw
        >>> from intertwine.tracing.axes import fixed
        >>> G = iw.Cyclic(4)
        >>> tokens = Axis(((Digit(0, 2), Digit(1, 2)),))
        >>> x = torch.arange(4.0)
        >>> Acting(G, G.standard())(G.generators[0], x, [tokens]).equal(torch.rot90(x.reshape(2, 2)).flatten())
        True
    """

    group: Group
    space: Representation | None = None

    def moves(self, g: torch.Tensor) -> Array:
        """The signed permutation of the pixels' axes, in the order of the tensor."""
        if self.space is None:
            return np.zeros((0, 0), dtype=np.int64)
        return on_axes(self.space.matrix(g).cpu().numpy())

    def __call__(self, g: torch.Tensor, x: torch.Tensor, axes: Sequence[Axis]) -> torch.Tensor:
        """``g x``; the axes need be free of unknowns (see ``can_act``)."""
        return Motion(self, g)(x, [resolved(axis) for axis in axes])


def on_axes(matrix: Array) -> Array:
    """A matrix on points (x,), (x, y), (x, y, z) as one on offsets along the tensor's axes."""
    flips = np.array([-1 if axis == 1 else 1 for axis in range(len(matrix))])
    turned: Array = (flips[:, None] * np.rint(matrix).astype(np.int64) * flips)[::-1, ::-1]
    return turned


def can_act(axes: Sequence[Axis]) -> bool:
    """Whether the group is known to act on a tensor of these axes: no unknowns, no squares."""
    return not any(_opaque(resolved(axis)) for axis in axes)


def half_reduced(before: Iterable[Sequence[Axis]], after: Sequence[Axis]) -> bool:
    """Whether pixels along one coordinate were reduced to one and those along another not, or not yet."""
    had, left = _sides(before), _sides([after])
    return set(left.values()) <= {1, *had.values()} and 1 in left.values() and len(set(left.values())) > 1


def _sides(kinds: Iterable[Sequence[Axis]]) -> dict[int, int]:
    """How many pixels there are along each coordinate."""
    found: dict[int, int] = {}
    for axis in (resolved(axis) for axes in kinds for axis in axes):
        for factor in (factor for term in axis.terms for factor in term):
            if isinstance(factor, Digit):
                found[factor.coordinate] = max(found.get(factor.coordinate, 1), factor.size)
    return found


def _opaque(axis: Axis) -> bool:
    return any(
        isinstance(factor, Unknown | Squared)
        or (isinstance(factor, Wave) and not (factor.moduli and is_whole(factor)))
        or (isinstance(factor, Nested) and _opaque(factor.axis))
        for term in axis.terms
        for factor in term
    )


class Motion:
    """``x -> g x`` for one element: its matrices are computed once, for as long as it is there.

    Args:
        acting: how the group moves tensors.
        g: the element.
    """

    def __init__(self, acting: Acting, g: torch.Tensor) -> None:
        self._g = g.cpu().numpy().reshape(1, *g.shape)
        self._key = self._g.tobytes()
        self._moves = acting.moves(g)
        self._tables: dict[tuple[Representation, torch.device], tuple[torch.Tensor | None, torch.Tensor | None] | None]
        self._tables = {}
        self._matrices: dict[tuple[Representation, torch.dtype, torch.device], list[torch.Tensor | None]] = {}

    def __call__(self, x: torch.Tensor, axes: Sequence[Axis]) -> torch.Tensor:
        """``g x``, for axes in normal form that are free of unknowns; ``x`` itself where g leaves it alone."""
        for position, axis in enumerate(axes):
            if len(axis.terms) > 1:
                pieces = zip(x.split([term_size(term) for term in axis.terms], position), axis.terms, strict=True)
                rest = axes[position + 1 :]
                parts = [self(part, [*axes[:position], Axis((term,)), *rest]) for part, term in pieces]
                if len({(*part.shape[:position], *part.shape[position + 1 :]) for part in parts}) > 1:
                    raise CannotActError("pixels in pieces along one axis and whole along another, which are exchanged")
                return torch.cat(parts, position)
        terms = [axis.terms[0] for axis in axes]
        if any(len(term) > 1 or isinstance(term[0], Nested) for term in terms):
            shape = x.shape
            factors = [factor for term in terms for factor in term]
            inner = [factor.axis if isinstance(factor, Nested) else Axis(((factor,),)) for factor in factors]
            moved = self(x.reshape([factor.size for factor in factors]), inner)
            # Pixels of unequal sides exchange their lengths.
            return moved.reshape(_merged_shape(moved.shape, terms)) if moved.numel() else x.reshape(shape)
        return self._of_factors(x, [term[0] for term in terms])

    def permutes(self, rep: Representation) -> bool:
        """Whether g permutes the features of ``rep``, with signs at most."""
        return _sources(rep, self._key) is not None

    def _of_factors(self, x: torch.Tensor, factors: list[Factor]) -> torch.Tensor:
        for position, factor in enumerate(factors):
            if isinstance(factor, Carried):
                x = self._carried(x, position, factor.rep)
        digits = [(position, factor) for position, factor in enumerate(factors) if isinstance(factor, Digit)]
        waves = [(position, factor) for position, factor in enumerate(factors) if isinstance(factor, Wave)]
        if not len(self._moves):
            return x
        x = moved_waves(x, waves, self._moves) if waves else x
        return _moved_digits(x, digits, self._moves) if digits else x

    def _carried(self, x: torch.Tensor, position: int, rep: Representation) -> torch.Tensor:
        """``rho(g) x`` along one axis: by index where the group permutes features, masks and numbers as such."""
        table = self._table(rep, x.device)
        if table is None:
            wide = x if x.dtype.is_floating_point or x.dtype.is_complex else x.to(torch.float64)
            turned = self._turned(rep, wide.movedim(position, -1)).movedim(-1, position)
            return turned if wide is x else turned.round().to(x.dtype)
        source, signs = table
        moved = x if source is None else _taken(x, position, source)
        if signs is not None:
            moved = moved * signs.to(x.dtype).reshape([-1 if axis == position else 1 for axis in range(x.ndim)])
        return moved

    def _table(
        self, rep: Representation, device: torch.device
    ) -> tuple[torch.Tensor | None, torch.Tensor | None] | None:
        key = (rep, device)
        if key not in self._tables:
            found = _sources(rep, self._key)
            arrays = () if found is None else found
            source, signs = (
                None if array is None else torch.tensor(array, device=device) for array in arrays or (None,) * 2
            )
            self._tables[key] = None if found is None else (source, signs)
        return self._tables[key]

    @in_own_precision
    def _turned(self, rep: Representation, x: torch.Tensor) -> torch.Tensor:
        """``rho(g) x`` on the last axis by matrices of the fields, half precision in float32."""
        wide = x.to(accumulation_dtype(x.dtype))
        key = (rep, wide.dtype, wide.device)
        if key not in self._matrices:
            self._matrices[key] = [
                None if matrix is None else torch.tensor(matrix.T, dtype=wide.dtype, device=wide.device)
                for matrix in (
                    matrix_of_several(segment, segment.field.matrices(self._g)[0]) for segment in rep.segments
                )
            ]
        parts = wide.split([segment.dim for segment in rep.segments], -1)
        moved = [
            part if matrix is None else multiplied(segment, part, matrix)
            for segment, part, matrix in zip(rep.segments, parts, self._matrices[key], strict=True)
        ]
        return torch.cat(moved, -1).to(x.dtype)


def _moved_digits(x: torch.Tensor, digits: list[tuple[int, Digit]], moves: Array) -> torch.Tensor:
    order = list(range(x.ndim))
    flipped = []
    for target, row in enumerate(moves):
        source = int(np.abs(row).argmax())
        here = [(position, digit) for position, digit in digits if digit.coordinate == target]
        there = [(position, digit) for position, digit in digits if digit.coordinate == source]
        for (position, _), partner in zip(here, _partners(here, there), strict=True):
            order[position] = partner
        if row.sum() < 0:
            flipped += [position for position, _ in here]
    return x.permute(order).flip(flipped)


def _merged_shape(shape: Sequence[int], terms: Sequence[Term]) -> list[int]:
    sizes, start = [], 0
    for term in terms:
        sizes.append(prod(shape[start : start + len(term)]))
        start += len(term)
    return sizes


def _taken(x: torch.Tensor, position: int, index: torch.Tensor) -> torch.Tensor:
    """``x.index_select(position, index)``, which takes four times as long as a gather where the runs are short."""
    if prod(x.shape[position + 1 :]) >= RUN:
        return x.index_select(position, index)
    shape = [-1 if axis == position else 1 for axis in range(x.ndim)]
    return x.gather(position, index.reshape(shape).expand(x.shape))


@cached(1024)
def _sources(rep: Representation, element: bytes) -> tuple[np.ndarray | None, np.ndarray | None] | None:
    """For each feature of ``rho(g) x`` the feature of x that it is, and its sign; None if features are mixed.

    None too in place of what stays: features in their order, signs that are all 1.
    """
    group = rep.group
    matrix = np.frombuffer(element, dtype=np.float64).reshape(1, group.matrix_dim, group.matrix_dim)
    table = rep.signed_permutations(matrix)
    if table is None:
        return None
    source = np.argsort(table[0][0])
    signs = table[1][0][source]
    stays = bool((source == np.arange(len(source))).all())
    return None if stays else source, None if (signs == 1).all() else signs


def _partners(here: list[tuple[int, Digit]], there: list[tuple[int, Digit]]) -> list[int]:
    """For each digit of one coordinate the same digit of another: by its path, k-th occurrence with k-th."""
    if len(here) != len(there):
        raise CannotActError("pixels along one axis and not along another, which the group exchanges")
    if sorted(d.path for _, d in here) != sorted(d.path for _, d in there):
        return [position for position, _ in there]
    left = list(there)
    found = []
    for _, digit in here:
        match = next(pair for pair in left if pair[1].path == digit.path)
        left.remove(match)
        found.append(match[0])
    return found
