"""Known representations cut into runs of features and factored into products, along whole fields only."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from intertwine.representations import Representation, Segment
from intertwine.representations.segment import Layout
from intertwine.tracing.axes import Carried, Factor


def cut_representation(rep: Representation, size: int) -> tuple[Representation, Representation] | None:
    """The first ``size`` features and the rest; None where a field reaches over the cut.

    Examples:
        >>> import intertwine as iw
        >>> cut_representation(iw.SO(3).irreps("2x0 + 2x1"), 5)
        (Representation(SO(3): 2x0 + 1), Representation(SO(3): 1))
    """
    first: list[Segment] = []
    left = size
    segments = list(rep.segments)
    while left and segments:
        segment = segments.pop(0)
        if segment.dim <= left:
            first.append(segment)
            left -= segment.dim
            continue
        if segment.layout != "mul_ir" or left % segment.field.dim:
            return None
        copies = left // segment.field.dim
        first.append(replace(segment, mul=copies))
        segments.insert(0, replace(segment, mul=segment.mul - copies))
        left = 0
    return Representation(rep.group, tuple(first)), Representation(rep.group, tuple(segments))


def first_of_fields(rep: Representation) -> list[int]:
    """For each feature the number of the first in its field.

    Examples:
        >>> import intertwine as iw
        >>> first_of_fields(iw.SO(3).irreps("2x0 + 2x1"))
        [0, 1, 2, 2, 2, 5, 5, 5]
    """
    found: list[int] = []
    for segment in rep.segments:
        start, size = len(found), segment.field.dim
        inner = segment.layout == "mul_ir"
        found += [start + (i // size * size if inner else i % segment.mul) for i in range(segment.dim)]
    return found


def outer_factor(rep: Representation, copies: int) -> Representation | None:
    """``chunk`` with ``rep = copies * chunk``, copy after copy; None if there is none.

    Examples:
        >>> import intertwine as iw
        >>> outer_factor(iw.SO(3).irreps("0 + 1 + 0 + 1"), 2)
        Representation(SO(3): 0 + 1)
    """
    if rep.dim % copies:
        return None
    cut = cut_representation(rep, rep.dim // copies)
    if cut is None:
        return None
    return cut[0] if copies * cut[0] == rep else None


def inner_factor(rep: Representation, copies: int) -> Representation | None:
    """``outer`` where ``rep`` is ``outer`` with every feature repeated ``copies`` times; None if there is none.

    Examples:
        >>> import intertwine as iw
        >>> inner_factor(iw.SO(3).irreps("4x0 + 4x1", layout="ir_mul"), 4)
        Representation(SO(3): 0 + 1)
    """
    found: list[Segment] = []
    for segment in rep.segments:
        one_dimensional = segment.field.dim == 1
        if (segment.layout != "ir_mul" and not one_dimensional) or segment.mul % copies:
            return None
        layout: Layout = "mul_ir" if one_dimensional or segment.mul == copies else "ir_mul"
        found.append(Segment(segment.mul // copies, segment.field, layout))
    return Representation(rep.group, tuple(found))


def matrix_factor(rep: Representation, outer: int) -> Representation | None:
    """The standard representation, where ``rep`` is that of square matrices, ``A -> g A g^T``, row by row.

    Examples:
        >>> import intertwine as iw
        >>> vector = iw.O(3).standard()
        >>> matrix_factor(vector.tensor(vector), 3)
        Representation(O(3): 1o)
    """
    vector = rep.group.standard()
    if vector.dim != outer or rep.dim != outer**2 or not same_action(rep, vector.tensor(vector)):
        return None
    return vector


def same_product(one: Sequence[Factor], two: Sequence[Factor]) -> bool:
    """Whether two products of known representations, in C order, are one: ``1o*1o`` and that of 3 x 3 matrices."""
    reps = [_product(term) for term in (one, two)]
    return reps[0] is not None and reps[1] is not None and same_action(reps[0], reps[1])


def _product(term: Sequence[Factor]) -> Representation | None:
    found: Representation | None = None
    for factor in term:
        if not isinstance(factor, Carried):
            return None
        found = factor.rep if found is None else found.tensor(factor.rep)
    return found


def same_action(first: Representation, second: Representation) -> bool:
    """Whether both have the same matrices, however they are written."""
    if first == second:
        return True
    if first.dim != second.dim or first.group != second.group:
        return False
    if first.is_complex or second.is_complex or first.dim > 512:
        return False
    one, two = first.as_field(), second.as_field()
    return bool(
        np.allclose(one.generator_images(), two.generator_images(), atol=1e-9)
        and np.allclose(one.algebra(), two.algebra(), atol=1e-9)
    )
