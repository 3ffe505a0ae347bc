"""Types carried through one run of a model: tensors are known by identity, and by what happens to them."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from intertwine.binding import Binding
from intertwine.binding.norms import NORM_TYPES
from intertwine.diagnostics.between_layers import POINTWISE, Carried, Verdicts
from intertwine.diagnostics.function_types import Call, function_effect
from intertwine.diagnostics.model_layers import kind_name
from intertwine.diagnostics.watched_calls import WatchedCalls

_SOFTMAX = (nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.Softmax2d)


class TypeTrace(WatchedCalls):
    """Inside ``with``, a run of the model gives a verdict on each norm and pointwise function of a known type.

    A type begins behind a typed module. Functions of torch hand it on as their rule says; where there is none, or a
    tensor comes from elsewhere, it ends.

    Attributes:
        verdicts: what was found.
    """

    def __init__(self, binding: Binding) -> None:
        super().__init__(binding.model)
        self.verdicts = Verdicts(binding)
        # Each with the tensor itself, so that no other takes its place.
        self._types: dict[int, tuple[torch.Tensor, Carried, int]] = {}
        self._whole = 0  # how many of the running modules are judged as a whole

    def entered(self, name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._whole += self._is_whole(name, module)

    def left(self, name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        if not self._is_whole(name, module):
            return
        self._whole -= 1
        result = _first(output)
        if self._whole or not isinstance(result, torch.Tensor):
            return
        x = args[0] if args else next(iter(kwargs.values()), None)
        known = self._known(x)
        carried = self.verdicts.through(name, module, None if known is None else known[0])
        if carried is not None:
            kernel = getattr(module, "kernel_size", None)
            axis = -1 - len(kernel) if isinstance(kernel, tuple) else -1
            if known is not None and carried.rep == known[0].rep and result.ndim == getattr(x, "ndim", 0):
                axis = known[1] - result.ndim
            self._know(result, carried, result.ndim + axis)

    def called(self, name: str, function: Callable[..., Any], args: Any, kwargs: dict[str, Any], output: Any) -> None:
        result = _first(output)
        if name == "__setitem__":
            self._types.pop(id(args[0]), None)
        if self._whole or not isinstance(result, torch.Tensor):
            return
        if not args and isinstance(kwargs.get("input"), torch.Tensor):
            args, kwargs = (kwargs["input"],), {key: value for key, value in kwargs.items() if key != "input"}
        operands = args[0] if args and isinstance(args[0], tuple | list) else args
        known = tuple(found for found in map(self._known, operands) if found is not None)
        if not known or self._known(operands[0]) is None:
            return
        finding, after = function_effect(name, Call(function, tuple(args), kwargs, known))
        if finding is not None:
            self._note(name, known[0][0], finding)
        self._types.pop(id(result), None)  # it may have been changed in place
        if after is not None:
            self._know(result, *after)

    def _note(self, function: str, carried: Carried, finding: Any) -> None:
        name, module = self.innermost
        pooling = type(module).__module__ == "torch.nn.modules.pooling"
        is_layer = pooling or isinstance(module, (*POINTWISE, *_SOFTMAX))
        self.verdicts.note(name, kind_name(module) if is_layer else f"{function}()", carried, finding)

    def _is_whole(self, name: str, module: nn.Module) -> bool:
        ours = type(module).__module__.startswith("intertwine.nn")
        return ours or name in self.verdicts.ends or isinstance(module, (*NORM_TYPES, nn.PReLU, nn.MultiheadAttention))

    def _known(self, tensor: object) -> tuple[Carried, int] | None:
        found = self._types.get(id(tensor))
        return found[1:] if found is not None and found[0] is tensor else None

    def _know(self, tensor: torch.Tensor, carried: Carried, axis: int) -> None:
        if 0 <= axis < tensor.ndim and tensor.shape[axis] == carried.rep.dim:
            self._types[id(tensor)] = (tensor, carried, axis)


def _first(output: Any) -> Any:
    """The first of several outputs: pooling gives indices beside, attention its weights."""
    return output[0] if isinstance(output, Sequence) and output else output
