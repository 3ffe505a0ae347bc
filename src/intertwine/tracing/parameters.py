"""From the axes of a parameter to the projector that it carries."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from math import prod

import numpy as np
import torch

from intertwine.projectors import Projector
from intertwine.projectors.axes.folds import fold_axes
from intertwine.projectors.diagonal import diagonal_projector
from intertwine.projectors.dispatch import tensor_projector
from intertwine.projectors.kernels.kernel import pixel_representation
from intertwine.representations import Representation, Segment
from intertwine.representations.permutation_field import PermutationField
from intertwine.tracing.acting import Acting
from intertwine.tracing.axes import Axis, Carried, Digit, Fixed, Nested, Term, term_size
from intertwine.tracing.bindings import CannotActError, UntypedError
from intertwine.tracing.context import ParameterUse
from intertwine.tracing.normal_form import is_alone, is_trivial, permutes, resolved
from intertwine.tracing.spectral.weights import has_waves, joint_weight, spectral_weight

# Terms of mixed factors become matrices up to this size; larger ones are refused.
MAX_MATRIX = 1024


@dataclass(frozen=True)
class TypedParameter:
    """A projector for a parameter, and which axis of it feeds outputs (None: it is no weight).

    Attributes:
        projector: on its equivariant values.
        output: the axis.
        joined: names of several tensors that are typed as one, in order.
        start: the first of the axes along which these are flattened and put side by side.
        last: how many axes after those stay.
    """

    projector: Projector
    output: int | None
    joined: tuple[str, ...] = ()
    start: int = 0
    last: int = 0


class ParameterTypes:
    """Builds projectors, like ones once."""

    def __init__(self, acting: Acting) -> None:
        self._acting = acting
        self._built: dict[object, Projector] = {}
        self._reps: dict[tuple[Term, ...], Representation] = {}

    def typed(self, use: ParameterUse, shape: tuple[int, ...]) -> TypedParameter | None:
        """The projector; None where the group leaves every entry alone.

        Raises:
            UntypedError: there is none.
        """
        axes = [resolved(axis) for axis in use.type.axes]
        if all(is_alone(axis) for axis in axes):
            return None
        if any(map(has_waves, axes)):
            return TypedParameter(self._on_waves(use, shape), None)
        if use.diagonal and not all(permutes(axis) for axis in axes):
            moving = [axis for axis in axes if not is_alone(axis)]
            if len(moving) > 1 or prod(shape) != moving[0].size:
                raise UntypedError("it multiplies features along several axes that the group does not permute")
            rep = self.representation(moving[0])
            return TypedParameter(self._shared(("diagonal", rep, shape), rep, shape), None)
        reps = tuple(self._run(run) for run in runs(axes))
        return TypedParameter(self._tensor(reps, shape), use.output)

    def joined(self, uses: Mapping[str, ParameterUse]) -> list[TypedParameter]:
        """Weights (in, out, *waves) that the group takes to those of other weights of their module, typed together."""
        layers: dict[object, list[str]] = {}
        for name, use in uses.items():
            axes = _without_pairs(use)
            if use.diagonal or len(axes) < 3 or [has_waves(axis) for axis in axes] != [i > 1 for i in range(len(axes))]:
                continue
            key = (name.rpartition(".")[0], tuple(axis.terms for axis in axes[:2]), use.pairs)
            layers.setdefault(key, []).append(name)
        found = []
        for names in layers.values():
            parts, pairs = [_without_pairs(uses[name]) for name in names], uses[names[0]].pairs
            if len(names) < 2 or not (pairs or all(uses[name].is_complex for name in names)):
                continue
            with suppress(UntypedError):  # then each by itself
                channels = [self.representation(axis) for axis in parts[0][:2]]
                P = joint_weight(self._acting, [axes[2:] for axes in parts], channels, pairs=pairs)
                if P is not None:
                    found.append(TypedParameter(P, None, tuple(names), 2, int(pairs)))
        return found

    def _on_waves(self, use: ParameterUse, shape: tuple[int, ...]) -> Projector:
        if not (use.pairs or use.is_complex):
            raise UntypedError("it is a real weight on waves")
        axes = _without_pairs(use)
        channels = [axis for axis in axes if not has_waves(axis)]
        if use.diagonal and not all(map(permutes, channels)):
            raise UntypedError("it multiplies waves of features that the group does not permute")
        key = ("waves", tuple(axis.terms for axis in axes), shape, use.pairs)
        if key not in self._built:
            reps = [self.representation(axis) for axis in channels]
            self._built[key] = spectral_weight(self._acting, axes, shape, reps, pairs=use.pairs)
        return self._built[key]

    def _shared(self, key: object, rep: Representation, shape: tuple[int, ...]) -> Projector:
        if key not in self._built:
            self._built[key] = diagonal_projector(rep, shape=shape)
        return self._built[key]

    def _tensor(self, reps: tuple[Representation, ...], shape: tuple[int, ...]) -> Projector:
        # A representation takes as many axes as its length says: axes of length 1 go with their neighbours.
        kept = tuple(rep for rep in reps if rep.dim != 1 or not is_trivial(rep)) or reps[:1]
        key = (kept, shape)
        if key not in self._built:
            folded = None if len(kept) == len(shape) else fold_axes(kept, shape)
            self._built[key] = tensor_projector(kept, folds=folded)
        return self._built[key]

    def _run(self, run: Sequence[Axis]) -> Representation:
        if len(run) == 1:
            return self.representation(run[0])
        return self.representation(resolved(Axis((tuple(Nested(axis) for axis in run),))))

    def representation(self, axis: Axis) -> Representation:
        """How the group acts on an axis.

        Raises:
            UntypedError: in no way that is known.
        """
        clean = resolved(axis)
        if clean.terms not in self._reps:
            whole = Representation(self._acting.group, ())
            for term in clean.terms:
                whole = whole + self._of_term(term)
            self._reps[clean.terms] = whole
        return self._reps[clean.terms]

    def _of_term(self, term: Term) -> Representation:
        group = self._acting.group
        if len(term) == 1 and isinstance(term[0], Fixed):
            return term[0].size * group.trivial()
        if len(term) == 1 and isinstance(term[0], Carried):
            return term[0].rep
        if len(term) == 2 and isinstance(term[0], Fixed) and isinstance(term[1], Carried | Nested):
            return term[0].size * self.representation(Axis((term[1:],)))
        if len(term) == 2 and isinstance(term[0], Carried) and isinstance(term[1], Fixed):
            inner = _repeated(term[0].rep, term[1].size)
            if inner is not None:
                return inner
        digits = [factor for factor in term if isinstance(factor, Digit)]
        coordinates = [digit.coordinate for digit in digits]
        space = self._acting.space
        if len(digits) == len(term) and space is not None and coordinates == list(range(space.dim)):
            pixels, reason = pixel_representation(group, tuple(digit.size for digit in digits), space)
            if pixels is None:
                raise UntypedError(reason)
            return pixels
        return self._by_acting(term)

    def _by_acting(self, term: Term) -> Representation:
        """By what the generators do to the entries: a permutation with signs, or matrices."""
        group, axis, size = self._acting.group, Axis((term,)), term_size(term)
        if len(group.algebra_matrices()):
            return self._by_matrices(axis)
        numbers = torch.arange(1, size + 1, dtype=torch.float64)
        rows, signs = [], []
        for g in group.generators:
            try:
                moved = self._acting(g, numbers, [axis]).numpy()
            except CannotActError as error:
                raise UntypedError(str(error)) from error
            source = np.abs(moved).round().astype(np.int64) - 1
            if np.abs(np.abs(moved) - (source + 1)).max() > 1e-6 or len(np.unique(source)) != size or source.min() < 0:
                return self._by_matrices(axis)
            rows.append(np.argsort(source))
            signs.append(np.sign(moved)[rows[-1]].astype(np.int64))
        images = tuple(tuple(row.tolist()) for row in rows)
        signed = any((row < 0).any() for row in signs)
        table = tuple(tuple(row.tolist()) for row in signs) if signed else None
        return Representation(group, (Segment(1, PermutationField(group, f"[{axis}]", images, table, size)),))

    def _by_matrices(self, axis: Axis) -> Representation:
        group, size = self._acting.group, axis.size
        factors = axis.terms[0]
        if all(isinstance(factor, Fixed | Carried) for factor in factors):
            reps = [self._of_term((factor,)) for factor in factors]
            whole = reps[0]
            for rep in reps[1:]:
                whole = whole.tensor(rep)
            return whole
        if size > MAX_MATRIX or len(group.algebra_matrices()):
            raise UntypedError(f"{axis} has no matrices that are small enough")
        eye = torch.eye(size, dtype=torch.float64)
        images = [self._acting(g, eye, [Axis(((Fixed(size),),)), axis]).T for g in group.generators]
        return group.representation(torch.stack(images))


def _repeated(rep: Representation, copies: int) -> Representation | None:
    """Every feature ``copies`` times in a row."""
    found: list[Segment] = []
    for segment in rep.segments:
        units = segment.mul if segment.layout == "mul_ir" else 1
        for _ in range(units):
            if segment.layout == "ir_mul" and segment.mul > 1:
                found.append(replace(segment, mul=segment.mul * copies))
            else:
                found.append(Segment(copies, segment.field, "ir_mul"))
        if len(found) > 4096:
            return None
    return Representation(rep.group, tuple(found))


def _without_pairs(use: ParameterUse) -> list[Axis]:
    """The axes of complex numbers, however they are stored."""
    axes = [resolved(axis) for axis in use.type.axes]
    return axes[:-1] if use.pairs else axes


def runs(axes: Sequence[Axis]) -> list[list[Axis]]:
    """Axes that the group moves by themselves, and runs of those that it exchanges."""
    moving = [i for i, axis in enumerate(axes) if _has_digits(axis)]
    if len(moving) < 2:
        return [[axis] for axis in axes]
    first, last = moving[0], moving[-1]
    bounds = [*range(first + 1), *range(last + 1, len(axes) + 1)]
    return [list(axes[a:b]) for a, b in pairwise(bounds)]


def _has_digits(axis: Axis) -> bool:
    return any(
        isinstance(factor, Digit) or (isinstance(factor, Nested) and _has_digits(factor.axis))
        for term in axis.terms
        for factor in term
    )
