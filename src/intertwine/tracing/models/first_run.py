"""The first run of a model, in which layers may make their state, and which says whether the example fits."""

from typing import Any

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from intertwine.errors import ArgumentError, IntertwineError, with_article
from intertwine.tracing.models.value_trees import copied, tensors
from intertwine.tracing.record import Handler, Watch, run
from intertwine.tracing.whole.seams import Seams


def first_run(model: nn.Module, example: Any, handler: Handler, seams: Seams) -> bool:
    """Run ``model(example)`` once, every call of it through ``handler``; without gradients, unless it fails without.

    Returns:
        Whether it ran with gradients only, as a model does that differentiates its own energy.

    Raises:
        ArgumentError: an example without a sample, of tensors that are not dense, or that the model does not take.
    """
    given = tuple(tensors(example))
    if given and not any(tensor.numel() for tensor in given):
        raise ArgumentError("example", expected="at least one sample", got="none", advice="Nothing would be tested.")
    for tensor in given:
        if tensor.layout is not torch.strided or tensor.is_nested:
            raise ArgumentError("example", expected="dense tensors, which the group can move", got=str(tensor.layout))
    try:
        if any(map(is_lazy, (*model.parameters(), *model.buffers()))):  # which have no shape that could be watched
            run(model, copied(example))
        try:
            with Watch(model, handler, seams).watching():
                run(model, example)
        except RuntimeError:
            with torch.enable_grad(), Watch(model, handler, seams).watching():
                run(model, example)
            return True
    except IntertwineError:
        raise
    except Exception as error:
        said = f"{type(error).__name__}: {error}".splitlines()[0][:200]
        raise ArgumentError(
            "example",
            expected="what the model takes: a tensor, a tuple of arguments, or a dictionary of them",
            got=f"{with_article(type(example).__name__)}, and {said}",
        ) from error
    return False
