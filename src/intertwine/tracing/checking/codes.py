"""Constants that code the places of a table, as offsets do: how they turn follows from their values."""

from collections.abc import Sequence
from functools import partial

import numpy as np
import torch
from torch import nn

from intertwine._numerics import Array
from intertwine.errors import IntertwineError
from intertwine.groups import Group
from intertwine.representations import Representation
from intertwine.tracing.acting import Acting, can_act
from intertwine.tracing.axes import Axis, Unknown, fixed
from intertwine.tracing.calls import TypedCall
from intertwine.tracing.context import Context, TensorType
from intertwine.tracing.normal_form import carried, is_alone, resolved, unknowns
from intertwine.tracing.policy import Decisions

# Codes of more features are not looked at.
MOST_CODED = 64
Codes = dict[str, tuple[torch.Tensor, list[TensorType]]]


def codes_of(model: nn.Module, calls: Sequence[TypedCall], context: Context) -> Codes:
    """The constant tables of numbers that parameters take, each with what is made of it."""
    found: Codes = {}
    if not context.gathers:  # no rows of a table are read
        return found
    for name, tensor in model.named_buffers():
        if name in context.uses and tensor.is_floating_point():
            kinds = [kind for call in calls for kind in call.outputs if name in kind.parameters]
            if any(context.parameters_of(kind) for kind in kinds):
                found[name] = (tensor, kinds)
    return found


def waiting_for(codes: Codes) -> set[Unknown]:
    """The features of what is made of them."""
    axes = [axis for _, kinds in codes.values() for kind in kinds for axis in kind.axes]
    return {node for axis in axes for node in unknowns(resolved(axis))}


def settle_tables(codes: Codes, context: Context, acting: Acting, decisions: Decisions) -> None:
    """Type the rows of tables, then what codes their places, and what is made of it."""
    for _ in range(2):
        for gather in context.gathers:
            gather.settle(context.solver, acting)
    for name, (tensor, kinds) in codes.items():
        axes = [resolved(axis) for axis in context.uses[name].type.axes]
        left = [axis for axis in axes if unknowns(axis)]
        rep = coded_features(tensor, axes, axes.index(left[0]), acting) if len(left) == 1 else None
        if rep is None or not context.solver.attempt(partial(context.unify, left[0], carried(rep))):
            continue
        made = [axis for kind in kinds for axis in kind.axes]
        for axis in made:
            context.solver.mark_feature(axis)
        decisions.decide(made)


def coded_features(value: torch.Tensor, axes: Sequence[Axis], position: int, acting: Acting) -> Representation | None:
    """How the features of a constant turn, if it codes the places that it stands at: ``c(g p) = rho(g) c(p)``.

    Offsets (dy, dx) on a grid of offsets turn as vectors do, whatever odd function of each they are, as the tables of
    Swin v2 have them.

    Args:
        value: the constant.
        axes: what the group does to its axes, but for one.
        position: that one.
        acting: the group.

    Examples:
        >>> import intertwine as iw
        >>> from intertwine.tracing.axes import Digit
        >>> offsets = torch.cartesian_prod(torch.arange(-1, 2), torch.arange(-1, 2)).reshape(3, 3, 2)
        >>> G = iw.Cyclic(4)
        >>> axes = [Axis(((Digit(0, 3),),)), Axis(((Digit(1, 3),),)), fixed(2)]
        >>> coded_features(offsets**3, axes, 2, Acting(G, G.standard()))
        Representation(C4: 1)
    """
    size = axes[position].size
    others = [fixed(size) if i == position else axis for i, axis in enumerate(axes)]
    if size > MOST_CODED or all(is_alone(resolved(axis)) for axis in others) or not can_act(others):
        return None
    rows = value.detach().double().cpu()
    flat = rows.movedim(position, -1).reshape(-1, size)
    if int(torch.linalg.matrix_rank(flat)) < size:
        return None
    images = []
    for g in acting.group.generators:
        moved = acting(g, rows, others).movedim(position, -1).reshape(-1, size)
        image = torch.linalg.lstsq(moved, flat).solution.T
        if not torch.allclose(moved @ image.T, flat, rtol=0, atol=1e-5 * float(flat.abs().max())):
            return None
        whole = image.round()
        images.append(whole + 0.0 if torch.allclose(image, whole, rtol=0, atol=1e-5) else image)
    matrices = torch.stack(images).numpy()
    try:
        return _named(acting.group, matrices)
    except IntertwineError:  # no orthogonal matrices, or none of this group
        return None


def _named(group: Group, matrices: Array) -> Representation:
    """The standard representation where it is that."""
    standard = group.standard()
    if standard.dim == matrices.shape[1] and np.allclose(standard.as_field().generator_images(), matrices):
        return standard
    rep: Representation = group.representation(matrices)
    return rep
