"""Which way of computing P applies: the cheapest exact one, per tuple of fields."""

import itertools
from collections.abc import Iterable, Sequence
from math import prod
from typing import Any

from intertwine.errors import ArgumentError
from intertwine.projectors.axes.folds import Folds
from intertwine.projectors.axes.plan import AxisBlock, AxisPlan, Part, free_axis, plan_axis, plan_orbits
from intertwine.projectors.blocks_projector import BlocksProjector
from intertwine.projectors.methods.average import AverageProjector
from intertwine.projectors.methods.block import BasisProjector
from intertwine.projectors.methods.method import TupleProjector
from intertwine.projectors.methods.orbit import OrbitProjector
from intertwine.projectors.methods.schur import SchurProjector
from intertwine.projectors.weights import Axes
from intertwine.representations import Field
from intertwine.representations.irrep_field import IrrepField
from intertwine.representations.orbits import is_transitive

# The methods, the cheapest first. Each tuple of fields takes the first of a method's classes that applies to it; what
# the last one needs the method needs. A null space is found of whatever acts.
ORDER: dict[str, tuple[type[TupleProjector], ...]] = {
    "schur": (SchurProjector,),
    "orbit": (OrbitProjector,),
    "block": (SchurProjector, OrbitProjector, AverageProjector, BasisProjector),
    "nullspace": (BasisProjector,),
}


def tensor_projector(
    axes: Axes, method: str | None = None, folds: Folds | None = None, *, reason: str = ""
) -> BlocksProjector:
    """The projector for one representation an axis.

    Args:
        axes: representations of one group, None where it does not act; at least one of them is none.
        method: a name in ``ORDER``; None for the cheapest that applies.
        folds: which axes of the tensor each of them spans.
        reason: why P is not exact; empty if it is.

    Raises:
        ArgumentError: the method does not apply.
        SizeLimitError: a null space above dimension 2000.
    """
    group = next(filter(None, axes)).group
    # Of axes without action, where there are any.
    trivial: Any = IrrepField(group, group.trivial_label) if None in axes else None
    chosen, plans = _chosen(axes, method, trivial)
    kinds, parts = ORDER[chosen], []
    for blocks in itertools.product(*[plan.blocks for plan in plans]):
        fields = tuple([block.field or trivial for block in blocks])
        kind = kinds[0] if len(kinds) == 1 else _kind(kinds, fields, blocks)
        found = kind.of(fields)
        if found is not None and found.rank:
            parts.append(Part(blocks, found))
    return BlocksProjector(group, axes, plans, tuple(parts), chosen, folds=folds, reason=reason)


def _chosen(axes: Axes, method: str | None, trivial: Any) -> tuple[str, tuple[AxisPlan, ...]]:
    """The method, and how each axis is cut for it."""
    plain = tuple([free_axis() if rep is None else plan_axis(rep) for rep in axes])
    for name in ORDER if method is None else (method,):
        plans = plain if name in ("schur", "nullspace") else _cut(axes, plain, whole_is_enough=name == "orbit")
        fields = [[block.field or trivial for block in plan.blocks] for plan in plans]
        if name == "nullspace" or ORDER[name][-1].applies(fields):
            return name, plans
    raise ArgumentError(
        "method",
        expected=f"a method that applies; {method!r} needs {ORDER[str(method)][-1].needs}",
        got=", ".join(str(rep) for rep in axes),
    )


def _kind(
    kinds: Sequence[type[TupleProjector]], fields: Sequence[Field], blocks: Sequence[AxisBlock]
) -> type[TupleProjector]:
    """The first class of a method that applies to one tuple of fields."""
    copies, alone = prod([block.mul or 1 for block in blocks]), [(field,) for field in fields]
    return next(kind for kind in kinds if kind.applies(alone, copies))


def _cut(axes: Axes, plain: tuple[AxisPlan, ...], *, whole_is_enough: bool) -> tuple[AxisPlan, ...]:
    """Permutations with several orbits (grids) cut into them: like orbits are copies of one small field.

    Under the orbit method one axis that is whole already is enough to carry the rows, and the others stay as they lie
    in memory.
    """
    acted = [plan for plan, rep in zip(plain, axes, strict=True) if rep is not None]
    if whole_is_enough and any(all(is_transitive(field) for field in _fields(plan)) for plan in acted):
        return plain
    return tuple(
        plan_orbits(rep) if rep is not None and any(_has_orbits(field) for field in _fields(plan)) else plan
        for plan, rep in zip(plain, axes, strict=True)
    )


def _fields(plan: AxisPlan) -> Iterable[Field]:
    return (block.field for block in plan.blocks if block.field is not None)


def _has_orbits(field: Field) -> bool:
    return field.generator_permutations() is not None and not is_transitive(field)
