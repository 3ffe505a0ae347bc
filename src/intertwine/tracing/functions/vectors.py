"""Functions of vectors in space."""

from typing import Any

import numpy as np
import torch

from intertwine.groups import Group
from intertwine.representations import Representation
from intertwine.tracing.context import Axes, ConflictError, Context
from intertwine.tracing.functions.rule import Rule
from intertwine.tracing.normal_form import carried, is_alone, resolved, unknowns


def cross(ctx: Context, out: Any, x: torch.Tensor, y: torch.Tensor, dim: Any = None, **options: Any) -> Axes:
    """``x times y``: a vector that reflections do not reverse, ``det(R) R``."""
    if dim is None:
        dim = -1
    one, two = ctx.axes(x), ctx.axes(y)
    vector, other = one[dim], two[dim]
    ctx.unify(vector, other)
    if unknowns(vector):
        ctx.unify(vector, carried(ctx.group.standard()))
    vector = resolved(vector)
    found = []
    for row in ctx.aligned(out, (x, y)):
        for tensor, axis in row[1:]:
            ctx.meet(tensor, axis, row[0][1])
        found.append(resolved(row[0][1]))
    ctx.need_all([axis for i, axis in enumerate(found) if i != dim % out.ndim])
    if not is_alone(vector):
        if vector != carried(ctx.group.standard()) or vector.size != ctx.group.matrix_dim:
            raise ConflictError(f"a cross product of {vector}, which are not the vectors of {ctx.group}")
        found[dim] = carried(axial(ctx.group))
    return found


def axial(group: Group) -> Representation:
    """``det(R) R``: how a group of 3 x 3 matrices acts on cross products.

    Examples:
        >>> import intertwine as iw
        >>> axial(iw.O(3)), axial(iw.SO(3))
        (Representation(O(3): 1e), Representation(SO(3): 1))
    """
    standard = group.standard()
    field = standard.as_field()
    images = field.generator_images()
    signs = np.linalg.det(group.generator_matrices()).round() if len(images) else np.ones(0)
    if (signs == 1).all():
        return standard
    for label in group.irrep_candidates(3, field.algebra()):
        if group.irrep_dim(label) == 3:
            candidate = group.irrep(label)
            own = candidate.as_field()
            if np.allclose(own.generator_images(), signs[:, None, None] * images, atol=1e-9) and np.allclose(
                own.algebra(), field.algebra(), atol=1e-9
            ):
                return candidate
    lie = field.algebra() if len(group.algebra_matrices()) else None
    return group.representation(signs[:, None, None] * images, lie)


RULES: dict[str, Rule] = dict.fromkeys(("cross", "linalg_cross"), cross)
