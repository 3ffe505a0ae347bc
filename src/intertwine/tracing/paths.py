"""Features that no equivariant weight takes further: the parts of an input that a model must ignore."""

from collections.abc import Mapping
from itertools import pairwise

import torch

from intertwine.projectors import Projector
from intertwine.tracing.axes import Axis
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


def made_by_several(uses: Mapping[str, ParameterUse], axis: Axis) -> list[str]:
    """The weights that make the open features of an output, where these are several: those of a residual stream.

    An output that the group leaves alone makes all of them invariant, where it may have been meant for a head alone.
    """
    nodes = {node for node in unknowns(resolved(axis)) if node.feature and node.size > 1}
    found = [
        name
        for name, use in uses.items()
        if use.output is not None and nodes.intersection(unknowns(resolved(use.type.axes[use.output])))
    ]
    return found if len(found) > 1 else []
