"""Types carried through one run of a model: tensors are known by identity, and by what happens to them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import nn

from intertwine.binding import Binding
from intertwine.diagnostics.models.watched_calls import WatchedCalls
from intertwine.diagnostics.reports.between_layers import Carried, Verdicts
from intertwine.diagnostics.reports.function_types import Call, function_effect
from intertwine.layers.grid.finding import Finding
from intertwine.layers.registry import is_torchs_own


class TypeTrace(WatchedCalls):
    """Inside ``with``, a run of the model gives a verdict on each norm and pointwise function of a known type.

    A type begins behind a typed module. Functions of torch hand it on as their rule says; where there is none, or a
    tensor comes from elsewhere, it ends. If what comes of it reaches a typed module all the same, the function at which
    it ended is noted as unknown.

    Attributes:
        verdicts: what was found.
    """

    def __init__(self, binding: Binding) -> None:
        super().__init__(binding.model)
        self.verdicts = Verdicts(binding)
        # Each with the tensor itself, so that no other takes its place.
        self._types: dict[int, tuple[torch.Tensor, Carried, int]] = {}
        self._ended: dict[int, tuple[torch.Tensor, _End]] = {}
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
        known, end = self._known(x), self._end(x)
        if end is not None and known is None and name in self.verdicts.ends:
            unknown = Finding("unknown", f"what it does to this type is not known, and {name!r} takes what comes of it")
            self.verdicts.note(end.name, end.kind, end.carried, unknown)
        carried = self.verdicts.through(name, module, None if known is None else known[0])
        if carried is not None:
            before = known[1] if known is not None and result.ndim == getattr(x, "ndim", 0) else None
            same = known is not None and carried.rep == known[0].rep
            self._know(result, carried, _feature_axis(module, carried, result, before, same=same))
        elif end is not None:
            self._ended[id(result)] = (result, end)

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
            self._finish(name, known, operands, result)
            return
        finding, after = function_effect(name, Call(function, tuple(args), kwargs, known))
        if finding is not None:
            self._note(name, known[0][0], finding)
        self._types.pop(id(result), None)  # it may have been changed in place
        if after is not None:
            self._know(result, *after)
        if finding is None and self._known(result) is None:
            self._finish(name, known, operands, result)

    def _finish(self, function: str, known: Sequence[tuple[Carried, int]], operands: Any, result: torch.Tensor) -> None:
        """A type of an operand ends here, or has ended before. Modules without parts are listed as not analysed."""
        end = next((found for found in map(self._end, operands) if found is not None), None)
        name, module = self.innermost
        if end is None and known and _acts(known[0][0]) and next(module.children(), None) is not None:
            end = _End(name, f"{function}()", known[0][0])
        if end is not None:
            self._ended[id(result)] = (result, end)

    def _end(self, tensor: object) -> "_End | None":
        found = self._ended.get(id(tensor))
        return found[1] if found is not None and found[0] is tensor else None

    def _note(self, function: str, carried: Carried, finding: Any) -> None:
        self.verdicts.note(self.innermost[0], f"{function}()", carried, finding)

    def _is_whole(self, name: str, module: nn.Module) -> bool:
        return self.verdicts.is_whole(name, module)

    def _known(self, tensor: object) -> tuple[Carried, int] | None:
        found = self._types.get(id(tensor))
        return found[1:] if found is not None and found[0] is tensor else None

    def _know(self, tensor: torch.Tensor, carried: Carried, axis: int) -> None:
        if 0 <= axis < tensor.ndim and tensor.shape[axis] == carried.rep.dim:
            self._types[id(tensor)] = (tensor, carried, axis)


class _End(NamedTuple):
    """Where a type ended: the module, the function called in it, and the type."""

    name: str
    kind: str
    carried: Carried


def _feature_axis(module: nn.Module, carried: Carried, result: torch.Tensor, before: int | None, *, same: bool) -> int:
    """The axis of features of an output, ``before`` being that of the input where both have as many axes.

    A layer of a class that is not torch's may have them anywhere: where they were, or on the only axis of that length.
    """
    kernel, last = getattr(module, "kernel_size", None), result.ndim - 1
    if before is not None and same:
        return before
    if isinstance(kernel, tuple):
        return last - len(kernel)
    if is_torchs_own(module):
        return last
    places = [axis for axis in range(result.ndim) if result.shape[axis] == carried.rep.dim]
    if before in places:
        return before
    return places[0] if len(places) == 1 else last


def _acts(carried: Carried) -> bool:
    """Whether the group does anything to these features; if not, no function of them can break it."""
    fields = [segment.field for segment in carried.rep.segments]
    alone = all(field.dim == 1 and (field.generator_images() == 1).all() for field in fields)
    still = not any(field.algebra().any() for field in fields)
    return carried.over is not None or not (alone and still)


def _first(output: Any) -> Any:
    """The first of several outputs: pooling gives indices beside, attention its weights."""
    return output[0] if isinstance(output, Sequence) and output else output
