"""A model left as it was found, whatever its runs do to it: values, attributes, modes, gradients and random numbers."""

import random
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.parameter import is_lazy
from torch.utils._python_dispatch import TorchDispatchMode

from intertwine.tracing.models.evaluating import evaluating

# Buffers up to so many bytes are copied beforehand, larger ones when they are first written to.
SMALL = 1 << 16
# Written to without saying so in their schema.
WRITING = ("batch_norm", "c10d")


class Preserved:
    """What a model was before its runs; see ``preserved``."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        modules = [module for module in model.modules() if not _is_lazy(module)]
        self._attributes = [(module, dict(vars(module))) for module in modules]
        self._containers = [
            (value, set_back)
            for _, held in self._attributes
            for value in held.values()
            for set_back in _ways_back(value)
        ]
        tensors = [*model.parameters(), *model.buffers()]
        self._tensors = [tensor for tensor in tensors if not is_lazy(tensor)]
        self._values = {
            id(buffer): buffer.detach().clone()
            for buffer in model.buffers()
            if not is_lazy(buffer) and buffer.nbytes <= SMALL
        }
        self._random = _random_states(self._tensors)

    def saving(self) -> AbstractContextManager[object]:
        """A context in which each tensor of the model is copied before it is first written to.

        It is meant for the first run: what later ones write to that one has written to.
        """
        return _Saving(self._tensors, self._values)

    def draw_alike(self, *, by_torch_alone: bool = False) -> None:
        """The next run draws the random numbers that the first one drew."""
        for generator in self._random:
            if generator.of_torch or not by_torch_alone:
                generator.put(generator.state)

    def drawn(self, *, by_torch: bool) -> bool:
        """Whether random numbers were drawn since, by torch, or by numpy and Python."""
        return any(one.of_torch is by_torch and not _same_state(one.take(), one.state) for one in self._random)

    def draws(self) -> list[torch.Tensor]:
        """What torch's generators are at: another after every draw."""
        return [one.take() for one in self._random if one.of_torch]

    @torch.no_grad()
    def restore(self) -> None:
        """The model as it was."""
        for tensor in self._tensors:
            before = self._values.get(id(tensor))
            if before is not None and not _equal(tensor, before):
                tensor.data.copy_(before)
        for container, set_back in self._containers:
            set_back(container)
        for module, attributes in self._attributes:
            if len(vars(module)) != len(attributes) or any(
                vars(module).get(name, self) is not value for name, value in attributes.items()
            ):
                vars(module).clear()
                vars(module).update(attributes)
        self.draw_alike()


_CURRENT: ContextVar[Preserved | None] = ContextVar("_CURRENT", default=None)


@contextmanager
def preserved(model: nn.Module) -> Iterator[Preserved]:
    """Eval mode and no gradients, as ``evaluating``; at the end the model is what it was, to the bit.

    That is its parameters and buffers, those that runs add or replace included; all attributes of its modules, and
    lists, dictionaries and sets among them; training flags, hooks, ``.grad``; and the state of the generators of random
    numbers of torch, numpy and Python. Lazy modules stay as the first run made them. Inside one another the outermost
    counts, so that what layers keep of one run is there in the next.
    """
    outer = _CURRENT.get()
    if outer is not None and outer.model is model:
        yield outer
        return
    state = Preserved(model)
    token = _CURRENT.set(state)
    try:
        with state.saving(), torch.no_grad():
            model.eval()  # which some layers take as the time to merge their weights
        with evaluating(model):
            yield state
    finally:
        _CURRENT.reset(token)
        state.restore()


class _Saving(TorchDispatchMode):
    """Copies tensors before a function writes to their memory for the first time."""

    supports_higher_order_operators = True

    def __init__(self, tensors: list[torch.Tensor], values: dict[int, torch.Tensor]) -> None:
        super().__init__()
        self._values = values
        self._at: dict[int, list[torch.Tensor]] = {}
        for tensor in tensors:
            if tensor.layout is torch.strided and type(tensor).__torch_dispatch__ is torch.Tensor.__torch_dispatch__:
                self._at.setdefault(tensor.untyped_storage().data_ptr(), []).append(tensor)

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        schema = getattr(func, "_schema", None)
        if schema is None or schema.is_mutable or any(name in schema.name for name in WRITING):
            for value in (*args, *(kwargs or {}).values()):
                for tensor in value if isinstance(value, list | tuple) else (value,):
                    if isinstance(tensor, torch.Tensor) and tensor.layout is torch.strided:
                        self._save(tensor)
        return func(*args, **(kwargs or {}))

    def _save(self, written: torch.Tensor) -> None:
        for tensor in self._at.get(written.untyped_storage().data_ptr(), ()):
            if id(tensor) not in self._values:
                self._values[id(tensor)] = tensor.detach().clone()


def _is_lazy(module: nn.Module) -> bool:
    own = (*module._parameters.values(), *module._buffers.values())
    return any(tensor is not None and is_lazy(tensor) for tensor in own)


def _ways_back(value: object) -> Iterator[Callable[[Any], None]]:
    """How a container in an attribute becomes what it is now, in place; nothing for other things."""
    if isinstance(value, dict):
        items = dict(value)

        def of_dictionary(held: Any) -> None:
            if list(held) != list(items) or any(held[key] is not item for key, item in items.items()):
                held.clear()
                held.update(items)

        yield of_dictionary
    elif isinstance(value, list | deque):
        entries = list(value)

        def of_list(held: Any) -> None:
            if len(held) != len(entries) or any(a is not b for a, b in zip(held, entries, strict=True)):
                held.clear()
                held.extend(entries)

        yield of_list
    elif isinstance(value, set):
        members = set(value)

        def of_set(held: Any) -> None:
            held.clear()
            held.update(members)

        yield of_set


def _equal(one: torch.Tensor, two: torch.Tensor) -> bool:
    if one.shape != two.shape or one.dtype != two.dtype or one.device != two.device:
        return False
    return torch.equal(one, two)


@dataclass(frozen=True)
class _Generator:
    """A generator of random numbers, and what it was at."""

    take: Callable[[], Any]
    put: Callable[[Any], object]
    state: Any
    of_torch: bool = True


def _random_states(tensors: list[torch.Tensor]) -> list[_Generator]:
    ways: list[tuple[Callable[[], Any], Callable[[Any], object], bool]] = [
        (torch.get_rng_state, torch.set_rng_state, True),
        (np.random.get_state, np.random.set_state, False),
        (random.getstate, random.setstate, False),
    ]
    for device in {tensor.device for tensor in tensors if tensor.device.type not in ("cpu", "meta")}:
        room: Any = getattr(torch, device.type, None)
        if hasattr(room, "get_rng_state"):  # a device of torch's own; others have no random numbers to keep
            ways.append((partial(room.get_rng_state, device), partial(_set_state, room, device), True))
    return [_Generator(take, put, take(), of_torch) for take, put, of_torch in ways]


def _set_state(room: Any, device: torch.device, state: torch.Tensor) -> None:
    room.set_rng_state(state, device)


def _same_state(one: Any, two: Any) -> bool:
    if isinstance(one, torch.Tensor):
        return bool(torch.equal(one, two))
    return all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
