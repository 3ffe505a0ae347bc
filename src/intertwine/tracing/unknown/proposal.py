"""The type that the result of a function without a rule is taken to have, before it is asked for."""

from collections.abc import Sequence

import torch

from intertwine.tracing.axes import Axis, Digit, bare
from intertwine.tracing.calls import TypedCall, kind_shape, leaves
from intertwine.tracing.context import Axes, Context
from intertwine.tracing.functions.pointwise import permuted, same
from intertwine.tracing.normal_form import resolved
from intertwine.tracing.types.tensor_type import TensorType
from intertwine.tracing.unknown.asked import Asked, close
from intertwine.tracing.unknown.candidates import Choice, Source
from intertwine.tracing.unknown.search import FoundAction
from intertwine.tracing.unknown.sharing import goes_through


def proposed(
    context: Context, typed: TypedCall, asked: Asked, outs: Sequence[torch.Tensor], found: FoundAction | None
) -> list[Axes]:
    """The axes of each result.

    Those that a search found; of a function of each entry by itself those of its argument; else of an argument of like
    shape, or axis by axis of like length, or pixels of another number; else hidden features of their own. A proposal
    never says that the group leaves features alone: the check would believe that of any function.
    """
    given = leaves(asked.args, asked.kwargs)
    if found is not None:
        typed.rule, typed.reason = "found", ""
        return _replayed(context, found, asked.kinds)
    if len(given) == len(outs) == 1 and given[0].shape == outs[0].shape and not typed.mutates:
        how = _entrywise(asked, given[0], outs[0])
        if how:
            typed.rule, typed.reason = "found", ""
            typed.how = f"as {how} of each entry by itself"
            return [(same if how == "a multiple" else permuted)(context, outs[0], given[0])]
    return [_like(context, asked, number, part) for number, part in enumerate(outs)]


def _like(context: Context, asked: Asked, number: int, part: torch.Tensor) -> Axes:
    moving = [(i, kind) for i, kind in enumerate(asked.kinds) if kind.dynamic]
    like = [pair for pair in moving if kind_shape(pair[1]) == tuple(part.shape)]
    argument, kind = (like or moving)[0]
    axes = []
    for position, size in enumerate(part.shape):
        places = [position] if like else [i for i in range(position, len(kind.axes)) if kind.axes[i].size == size]
        if places and goes_through(context, asked, (argument, places[0]), (number, position)):
            axes.append(kind.axes[places[0]])
        elif len(kind.axes) == part.ndim and isinstance(bare(resolved(kind.axes[position])), Digit):
            axes.append(context.resized(kind.axes[position], size))
        else:
            axes.append(context.solver.fresh(size, feature=True))
    return axes


def _replayed(context: Context, found: FoundAction, kinds: Sequence[TensorType]) -> list[Axes]:
    if found.pinned:
        for kind, axes in zip(kinds, found.inputs, strict=True):
            for axis, own in zip(kind.axes, axes, strict=True):
                if kind.dynamic:
                    context.equal(axis, own)
    return [[_chosen(context, choice, kinds) for choice in choices] for choices in found.outputs]


def _chosen(context: Context, choice: Choice, kinds: Sequence[TensorType]) -> Axis:
    if not isinstance(choice, Source):
        return choice
    axis = kinds[choice.argument].axes[choice.axis]
    return axis if axis.size == choice.size else context.resized(axis, choice.size)


def _entrywise(asked: Asked, x: torch.Tensor, out: torch.Tensor) -> str:
    """``"a function"``, ``"a multiple"``, or nothing: whether it commutes with every order of the entries."""
    if not x.is_floating_point() or x.numel() < 2:
        return ""
    generator = torch.Generator().manual_seed(0)
    order = torch.randperm(x.numel(), generator=generator).to(x.device)
    shuffled = x.detach().flatten()[order].reshape(x.shape)
    results = asked.results([x, shuffled, 2 * x, -x])
    if results is None or not close(results[1], results[0].flatten()[order].reshape(out.shape)):
        return ""
    linear = close(results[2], 2 * results[0]) and close(results[3], -results[0])
    return "a multiple" if linear else "a function"
