"""One run of a model, seen call by call: every torch function with its arguments, the module and the line it is in."""

import linecache
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from intertwine.tracing.function_names import READ, function_name
from intertwine.tracing.whole.seams import Seams, Whole

# What reads a tensor's attributes, or checks and prints it, makes no tensor of the model.
SILENT = frozenset(
    [
        "size",
        "dim",
        "numel",
        "stride",
        "is_floating_point",
        "is_complex",
        "item",
        "tolist",
        "__len__",
        "__bool__",
        "__int__",
        "__float__",
        "__index__",
        "__format__",
        "__repr__",
        "data_ptr",
        "element_size",
        "requires_grad_",
        "is_contiguous",
        "storage_offset",
        "_assert",
        "register_hook",
        "is_pinned",
        "nelement",
        "ndimension",
        "get_device",
        "type",
        "__hash__",
        "is_inference",
        "is_tensor",
        "backward",
        "retain_grad",
    ]
)
UNWRITTEN = frozenset(["empty", "empty_like", "new_empty", "empty_strided"])
# Attributes that are tensors of the model, of a type of their own.
ATTRIBUTES = frozenset(["T", "mT", "H", "data", "grad", "mH", "real", "imag"])
OWN_FOLDERS = tuple(str(Path(file).resolve().parent) + os.sep for file in (torch.__file__, __file__))


@dataclass(frozen=True)
class Place:
    """Where a call stands.

    Attributes:
        index: its number in the run.
        function: the function's name.
        module: path of the innermost module that it is in; "" for the model itself.
        source: ``"model.py:55: h = F.silu(h)"``, the first line outside torch; "" where there is none.
    """

    index: int
    function: str
    module: str
    source: str

    def __str__(self) -> str:
        where = f"{self.module}: " if self.module else ""
        return f"{where}{self.function}{f' ({self.source})' if self.source else ''}"


Handler = Callable[[Place, Callable[..., Any], tuple[Any, ...], dict[str, Any]], Any]


class _Mode(TorchFunctionMode):
    def __init__(self, watch: "Watch") -> None:
        super().__init__()
        self._watch = watch

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if self._watch.inside:
            return func(*args, **(kwargs or {}))
        return self._watch.call(func, args, kwargs or {})


class Watch:
    """Runs a model under a mode that hands every call to ``handler``, which runs it and returns what it returns.

    Args:
        model: a module, in eval mode.
        handler: ``(place, function, args, kwargs) -> result``.
        seams: the modules and functions that are one call each; None: those that know their own irreps.
        on_parametrized: told the name and the value of every tensor that a parametrisation computes.
        on_read: told every tensor whose values Python takes.

    Attributes:
        count: how many calls there were.
        inside: whether a module or function runs that is one call.
    """

    def __init__(
        self,
        model: nn.Module,
        handler: Handler,
        seams: Seams | None = None,
        on_parametrized: Callable[[str, torch.Tensor], None] | None = None,
        on_read: Callable[[torch.Tensor], None] | None = None,
    ) -> None:
        self._handler = handler
        self._seams = Seams(model, {}) if seams is None else seams
        self.inside = False
        self._on_parametrized, self._on_read = on_parametrized, on_read
        self._modules = tuple(m for m in model.modules() if not isinstance(m, torch.jit.ScriptModule))
        self._names = {id(module): name for name, module in model.named_modules()}
        self._stack: list[str] = []
        self._lines: Lines = {}
        self.count = 0

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch what runs inside."""
        # Not by global hooks, of which torch.compile warns.
        handles: list[RemovableHandle] = []
        try:
            for module in self._modules:
                handles += [module.register_forward_pre_hook(self._enter), module.register_forward_hook(self._leave)]
            with self._seams.opened(self.whole), _Mode(self):
                yield
        finally:
            for handle in handles:
                handle.remove()

    # Hooks return None: anything else would replace the module's input or output.
    def _enter(self, module: nn.Module, args: Any) -> None:
        self._stack.append(self._names.get(id(module), self._stack[-1] if self._stack else ""))

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        path = self._stack.pop() if self._stack else ""
        if (
            self._on_parametrized is not None
            and ".parametrizations." in f".{path}"
            and isinstance(output, torch.Tensor)
        ):
            owner, _, attribute = f".{path}".rpartition(".parametrizations.")
            if "." not in attribute:
                self._on_parametrized(f"{owner[1:]}.{attribute}" if owner else attribute, output)

    def whole(self, whole: Whole, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """One call of a module or function that is not looked into."""
        if self.inside:
            return whole(*args, **kwargs)
        module = self._stack[-1] if self._stack else ""
        place = Place(self.count, whole.name, module, _source(self._lines))
        self.count += 1
        self.inside = True
        try:
            return self._handler(place, whole, args, kwargs)
        finally:
            self.inside = False

    def call(self, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        """One call."""
        name = function_name(function)
        if name in SILENT or (getattr(function, "__name__", "") == "__get__" and name not in ATTRIBUTES):
            if name in READ and self._on_read is not None:
                self._on_read(args[0])
            return function(*args, **kwargs)
        place = Place(self.count, name, self._stack[-1] if self._stack else "", _source(self._lines))
        self.count += 1
        result = self._handler(place, function, args, kwargs)
        if name in UNWRITTEN and isinstance(result, torch.Tensor):
            result.zero_()  # what was never written is one number in every run, and is left alone by the group
        return result


# What lines say, by code and number; the code is kept, so that its id stays its own.
Lines = dict[tuple[int, int], tuple[CodeType, str]]


def _source(lines: Lines) -> str:
    """The innermost line outside torch, of those that the model itself runs."""
    frame: FrameType | None = sys._getframe(3)
    while frame is not None and frame.f_code is not run.__code__:
        name = frame.f_code.co_filename
        if not name.startswith(OWN_FOLDERS):
            key = id(frame.f_code), frame.f_lineno
            if key not in lines:
                text = linecache.getline(name, frame.f_lineno).strip()
                lines[key] = frame.f_code, f"{Path(name).name}:{frame.f_lineno}{f': {text}' if text else ''}"
            return lines[key][1]
        frame = frame.f_back
    return ""


def run(model: Callable[..., Any], example: Any) -> Any:
    """``model(example)``: a tuple as ``model(*x)``, a mapping as ``model(**x)``."""
    # Compiled modules run as they are written, so that their calls are seen.
    stance = getattr(torch.compiler, "set_stance", None)  # from torch 2.6 on
    with nullcontext() if stance is None else stance("force_eager"):
        if type(example) is tuple:
            return model(*example)
        return model(**example) if isinstance(example, Mapping) else model(example)
