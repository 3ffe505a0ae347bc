"""Tensors that no call was seen to make: whether they depend on the input all the same."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import nn

from intertwine.errors import ArgumentError
from intertwine.tracing.calls import leaves
from intertwine.tracing.models.evaluating import evaluating
from intertwine.tracing.models.value_trees import copied, mapped
from intertwine.tracing.record import Place, Watch, run
from intertwine.tracing.whole.seams import Seams

# By the number of the call and of the tensor among its arguments; a run's outputs come after its last call.
Unseen = dict[tuple[int, int], tuple[str, torch.Tensor]]
# What makes tensors of Python's or numpy's numbers, which may come from the input.
OF_PYTHON = frozenset(["tensor", "as_tensor", "asarray", "from_numpy", "frombuffer", "new_tensor"])
# Inputs are changed by so large a share of their spread.
SHARE = 0.2


def is_transformed(tensor: torch.Tensor) -> bool:
    """Whether a tensor stands for one that ``torch.vmap`` or ``torch.func`` holds, which alone is known outside."""
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(tensor))


def refuse_nested(given: Sequence[torch.Tensor], place: Place) -> None:
    """Whether a call takes dense tensors.

    Raises:
        ArgumentError: nested ones, whose axes have no lengths.
    """
    if any(tensor.is_nested for tensor in given):
        raise ArgumentError(
            "model",
            expected="dense tensors between its layers",
            got=f"nested ones, for {place}",
            advice="Pad them, or type the layers around by hand.",
        )


def hidden_dependences(model: nn.Module, example: Any, unseen: Unseen, seams: Seams, *, gradients: bool) -> list[str]:
    """One sentence for each tensor of ``unseen`` that is another one where the input is another.

    What numpy, a compiled extension or a function transform makes of the input is not seen; without this it would count
    as a constant of the model, and the model as one that ignores its input.
    """
    if not unseen:
        return []
    values: dict[tuple[int, int], torch.Tensor] = {}

    def keep(place: Place, function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        _collect(values, unseen, place.index, leaves(args, kwargs))
        return function(*args, **kwargs)

    watch = Watch(model, keep, seams)
    with evaluating(model):
        given = _changed(copied(example))
        with torch.set_grad_enabled(gradients), watch.watching():
            output = run(model, given)
    _collect(values, unseen, -1, leaves(output))
    return [
        f"unseen: {place} takes a tensor that depends on the input, though no call was seen to make it: numpy, a "
        "compiled extension, torch.vmap or torch.func did. It counts as a constant here: give rules= for a function "
        "around it"
        for key, (place, value) in unseen.items()
        if key in values and not _equal(value, values[key])
    ]


def _collect(
    values: dict[tuple[int, int], torch.Tensor], unseen: Mapping[tuple[int, int], Any], index: int, given: list[Any]
) -> None:
    for position, tensor in enumerate(given):
        if (index, position) in unseen and not is_transformed(tensor):
            values[index, position] = tensor.detach().clone()


def _changed(example: Any) -> Any:
    generator = torch.Generator().manual_seed(0)

    def other(x: torch.Tensor) -> torch.Tensor:
        if not x.is_floating_point() or x.numel() < 2:
            return x
        noise = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x)
        return (x.detach() + SHARE * x.detach().std() * noise).requires_grad_(x.requires_grad)

    return mapped(example, other)


def _equal(one: torch.Tensor, two: torch.Tensor) -> bool:
    return one.shape == two.shape and bool(torch.equal(one.nan_to_num(), two.nan_to_num()))
