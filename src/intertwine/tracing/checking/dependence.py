"""Whether an output depends on an input at all: a model that ignores it is equivariant, and useless."""

from collections.abc import Callable
from typing import Any

import torch

from intertwine._numerics import TOLERANCES
from intertwine.tracing.axes import Axis
from intertwine.tracing.ends import EndTypes
from intertwine.tracing.models.value_trees import copied, mapped, tensors
from intertwine.tracing.normal_form import is_alone, resolved
from intertwine.tracing.record import run

# Inputs are changed by so large a share of their spread: enough to be seen, little enough to keep a model's branches.
SHARE = 0.2


# Draws anew, equivariantly, every parameter of a model that is zero; says whether there was one.
Awaken = Callable[[Callable[..., Any]], bool]


def without_effect(ends: EndTypes, model: Callable[..., Any], example: Any, output: Any, awaken: Awaken) -> list[str]:
    """One sentence for each input that the group moves, whose values change nothing in ``output = model(example)``.

    Args:
        ends: how the group acts on the inputs.
        model: with equivariant weights, in eval mode.
        example: what it took.
        output: what it gave.
        awaken: called if there is such an input, as parameters that begin as zero hide paths that training opens.
    """
    found = _ignored(ends, model, example, output)
    if found and awaken(model):
        return _ignored(ends, model, example, run(model, copied(example)))
    return found


def _ignored(ends: EndTypes, model: Callable[..., Any], example: Any, output: Any) -> list[str]:
    found = []
    generator = torch.Generator().manual_seed(0)
    for tensor, end in ends.inputs(example):
        if not tensor.is_floating_point() or not _moved(end.axes(tensor)):
            continue
        noise = torch.randn(tensor.shape, generator=generator, dtype=torch.float64).to(tensor)
        changed = tensor.detach() + SHARE * tensor.detach().std() * noise
        other = run(model, copied(_replaced(example, tensor, changed)))
        if all(_equal(one, two) for one, two in zip(tensors(output), tensors(other), strict=False)):
            found.append(
                f"no path from the input{end.where}, {end}, to the output: with equivariant weights its values change "
                "nothing there, and the model is equivariant because it ignores them"
            )
    return found


def _moved(axes: list[Axis]) -> bool:
    return not all(is_alone(resolved(axis)) for axis in axes)


def _replaced(example: Any, old: torch.Tensor, new: torch.Tensor) -> Any:
    return mapped(example, lambda tensor: new.requires_grad_(tensor.requires_grad) if tensor is old else tensor)


def _equal(one: torch.Tensor, two: torch.Tensor) -> bool:
    if one.shape != two.shape or not one.is_floating_point():
        return one.shape == two.shape and bool((one == two).all())
    scale = float(one.detach().abs().max()) if one.numel() else 0.0
    return one.numel() == 0 or float((one - two).detach().abs().max()) <= TOLERANCES.get(one.dtype, 1e-5) * 0.1 * scale
