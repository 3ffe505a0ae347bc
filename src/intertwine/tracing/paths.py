"""Features that no equivariant weight takes further, and those that see no direction: what a model must ignore."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

import torch

from intertwine.projectors import Projector
from intertwine.tracing.axes import Axis, Carried, Digit, Nested, Squared, Unknown, Wave
from intertwine.tracing.context import ParameterUse
from intertwine.tracing.normal_form import resolved, unknowns
from intertwine.tracing.parameters import TypedParameter

# Larger weights are not drawn to see which of their columns are zero.
MAX_ENTRIES = 2**22


def no_path(parameters: Mapping[str, TypedParameter]) -> list[str]:
    """One sentence for each weight whose equivariant values are zero on some of its inputs or outputs.

    Invariant features alone cannot take a vector further: "no path from 2x1o through 0.weight". A model that is
    equivariant because it ignores its input is no success.
    """
    found = []
    for name, typed in parameters.items():
        P = typed.projector
        if typed.output is None or P.numel is None or P.numel > MAX_ENTRIES or len(P.axes) < 2:
            continue
        dead = dead_features(P, typed.output)
        found += [
            f"no path {word} {text} through {name}: every equivariant weight is zero there" for word, text in dead
        ]
    return found


def dead_features(P: Projector, output: int) -> list[tuple[str, str]]:
    """``("from", "2x1o")`` for inputs, ``("to", "1o")`` for outputs, on which every equivariant weight is zero."""
    words = []
    if any(size is None for size in P.shape):
        return []
    shape = [size for size in P.shape if size is not None]
    drawn: torch.Tensor | None = None
    for axis, rep in enumerate(P.axes):
        if rep is None or axis > 1 or rep.is_permutation or len(shape) <= axis or shape[axis] != rep.dim:
            continue
        if drawn is None:
            generator = torch.Generator().manual_seed(0)
            drawn = P.project(torch.randn(shape, generator=generator, dtype=torch.float64)).abs()
        alive = drawn.movedim(axis, 0).reshape(rep.dim, -1).amax(1) > 1e-9
        bounds = [where.start for where in rep.slices] + [rep.dim]
        names = [
            segment.name
            for segment, (a, b) in zip(rep.segments, pairwise(bounds), strict=True)
            if not bool(alive[a:b].any())
        ]
        if names:
            words.append(("to" if axis == output else "from", " + ".join(names)))
    return words


def without_direction(uses: Iterable[ParameterUse]) -> list[Unknown]:
    """The open unknowns that parameters make of invariants alone, directly or over several layers.

    An equivariant weight from invariants to a vector is zero, and one from invariants to a field that the group
    permutes is constant on it. So such features are best typed invariant: nothing is lost, and every weight stays free.

    Args:
        uses: the parameters of a run with their types. A weight with a known output makes that of its other axes; of
            any other parameter each axis is made of the others, as learnt positions bring directions to features.
    """
    births = list(_births(uses))
    moved: set[Unknown] = set()
    grew = True
    while grew:
        grew = False
        for axis, sources in births:
            made = set(unknowns(axis)) - moved
            if made and any(_moves(source, moved) for source in sources):
                moved |= made
                grew = True
    born = dict.fromkeys(node for axis, _ in births for node in unknowns(axis))
    return [node for node in born if node not in moved and node.feature]


def _births(uses: Iterable[ParameterUse]) -> Iterable[tuple[Axis, Sequence[Axis]]]:
    for use in uses:
        axes = [resolved(axis) for axis in use.type.axes]
        made = range(len(axes)) if use.output is None else [use.output]
        for position in made:
            yield axes[position], axes[:position] + axes[position + 1 :]


def _moves(axis: Axis, moved: set[Unknown]) -> bool:
    """Whether the group moves anything on an axis in normal form."""
    return any(
        (isinstance(factor, Digit | Wave) and factor.size > 1)
        or isinstance(factor, Carried)
        or (isinstance(factor, Unknown) and factor in moved)
        or (isinstance(factor, Nested | Squared) and _moves(resolved(factor.axis), moved))
        for term in axis.terms
        for factor in term
    )
