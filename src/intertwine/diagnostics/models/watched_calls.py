"""A run of a model that tells of every torch function called, and of the module that called it."""

from collections.abc import Callable
from typing import Any, Self

from torch import nn
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle


class WatchedCalls(TorchFunctionMode):
    """Inside ``with``, every module of a model and every torch function called from Python is told of.

    Subclasses say what is done with them. What a function calls in turn is not told of.

    Attributes:
        stack: names and modules that are running, the innermost last.
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.stack: list[tuple[str, nn.Module]] = []
        self._model = model
        self._handles: list[RemovableHandle] = []

    def entered(self, name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """``module`` begins."""

    def left(self, name: str, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        """``module`` has given ``output``."""

    def called(self, name: str, function: Callable[..., Any], args: Any, kwargs: dict[str, Any], output: Any) -> None:
        """A torch function, such as ``"relu"``, has given ``output``."""

    @property
    def innermost(self) -> tuple[str, nn.Module]:
        """Name and module that is running now."""
        return self.stack[-1] if self.stack else ("", self._model)

    def __enter__(self) -> Self:
        for name, module in self._model.named_modules():
            self._handles += [
                module.register_forward_pre_hook(self._entering(name), with_kwargs=True),
                module.register_forward_hook(self._leaving(name), with_kwargs=True),
            ]
        super().__enter__()
        return self

    def __exit__(self, *error: Any) -> None:
        for handle in self._handles:
            handle.remove()
        super().__exit__(*error)

    def _entering(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self.stack.append((name, module))
            self.entered(name, module, args, kwargs)

        return hook

    def _leaving(self, name: str) -> Callable[..., None]:
        def hook(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            self.left(name, module, args, kwargs, output)
            self.stack.pop()

        return hook

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = kwargs or {}
        output = func(*args, **options)
        name = getattr(func, "__name__", "")
        # An in-place function is the function, relu_ is relu, and a pooling that gives indices is the pooling.
        name = name if name.endswith("__") else name.rstrip("_").removesuffix("_with_indices")
        self.called(name, func, args, options, output)
        return output
